"""What every engine owes its users, held against the folder in which the resources are files."""

from __future__ import annotations

import pytest

from trivet.core.errors import TrivetError

A = {"name": "a", "props": {"content": "1"}}
B = {"name": "b", "props": {"content": "2"}, "takes": ["a"]}
C = {"name": "c", "props": {"content": "3"}, "after": ["b"]}
NOT_KEPT = {"retain_on_delete": False}


def with_(item: dict, props: dict | None = None, **options: object) -> dict:
    return {**item, "props": {**item.get("props", {}), **(props or {})}, "options": options}


def test_life_cycle(world):
    world.graph(A, B, C, {"name": "g", "group": True}, {"name": "d", "parent": "g"})

    planned = world.driver.preview()
    assert world.files() == {}
    assert world.up() == planned == {"create": 6}
    assert world.files() == {"a.a": "1", "b.a": "2|world/a.a", "c.a": "3", "d.a": ""}
    asked = world.asked()
    assert asked.index("create a.a") < asked.index("create b.a") < asked.index("create c.a")
    assert world.driver.outputs() == {name: f"world/{name}.a" for name in "abcd"} | {"whole": 3}

    assert world.driver.preview() == world.up() == {"same": 6}
    assert world.asked() == []

    world.graph(A, B, with_(C, {"content": "three"}), {"name": "g", "group": True}, {"name": "d", "parent": "g"})
    assert world.driver.preview() == world.up() == {"same": 5, "update": 1}
    assert world.files()["c.a"] == "three"

    assert world.driver.destroy() == {"delete": 6}
    assert world.files() == {}
    asked = [what for what in world.asked() if what.startswith("delete")]
    assert asked.index("delete c.a") < asked.index("delete b.a") < asked.index("delete a.a")
    assert world.driver.export()["deployment"].get("resources", []) == []
    assert [path.name for path in world.driver.home.parent.iterdir() if "dev" in path.name] == []


def test_replacement_creates_first_and_deletes_last(world):
    world.graph(A, B, C)
    world.up()
    world.asked()
    world.graph(with_(A, {"kind": "b"}), B, C)

    assert world.driver.preview() == world.up() == {"same": 2, "replace": 1, "update": 1}
    assert world.asked() == ["create a.b", "update b.a", "delete a.a"]
    assert world.files() == {"a.b": "1", "b.a": "2|world/a.b", "c.a": "3"}


def test_delete_before_replace_takes_dependents_along(world):
    bound = {"name": "b", "bound": ["a"]}
    world.graph(with_(A, delete_before_replace=True), bound, C)
    world.up()
    world.asked()
    world.graph(with_(A, {"kind": "b"}, delete_before_replace=True), bound, C)

    assert world.driver.preview() == world.up() == {"same": 2, "replace": 2}
    assert world.asked() == ["delete b.a", "delete a.a", "create a.b", "create b.a"]
    assert world.files() == {"a.b": "1", "b.a": "", "c.a": "3"}
    assert world.up() == {"same": 4}


def test_removed_resources_are_deleted_dependents_first(world):
    world.graph(A, B, C)
    world.up()
    world.asked()
    world.graph()

    assert world.driver.preview() == world.up() == {"same": 1, "delete": 3}
    assert world.asked() == ["delete c.a", "delete b.a", "delete a.a"]


def test_protect_holds_until_it_is_taken_off(world):
    world.graph(with_(A, protect=True), B)
    world.up()

    with pytest.raises(TrivetError, match="protect"):
        world.driver.destroy()
    world.graph(B | {"takes": []})
    with pytest.raises(TrivetError, match="protect"):
        world.up()
    world.graph(with_(A, {"kind": "b"}, protect=True))
    with pytest.raises(TrivetError, match="protect"):
        world.up()
    assert "a.a" in world.files()

    world.graph(with_(A, protect=False))
    world.up()
    world.driver.destroy()
    assert world.files() == {}


def test_retained_resources_stay(world):
    world.graph(with_(A, retain_on_delete=True), B)
    world.up()

    world.driver.destroy()

    assert world.files() == {"a.a": "1"}


