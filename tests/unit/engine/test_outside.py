"""What comes from outside: resources that are only read, imported ones, refreshes, outputs of other stacks."""

from __future__ import annotations

import json

import pytest

from trivet.core.errors import ConfigError, TrivetError
from trivet.infra.driver import Driver

from .conftest import entries, held, make_world, say

IMPORT = "book('a', title=%r, pages=%d, options=ResourceOptions(import_=%r))"


def test_a_resource_that_is_only_read(shelf):
    (shelf.root / "world" / "old").write_text(json.dumps({"title": "old", "label": "hall: old", "number": 1}))
    say(shelf, "old = book('old', options=ResourceOptions(id='old'))\npulumi.export('label', old.label)")
    assert shelf.driver.preview() == shelf.up() == {"create": 1, "read": 1}
    assert shelf.driver.outputs() == {"label": "hall: old"}
    [entry] = [item for item in entries(shelf) if item["type"] == "shelf:index:Book"]
    assert entry["external"] is True and entry["id"] == "old"
    shelf.driver.destroy()
    assert list(shelf.files()) == ["old"]
    say(shelf, "book('new', options=ResourceOptions(id='new'))")
    with pytest.raises(ConfigError, match="no shelf:index:Book with the id 'new'"):
        shelf.up()


def test_refresh_takes_over_what_a_plugin_reads(shelf):
    say(shelf, "book('a')\nbook('b')")
    shelf.up()
    found = held(shelf)["hall-a-"]
    (shelf.root / "world" / "hall-a-").write_text(json.dumps({**found, "pages": 5}))
    (shelf.root / "world" / "hall-b-").unlink()
    assert shelf.driver.refresh() == {"same": 1, "update": 1, "delete": 1}
    assert shelf.up() == {"same": 1, "update": 1, "create": 1}
    assert held(shelf)["hall-a-"]["pages"] == 100


def test_what_is_there_is_imported_where_the_program_says_what_it_is_like(shelf):
    (shelf.root / "world" / "old").write_text(json.dumps({"title": "old", "pages": 3, "label": "old", "number": 1}))
    say(shelf, IMPORT % ("old", 4, "old"))
    shelf.driver.preview(shelf.lines.append)
    if shelf.is_embedded:
        [warning] = [line for line in shelf.lines if line.startswith("warning: The inputs of a are not those")]
        assert warning.endswith(": pages.")
    with pytest.raises(TrivetError, match=r"(?i)inputs"):
        shelf.up()
    assert not [item for item in entries(shelf) if item["type"] == "shelf:index:Book"]

    say(shelf, IMPORT % ("old", 3, "none"))
    with pytest.raises(TrivetError, match="none"):
        shelf.up()

    say(shelf, IMPORT % ("old", 3, "old"))
    assert shelf.driver.preview().get("import") == shelf.up().get("import") == 1
    [entry] = [item for item in entries(shelf) if item["type"] == "shelf:index:Book"]
    assert (entry["id"], entry["importID"], entry["outputs"]["number"]) == ("old", "old", 1)
    assert shelf.up() == {"same": 2}
    say(shelf, IMPORT % ("old", 5, "old"))
    assert shelf.up() == {"same": 1, "update": 1}
    say(shelf, "")
    shelf.up()
    assert shelf.files() == {}


def test_an_import_in_the_place_of_another_object(shelf):
    (shelf.root / "world" / "old").write_text(json.dumps({"title": "a", "pages": 100, "label": "old", "number": 1}))
    say(shelf, "book('a')")
    shelf.up()
    say(shelf, IMPORT % ("a", 100, "old"))
    shelf.up()
    assert list(shelf.files()) == ["old"]
    assert shelf.up() == {"same": 2}


def test_outputs_of_another_stack_and_resources_of_this_one(shelf, tmp_path):
    other = make_world(tmp_path / "other", shelf.driver.engine.split()[0])
    (other.root / "Pulumi.yaml").write_text("name: elsewhere\nruntime: python\nmain: program/\n")
    other.driver = Driver(other.root, "dev", shelf.driver.home.with_name("other"), shelf.driver.engine.split()[0])
    (other.root / "Pulumi.dev.yaml").unlink()  # its passphrase was another
    say(other, "pulumi.export('open', 1)\npulumi.export('hidden', Output.secret('word'))")
    other.driver.set_config({"trivet:cloud": "local"})
    other.up()
    say(
        shelf,
        """
ref = pulumi.StackReference("organization/elsewhere/dev")
pulumi.export("open", ref.require_output("open"))
pulumi.export("hidden", ref.get_output("hidden"))
ref.get_output("hidden").apply(lambda word: pulumi.info(f"it is {word}"))
""",
    )
    shelf.driver.preview()
    shelf.up()
    assert shelf.driver.outputs() == {"open": 1, "hidden": "word"}
    assert "it is [secret]" in shelf.lines and "it is word" not in shelf.lines
    assert '"word"' not in shelf.state_file().path.read_text() or not shelf.is_embedded
    assert shelf.up().keys() <= {"same", "read"}
    say(other, "pulumi.export('open', 2)")
    other.up()
    shelf.up()
    assert shelf.driver.outputs() == {"open": 2}
    shelf.driver.refresh()
    shelf.driver.destroy()
    assert entries(shelf) == []


def test_the_same_urn_is_not_read_twice(shelf):
    (shelf.root / "world" / "old").write_text(json.dumps({"title": "old", "label": "hall: old", "number": 1}))
    say(shelf, "for _ in range(4):\n    book('old', options=ResourceOptions(id='old'))")
    with pytest.raises(Exception, match=r"(?i)urn"):
        shelf.up()
    entries(shelf)


def test_what_is_imported_is_not_undone(embedded_shelf):
    shelf = embedded_shelf
    say(shelf, "book('a', title='old')")
    with shelf.begin("up", "engine.creating.done") as process:
        process.wait()
    assert list(shelf.files()) == ["hall-old-"]
    say(shelf, IMPORT % ("old", 100, "hall-old-"))
    assert shelf.again().up() == {"same": 1, "import": 1}
    assert shelf.again().up() == {"same": 2}
    assert list(shelf.files()) == ["hall-old-"]

    say(shelf, "book('a', title='old', place='x', options=ResourceOptions(import_='hall-old-'))")
    assert shelf.again().up() == {"same": 1, "replace": 1}
    assert shelf.again().up() == {"same": 2}
    assert list(shelf.files()) == ["hall-old-x"]


def test_what_was_only_read_may_be_imported(shelf):
    (shelf.root / "world" / "old").write_text(json.dumps({"title": "old", "pages": 3, "label": "old", "number": 1}))
    say(shelf, "book('a', title='old', options=ResourceOptions(id='old'))")
    shelf.up()
    say(shelf, IMPORT % ("old", 3, "old"))
    assert shelf.up().get("import", 0) == 1
    assert list(shelf.files()) == ["old"]
    assert shelf.up() == {"same": 2}
    say(shelf, "")
    shelf.up()
    assert shelf.files() == {}


def test_an_import_ignores_what_it_is_told_to(shelf):
    (shelf.root / "world" / "old").write_text(json.dumps({"title": "old", "pages": 3, "label": "old", "number": 1}))
    say(shelf, "book('a', title='old', pages=9, options=ResourceOptions(import_='old', ignore_changes=['pages']))")
    shelf.up()
    [entry] = [item for item in entries(shelf) if item["type"] == "shelf:index:Book"]
    assert entry["inputs"]["pages"] == 3
    assert shelf.up() == {"same": 2}
