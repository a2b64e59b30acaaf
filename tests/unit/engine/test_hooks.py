"""Hooks of resources, failures after which an operation goes on, and objects that are there but do not work yet."""

from __future__ import annotations

import pytest

from trivet.core.errors import ConfigError, PlatformError
from trivet.infra.driver import Options

from .conftest import entries, held, say

HOOKS = """
from pulumi import ErrorHook, ResourceHook, ResourceHookBinding, ResourceHookOptions

def tell(what):
    def hook(args):
        with open("told", "a") as file:
            of = {**(args.old_outputs or {}), **(args.new_inputs or {}), **(args.new_outputs or {})}
            file.write(f"{what} {args.name} {of.get('label')}\\n")
    return hook

def fail(args):
    raise ValueError("not today")

every = {kind: [ResourceHook(kind, tell(kind))] for kind in (
    "before_create", "after_create", "before_update", "after_update", "before_delete", "after_delete")}
"""


def told(world) -> list[str]:
    path = world.root / "program" / "told"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


def hooked(world, text: str) -> None:
    say(world, HOOKS + text)


def test_hooks_are_called_before_and_after_what_is_done(shelf):
    text = "book('a', pages=%d, place='%s', options=ResourceOptions(hooks=ResourceHookBinding(**every)))"
    hooked(shelf, text % (1, "x"))
    shelf.driver.preview()
    assert told(shelf) == []
    shelf.up()
    assert told(shelf) == ["before_create a None", "after_create a hall: a"]
    hooked(shelf, text % (2, "x"))
    shelf.up()
    assert told(shelf) == ["before_update a hall: a", "after_update a hall: a"]
    hooked(shelf, text % (2, "y"))
    shelf.up()
    assert [line.split()[0] for line in told(shelf)] == [
        "before_create",
        "after_create",
        "before_delete",
        "after_delete",
    ]
    hooked(shelf, "")
    shelf.up()  # it is deleted while the program that has the hooks is still there
    assert told(shelf) == ["before_delete a hall: a", "after_delete a hall: a"]
    assert held(shelf) == {}


def test_hooks_of_components_are_called_when_they_are_complete(shelf):
    hooked(
        shelf,
        """
class Box(pulumi.ComponentResource):
    def __init__(self, name, opts):
        super().__init__("test:index:Box", name, {}, opts)
        book("in", options=ResourceOptions(parent=self, hooks=ResourceHookBinding(after_create=[tell("inner")])))
        self.register_outputs({"label": "full"})

Box("b", ResourceOptions(hooks=ResourceHookBinding(**every)))
""",
    )
    shelf.up()
    lines = told(shelf)
    assert lines[0] == "before_create b None" and sorted(lines[1:]) == ["after_create b full", "inner in hall: in"]


def test_a_hook_for_previews_and_one_whose_failure_is_no_matter(shelf):
    hooked(
        shelf,
        """
dry = ResourceHook("dry", tell("dry"), ResourceHookOptions(on_dry_run=True))
weak = ResourceHook("weak", fail, ResourceHookOptions(ignore_errors=True))
book("a", options=ResourceOptions(hooks=ResourceHookBinding(before_create=[dry, weak])))
""",
    )
    assert shelf.driver.preview() == {"create": 2}
    assert told(shelf) == ["dry a None"]
    assert shelf.up() == {"create": 2}
    assert "not today" in "\n".join(shelf.lines)


def test_a_failing_hook_keeps_it_from_being_done_or_fails_what_was_done(shelf):
    hooked(
        shelf, "book('a', options=ResourceOptions(hooks=ResourceHookBinding(before_create=[ResourceHook('f', fail)])))"
    )
    with pytest.raises(PlatformError, match="not today"):
        shelf.up()
    assert held(shelf) == {}
    hooked(
        shelf, "book('a', options=ResourceOptions(hooks=ResourceHookBinding(after_create=[ResourceHook('f', fail)])))"
    )
    with pytest.raises(PlatformError, match="not today"):
        shelf.up()
    assert list(held(shelf)) == ["hall-a-"]
    assert shelf.up()["same"] == 2


def test_destroy_runs_the_program_for_the_hooks_where_it_is_told_to(embedded_shelf):
    world = embedded_shelf
    hooked(world, "book('a', options=ResourceOptions(hooks=ResourceHookBinding(before_delete=every['before_delete'])))")
    world.up()
    with pytest.raises(PlatformError, match="--run-program"):
        world.driver.destroy()
    assert list(held(world)) == ["hall-a-"]
    with world.driver._errors():
        world.driver._open().destroy(run_program=True)
    assert told(world) == ["before_delete a hall: a"] and held(world) == {} and entries(world) == []


def test_what_failed_is_tried_again_as_long_as_a_hook_wants(shelf):
    text = """
def again(args):
    with open("told", "a") as file:
        file.write(f"{args.failed_operation} {len(args.errors)}\\n")
    return len(args.errors) < 3

book("a", options=ResourceOptions(hooks=ResourceHookBinding(on_error=[ErrorHook("again", again)])))
"""
    hooked(shelf, text)
    (shelf.root / "busy").write_text("..")
    shelf.up()
    assert told(shelf) == ["create 1", "create 2"] and list(held(shelf)) == ["hall-a-"]
    hooked(shelf, text.replace("book('a'", "book('a', pages=5").replace('book("a"', 'book("a", place="z"'))
    (shelf.root / "busy").write_text("....")
    with pytest.raises(PlatformError, match="the desk is busy"):
        shelf.up()
    assert told(shelf) == ["create 1", "create 2", "create 3"]