def test_how_a_resource_ends_is_as_its_parent_s_unless_it_says_so(world):
    group = {"name": "g", "group": True, "options": {"retain_on_delete": True}}
    kept = {"name": "kept", "parent": "g"}
    world.graph(group, kept, {"name": "below", "parent": "kept"}, with_({"name": "gone", "parent": "kept"}, **NOT_KEPT))
    world.up()

    world.driver.destroy()

    assert world.files() == {"kept.a": "", "below.a": ""}
    world.graph(with_(A, protect=True), {"name": "z", "parent": "a"})
    world.up()
    world.graph(with_(A, protect=True))
    with pytest.raises(TrivetError, match="protect"):
        world.up()


def test_ignored_changes(world):
    world.graph(with_(A, ignore_changes=["content"]))
    world.up()
    world.graph(with_(A, {"content": "other"}, ignore_changes=["content"]))

    assert world.driver.preview() == world.up() == {"same": 2}
    assert world.files() == {"a.a": "1"}


def test_a_provider_without_diff_is_asked_to_update_when_inputs_change(world):
    world.graph(A | {"plain": True})
    world.up()
    assert world.up() == {"same": 2}
    world.graph(with_(A, {"content": "2"}) | {"plain": True})

    assert world.up() == {"same": 1, "update": 1}
    assert world.files() == {"a.a": "2"}


def test_aliases_rename_without_touching(world):
    group = {"name": "g", "group": True}
    world.graph(A, group, {"name": "g-child", "parent": "g"}, B)
    world.up()
    world.asked()
    group = {"name": "h", "group": True, "options": {"aliases": [{"name": "g"}]}}
    renamed = {"name": "z", "props": {"content": "1", "name": "a"}, "options": {"aliases": [{"name": "a"}]}}
    world.graph(renamed, group, {"name": "h-child", "parent": "h", "props": {"name": "g-child"}}, B | {"takes": []})

    assert world.up()["same"] >= 4
    assert [what for what in world.asked() if what != "update b.a"] == []
    assert "z" in [item["urn"].rsplit("::", 1)[-1] for item in world.resources()]


def test_a_failed_create_keeps_what_was_done_and_the_next_up_goes_on(world):
    world.graph(A, B, C)
    (world.root / "fail-b").touch()

    with pytest.raises(TrivetError, match="no room for b"):
        world.up()
    assert world.files() == {"a.a": "1"}
    (world.root / "fail-b").unlink()

    changes = world.up()

    assert changes["create"] == 2
    assert world.files() == {"a.a": "1", "b.a": "2|world/a.a", "c.a": "3"}
    assert world.asked().count("create a.a") == 1


def test_inputs_that_the_provider_refuses_fail_the_preview(world):
    world.graph(with_(A, {"content": "wrong"}))

    with pytest.raises(TrivetError, match="may not be 'wrong'"):
        world.driver.preview()


def test_an_error_of_the_program_deletes_nothing(world):
    world.graph(A)
    world.up()
    (world.root / "program" / "__main__.py").write_text("raise ValueError('a mistake in the program')")

    with pytest.raises(TrivetError, match="a mistake in the program"):
        world.up()
    assert world.files() == {"a.a": "1"}


def test_refresh_takes_over_what_changed_outside(world):
    world.graph(A, B, C)
    world.up()
    (world.root / "world" / "a.a").write_text("changed by hand")
    (world.root / "world" / "c.a").unlink()

    changes = world.driver.refresh()

    assert (changes.get("update"), changes.get("delete")) == (1, 1)
    assert world.up() == {"same": 2, "update": 1, "create": 1}
    assert world.files() == {"a.a": "1", "b.a": "2|world/a.a", "c.a": "3"}


def test_secrets_are_in_no_file_and_no_line(world):
    word = "correct horse battery"
    world.driver.set_config({}, secret={"trial:word": word})
    world.graph({"name": "a", "secret": "word"}, {"name": "b", "secret": "word"})
    world.up()
    (world.root / "fail-c").touch()
    world.graph({"name": "a", "secret": "word"}, {"name": "c", "secret": "word"})
    with pytest.raises(TrivetError) as failed:
        world.up()

    assert world.files()["a.a"] == word
    assert world.driver.outputs()["hidden"] == word
    kept = [path for path in world.root.rglob("*") if path.is_file() and path.parent.name not in ("world", "program")]
    assert [path for path in kept if word.encode() in path.read_bytes()] == []
    assert word not in "\n".join(world.lines)
    if world.driver.engine.startswith("embedded"):
        assert word not in str(failed.value)
