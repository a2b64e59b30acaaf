"""Provider plugins as executables on PATH: default and explicit providers, their config, functions and options."""

from __future__ import annotations

import pytest

from trivet.core.errors import ConfigError, PlatformError, TrivetError, Unsupported
from trivet.infra.engine import children

from .conftest import entries, held, say


def test_a_default_provider_serves_what_names_none_and_takes_the_stack_s_config(shelf):
    shelf.driver.set_config({"shelf:room": "attic"})
    say(shelf, "pulumi.export('label', book('a', pages=3).label)\npulumi.export('found', count())")

    assert shelf.driver.preview() == {"create": 2}
    assert shelf.files() == {}
    assert shelf.up() == {"create": 2}
    assert held(shelf) == {"attic-a-": {"title": "a", "pages": 3, "label": "attic: a", "number": 7}}
    assert shelf.driver.outputs() == {"label": "attic: a", "found": {"count": 0, "room": "attic"}}
    [provider] = [item for item in entries(shelf) if item["type"] == "pulumi:providers:shelf"]
    assert provider["urn"].endswith("::default_1_2_0")
    assert provider["inputs"] == {"room": "attic", "version": "1.2.0"}
    assert "greeted True" in shelf.asked()
    assert shelf.up() == {"same": 2}
    assert shelf.asked() == ["greeted True"]

    assert shelf.driver.destroy() == {"delete": 2}
    assert shelf.files() == {} and entries(shelf) == []


def test_what_a_plugin_foresees_is_known_in_a_preview(shelf):
    say(shelf, "one = book('a')\none.label.apply(lambda label: open('seen', 'w').write(label))")
    shelf.driver.preview()
    assert (shelf.root / "program" / "seen").read_text() == "hall: a"


def test_a_secret_of_the_config_reaches_the_plugin_and_stays_sealed(shelf):
    shelf.driver.set_config({"trivet:cloud": "local"}, {"shelf:room": "priest-hole"})
    say(shelf, "book('a')")
    shelf.up()
    assert list(shelf.files()) == ["priest-hole-a-"]
    [provider] = [item for item in entries(shelf) if item["type"] == "pulumi:providers:shelf"]
    assert provider["inputs"]["room"]["plaintext"] == provider["outputs"]["room"]["plaintext"] == '"priest-hole"'
    if shelf.is_embedded:
        assert '"priest-hole"' not in shelf.state_file().path.read_text()


def test_providers_that_the_program_makes(shelf):
    text = """
north = ProviderResource("shelf", "north", {"room": %r})
book("a", options=ResourceOptions(provider=north))
book("b")
"""
    say(shelf, text % "north")
    assert shelf.driver.preview() == shelf.up() == {"create": 4}
    assert list(shelf.files()) == ["hall-b-", "north-a-"]
    shelf.asked()

    say(shelf, text % "south")
    assert shelf.driver.preview() == shelf.up() == {"same": 2, "replace": 2}
    assert [what for what in shelf.asked() if "greeted" not in what] == ["create a timeout=0", "delete north-a-"]
    assert list(shelf.files()) == ["hall-b-", "south-a-"]
    assert shelf.up() == {"same": 4}

    say(shelf, "book('b')")
    assert shelf.driver.preview() == shelf.up() == {"same": 2, "delete": 2}
    assert list(shelf.files()) == ["hall-b-"]


def test_config_and_inputs_and_arguments_that_a_plugin_refuses(shelf):
    say(shelf, "ProviderResource('shelf', 'low', {'room': 'cellar'})")
    with pytest.raises(ConfigError, match="room: is under water"):
        shelf.up()
    say(shelf, "CustomResource('shelf:index:Book', 'a', {'pages': 1}, ResourceOptions(version='1.2.0'))")
    with pytest.raises(ConfigError, match="title: a book has one"):
        shelf.driver.preview()
    say(shelf, "count('nothing')")
    with pytest.raises(ConfigError, match="of: there is no such thing"):
        shelf.up()
    assert shelf.files() == {}