def test_an_object_that_is_there_but_does_not_work_is_recorded_and_mended(shelf):
    say(shelf, "first = book('a', binding='loose')\nbook('b', title=first.label)")
    with pytest.raises(PlatformError, match="it is loose"):
        shelf.up()
    assert list(held(shelf)) == ["hall-a-"]
    [entry] = [one for one in entries(shelf) if one["urn"].endswith("::a")]
    assert entry["id"] == "hall-a-" and entry["initErrors"] == ["it is loose"] and entry["outputs"]["number"] == 7

    with pytest.raises(PlatformError, match="it is loose"):
        shelf.up()  # it is updated, though nothing changed
    assert [what for what in shelf.asked() if what.startswith(("create", "update"))][1:] == ["update hall-a-"]
    say(shelf, "first = book('a', binding='firm')\nbook('b', title=first.label)")
    shelf.up()
    assert sorted(held(shelf)) == ["hall-a-", "hall-hall: a-"]
    assert not any(one.get("initErrors") for one in entries(shelf))
    assert shelf.up() == {"same": 3}


def going_on(world) -> dict[str, int]:
    return world.driver.up(world.lines.append, Options(goes_on=True))


def test_going_on_after_a_failure_does_what_does_not_need_it(shelf):
    say(shelf, "book('old')\nbook('needed')")
    shelf.up()
    text = """
bad = book("bad", title="outage")
book("after", title=bad.label)
book("later", options=ResourceOptions(depends_on=[bad]))
one = book("one")
book("two", title=one.label)
"""
    say(shelf, text)
    with pytest.raises(PlatformError, match="down for maintenance"):
        going_on(shelf)
    assert sorted(held(shelf)) == ["hall-hall: one-", "hall-one-"]
    say(shelf, text.replace("outage", "fixed"))
    assert going_on(shelf) == {"same": 3, "create": 3}


def test_going_on_keeps_what_a_failed_one_still_needs(shelf):
    say(shelf, "first = book('first')\nbook('second', number_of=first.number)")
    shelf.up()
    say(shelf, "book('second', title='outage', place='new')")  # it is to be replaced, and needs 'first' until then
    with pytest.raises(PlatformError, match="down for maintenance"):
        going_on(shelf)
    assert sorted(held(shelf)) == ["hall-first-", "hall-second-"]
    say(shelf, "book('second', title='new')")
    going_on(shelf)
    assert list(held(shelf)) == ["hall-second-"] or list(held(shelf)) == ["hall-new-"]


def test_what_is_replaced_with_another(shelf):
    text = """
first = book("first", place="%s")
book("second", options=ResourceOptions(replace_with=[first]))
book("third", pages=%d, options=ResourceOptions(replacement_trigger="%s"))
"""
    say(shelf, text % ("x", 1, "v1"))
    shelf.up()
    shelf.asked()
    say(shelf, text % ("y", 1, "v1"))
    assert shelf.driver.preview() == shelf.up() == {"same": 2, "replace": 2}
    assert [what for what in shelf.asked() if what.startswith("create")] == [
        "create first timeout=0",
        "create second timeout=0",
    ]
    say(shelf, text % ("y", 1, "v2"))
    assert shelf.driver.preview() == shelf.up() == {"same": 3, "replace": 1}
    say(shelf, text % ("y", 2, "v2"))
    assert shelf.up() == {"same": 3, "update": 1}


def test_what_is_excluded_is_not_touched(embedded_shelf):
    world = embedded_shelf
    text = "one = book('one', pages=%d)\ntwo = book('two', pages=%d)\nbook('three', pages=%d, of=two.number)"
    say(world, text % (1, 1, 1))
    world.up()
    two = next(one["urn"] for one in entries(world) if one["urn"].endswith("::two"))

    def changes(**options):
        with world.driver._errors():
            return world.driver._open().up(exclude=[two], **options).summary.resource_changes

    say(world, text % (2, 2, 2))
    assert changes(exclude_dependents=True) == {"same": 3, "update": 1}
    assert changes() == {"same": 3, "update": 1}
    assert [one["pages"] for one in held(world).values()] == [2, 2, 1]
    with world.driver._errors():
        world.driver._open()._run_pulumi_cmd_sync(["destroy", "--yes", "--skip-preview", "--exclude", two])
    assert list(held(world)) == ["hall-two-"]
    with pytest.raises(ConfigError, match="no resource"), world.driver._errors():
        world.driver._open().up(exclude=["urn:pulumi:dev::trial::a:b:C::none"])


def test_destroying_all_but_what_is_protected(embedded_shelf):
    world = embedded_shelf
    say(world, "one = book('one')\nbook('two', of=one.number, options=ResourceOptions(protect=True))\nbook('three')")
    world.up()
    with world.driver._errors():
        world.driver._open().destroy(exclude_protected=True)
    assert list(held(world)) == ["hall-one-", "hall-two-"]


def test_an_up_that_first_looks_at_what_changed_outside(shelf):
    say(shelf, "book('one', pages=3)")
    shelf.up()
    (shelf.root / "world" / "hall-one-").unlink()
    assert shelf.up() == {"same": 2}
    assert shelf.driver.up(options=Options(refresh=True))["create"] == 1
    assert held(shelf)["hall-one-"]["pages"] == 3