def test_a_preview_with_a_provider_whose_config_comes_with_the_apply(shelf):
    say(
        shelf,
        """
first = book("a")
other = ProviderResource("shelf", "other", {"room": first.number.apply(lambda number: f"room-{number:g}")})
book("b", options=ResourceOptions(provider=other))
""",
    )
    assert shelf.driver.preview() == shelf.up() == {"create": 4}
    assert list(shelf.files()) == ["hall-a-", "room-7-b-"]
    assert shelf.up() == {"same": 4}


def test_changes_at_nested_paths_are_ignored(shelf):
    text = """
ignoring = ResourceOptions(ignore_changes=["tags.kept", "rules[*].n"])
book("a", tags={"kept": %d, "taken": %d}, rules=[{"n": %d}, {"n": %d}], options=ignoring)
"""
    say(shelf, text % (1, 1, 1, 1))
    shelf.up()
    say(shelf, text % (2, 1, 2, 2))
    assert shelf.driver.preview() == shelf.up() == {"same": 2}
    say(shelf, text % (2, 2, 2, 2))
    shelf.preview(shelf.lines.append)
    assert any("tags" in line for line in shelf.lines)
    assert shelf.driver.preview() == shelf.up() == {"same": 1, "update": 1}
    assert held(shelf)["hall-a-"]["tags"] == {"kept": 1, "taken": 2}
    assert held(shelf)["hall-a-"]["rules"] == [{"n": 1}, {"n": 1}]


def test_what_would_be_an_update_is_a_replacement_where_the_program_says_so(shelf):
    text = """
replacing = ResourceOptions(replace_on_changes=["tags.age", "title"])
book("a", title=%r, tags={"age": %d, "name": %d}, options=replacing)
"""
    say(shelf, text % ("one", 1, 1))
    shelf.up()
    say(shelf, text % ("one", 1, 2))
    assert shelf.driver.preview() == shelf.up() == {"same": 1, "update": 1}
    say(shelf, text % ("two", 1, 2))
    assert shelf.driver.preview() == shelf.up() == {"same": 1, "replace": 1}
    assert list(shelf.files()) == ["hall-two-"]


def test_timeouts_reach_the_plugin(shelf):
    say(shelf, "book('a', options=ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create='1m30s')))")
    shelf.up()
    assert "create a timeout=90" in shelf.asked()
    say(shelf, "book('a', options=ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create='soon')))")
    with pytest.raises(ConfigError, match="'soon' is no duration"):
        shelf.up()


def test_what_goes_with_another_is_not_deleted_by_itself(shelf):
    say(shelf, "room = book('room')\nbook('a', options=ResourceOptions(deleted_with=room))")
    shelf.up()
    shelf.asked()
    say(shelf, "")
    assert shelf.up() == {"same": 1, "delete": 2}
    assert [what for what in shelf.asked() if "greeted" not in what] == ["delete hall-room-"]
    assert list(shelf.files()) == ["hall-a-"]


def test_plugins_that_are_not_there_or_do_not_begin(world, shelf, monkeypatch):
    say(shelf, "CustomResource('table:index:Leg', 'a', {}, None)")
    if shelf.is_embedded:
        with pytest.raises(Unsupported, match="no pulumi-resource-table is on PATH"):
            shelf.up()
    say(shelf, "book('a')")
    monkeypatch.setenv("SHELF", "broken")
    with pytest.raises(PlatformError, match="'shelf' ended with exit code 1: no wood"):
        shelf.again().up()
    if shelf.is_embedded:
        monkeypatch.setenv("SHELF", "mute")
        with monkeypatch.context() as hurried, pytest.raises(PlatformError, match="did not print its port within"):
            hurried.setattr(children, "PORT_S", 0.5)
            shelf.again().up()
    monkeypatch.delenv("SHELF")
    assert shelf.again().up() == {"create": 1, "same": 1}
    assert shelf.processes() == []


def test_another_version_than_the_program_asks_for_is_said(shelf):
    say(shelf, "book('a', version='1.3.0')")
    shelf.up()
    if shelf.is_embedded:
        assert "warning: The program asks for version 1.3.0 of the plugin 'shelf'; 1.2.0 is on PATH." in shelf.lines


NORTH = "north = ProviderResource('shelf', %s, ResourceOptions(%s))\nbook('a', options=ResourceOptions(provider=north))"


def test_a_provider_may_be_renamed(shelf):
    say(shelf, NORTH % ("'north', {'room': 'north'}", ""))
    shelf.up()
    say(shelf, NORTH % ("'nord', {'room': 'north'}", "aliases=[pulumi.Alias(name='north')]"))
    assert shelf.driver.preview() == shelf.up() == {"same": 3}
    assert shelf.driver.refresh() == {"same": 3}
    assert shelf.driver.destroy() == {"delete": 3}
    assert shelf.files() == {}


def test_a_protected_provider_is_not_replaced_until_it_may(shelf):
    say(shelf, NORTH % ("'north', {'room': 'north'}", "protect=True"))
    shelf.up()
    say(shelf, NORTH % ("'north', {'room': 'south'}", "protect=True"))
    with pytest.raises(ConfigError, match="protected"):
        shelf.up()
    assert list(shelf.files()) == ["north-a-"]
    say(shelf, NORTH % ("'north', {'room': 'north'}", ""))
    shelf.up()
    say(shelf, NORTH % ("'north', {'room': 'south'}", ""))
    assert shelf.up() == {"same": 1, "replace": 2}
    assert list(shelf.files()) == ["south-a-"]


def test_a_create_that_was_cut_off_is_undone_under_its_own_provider(embedded_shelf):
    shelf = embedded_shelf
    say(shelf, NORTH % ("'north', {'room': 'north'}", ""))
    with shelf.begin("up", "engine.creating.done") as process:
        process.wait()
    assert list(shelf.files()) == ["north-a-"]
    say(shelf, NORTH % ("'north', {'room': 'south'}", ""))
    shelf.again().up()
    assert list(shelf.files()) == ["south-a-"]
    shelf.again().destroy()
    assert shelf.files() == {}


def test_what_a_preview_cannot_know_yet_is_not_asked(shelf):
    say(
        shelf,
        """
first = book("a")
other = ProviderResource("shelf", "other", {"room": first.number.apply(lambda number: f"room-{number:g}")})
pulumi.runtime.invoke("shelf:index:count", {"of": "x"}, pulumi.InvokeOptions(provider=other))
book("again", options=ResourceOptions(id=first.number.apply(lambda number: "hall-a-")))
""",
    )
    assert shelf.driver.preview() == shelf.up() == {"create": 3, "read": 1}


def test_a_secret_of_several_lines_is_not_told(shelf):
    shelf.driver.set_config({"trivet:cloud": "local"}, {"word": "priest-hole\nsecond-line"})
    say(shelf, "pulumi.info(pulumi.Config().require('word'))\nprint(pulumi.Config().require('word'))")
    shelf.up()
    assert any("[secret]" in line for line in shelf.lines)
    assert not any("priest" in line or "second-line" in line for line in shelf.lines)


def test_what_a_plugin_says_of_an_outage_is_told(shelf):
    say(shelf, "book('outage')")
    with pytest.raises(PlatformError, match="the cloud is down for maintenance"):
        shelf.up()
    say(shelf, "book('a')")
    assert shelf.up()["create"] == 1


def test_the_version_of_a_provider_that_the_program_makes(shelf):
    say(shelf, NORTH % ("'north', {'room': 'north'}", "version='9.9.9'"))
    shelf.up()
    [entry] = [item for item in entries(shelf) if item["type"] == "pulumi:providers:shelf"]
    assert entry["inputs"] == {"room": "north", "version": "9.9.9"}


def test_what_is_around_an_ignored_path_has_to_stay(shelf):
    ignoring = "options=ResourceOptions(ignore_changes=['tags.k'])"
    say(shelf, f"book('a', tags={{'k': 1}}, {ignoring})")
    shelf.up()
    say(shelf, f"book('a', {ignoring})")
    with pytest.raises(TrivetError, match=r"(?i)ignore"):
        shelf.up()
    assert held(shelf)["hall-a-"]["tags"] == {"k": 1}
