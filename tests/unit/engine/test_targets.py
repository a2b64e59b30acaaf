"""Operations on some of the resources only."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pulumi import automation as auto

from trivet.core.errors import ConfigError, PlatformError, UsageError
from trivet.infra.driver import Options

from .conftest import World, entries, held, say

A = {"name": "a", "props": {"content": "1"}}
B = {"name": "b", "props": {"content": "2"}, "takes": ["a"]}
C = {"name": "c", "props": {"content": "3"}}


def changed(item: dict[str, Any], **props: str) -> dict[str, Any]:
    return {**item, "props": {**item["props"], **props}}


@pytest.fixture
def stack(world: World) -> auto.Stack:
    return world.driver._open()


def urn(name: str) -> str:
    return f"urn:pulumi:dev::trial::pulumi-python:dynamic/test:File::{name}"


def counts(result: Any) -> dict[str, int]:
    found = result.change_summary if hasattr(result, "change_summary") else result.summary.resource_changes
    return {str(getattr(op, "value", op)): count for op, count in found.items() if count}


def test_an_update_of_some(world: World, stack: auto.Stack) -> None:
    world.graph(A, B, C)
    world.up()
    world.asked()
    world.graph(changed(A, content="one"), changed(B, content="two"), changed(C, content="three"))

    assert counts(stack.preview(target=[urn("a")])) == counts(stack.up(target=[urn("a")])) == {"same": 3, "update": 1}
    assert world.asked() == ["update a.a"]
    assert world.files() == {"a.a": "one", "b.a": "2|world/a.a", "c.a": "3"}

    wanted = {"target": [urn("a")], "target_dependents": True}
    assert counts(stack.preview(**wanted)) == counts(stack.up(**wanted)) == {"same": 3, "update": 1}
    assert world.asked() == ["update b.a"]
    assert world.up() == {"same": 3, "update": 1}


def test_what_is_no_target_is_not_made(world: World, stack: auto.Stack) -> None:
    world.graph(A, B, C)
    with pytest.raises(auto.CommandError, match="depends on"):
        stack.up(target=[urn("b")])
    assert world.files() == {}
    stack.up(target=[urn("c")])
    assert world.files() == {"c.a": "3"}
    assert [item["urn"] for item in world.resources()] == [urn("c")]
    assert world.up() == {"create": 2, "same": 2}


def test_a_destruction_of_some(world: World, stack: auto.Stack) -> None:
    world.graph(A, B, C)
    world.up()
    with pytest.raises(auto.CommandError, match="depend"):
        stack.destroy(target=[urn("a")])
    assert sorted(world.files()) == ["a.a", "b.a", "c.a"]
    assert counts(stack.destroy(target=[urn("a")], target_dependents=True)) == {"delete": 2}
    assert sorted(world.files()) == ["c.a"]
    assert world.up() == {"create": 2, "same": 2}


def test_a_removal_waits_until_it_is_a_target(world: World, stack: auto.Stack) -> None:
    world.graph(A, C)
    world.up()
    world.graph(changed(A, content="one"))
    stack.up(target=[urn("a")])
    assert world.files() == {"a.a": "one", "c.a": "3"}
    stack.up(target=[urn("c")])
    assert world.files() == {"a.a": "one"}
    assert world.up() == {"same": 2}


def test_a_refresh_of_some(world: World, stack: auto.Stack) -> None:
    world.graph(A, C)
    world.up()
    for name in ("a.a", "c.a"):
        (world.root / "world" / name).write_text("drifted")
    assert counts(stack.refresh(target=[urn("a")])) == {"same": 1, "update": 1}
    contents = {item["urn"][-1]: item["outputs"]["content"] for item in world.resources()}
    assert contents == {"a": "drifted", "c": "3"}


def test_a_replacement_that_is_asked_for(world: World, stack: auto.Stack) -> None:
    world.graph(A, C)
    world.up()
    world.asked()
    assert (
        counts(stack.preview(replace=[urn("a")])) == counts(stack.up(replace=[urn("a")])) == {"same": 2, "replace": 1}
    )
    assert world.asked()[0] == "create a.a"
    assert world.up() == {"same": 3}


@pytest.mark.parametrize("verb", ["up", "refresh", "destroy"])
def test_a_target_that_is_not_there(world: World, stack: auto.Stack, verb: str) -> None:
    world.graph(A)
    world.up()
    with pytest.raises(auto.CommandError, match=re.compile("no resource|not be found|No resource", re.IGNORECASE)):
        getattr(stack, verb)(target=[urn("z")])
    assert world.files() == {"a.a": "1"}


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


def test_what_could_not_follow_is_replaced_by_the_next_run(shelf):
    text = "one = book('one', place='%s')\nbook('two', title='%s', options=ResourceOptions(replace_with=[one]))"
    say(shelf, text % ("x", "two"))
    shelf.up()
    say(shelf, text % ("y", "outage"))
    with pytest.raises(PlatformError):
        shelf.up()
    say(shelf, text % ("y", "two"))
    assert shelf.up()["replace"] == 1
    assert shelf.up() == {"same": 3}


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


def test_an_excluded_object_that_has_another_name_now_stays(embedded_shelf):
    world = embedded_shelf
    say(world, "book('old', title='t')\nbook('x')")
    world.up()
    say(world, "book('new', title='t', options=ResourceOptions(aliases=[pulumi.Alias(name='old')]))\nbook('x')")
    with world.driver._errors():
        world.driver._open().up(exclude=[urn_of(world, "old").replace("::old", "::new")])
    assert sorted(held(world)) == ["hall-t-", "hall-x-"]


def test_what_has_to_go_before_a_target_comes_back_and_what_is_excluded_does_not_go(embedded_shelf):
    world = embedded_shelf
    text = """
one = book("one", place="%s", options=ResourceOptions(delete_before_replace=True))
book("two", place=one.label)
"""
    say(world, text % "x")
    world.up()
    say(world, text % "y")
    refused = pytest.raises(ConfigError, match="two would have to be replaced with one, but is excluded")
    with refused, world.driver._errors():
        world.driver._open().up(exclude=[urn_of(world, "two")])
    assert len(held(world)) == 2
    with world.driver._errors():
        world.driver._open().up(target=[urn_of(world, "one")])
    assert sorted(held(world)) == ["hall-one-y", "hall-two-hall: one"]


def test_a_provider_that_still_serves_something_is_kept(embedded_shelf):
    world = embedded_shelf
    text = "p = ProviderResource('shelf', 'p', {'room': '%s'})\nbook('a', options=ResourceOptions(provider=p))"
    say(world, text % "attic")
    world.up()
    say(world, text % "loft")
    with world.driver._errors():
        world.driver._open().up(target=[urn_of(world, "p")])
    references = {f"{one['urn']}::{one['id']}" for one in entries(world) if one["type"].startswith("pulumi:providers:")}
    assert {one["provider"] for one in entries(world) if one.get("provider")} <= references
    assert world.up()["replace"] == 1 and list(held(world)) == ["loft-a-"]


@pytest.mark.parametrize(
    "options",
    [
        {"target": ["a"], "exclude_protected": True},
        {"target": ["a"], "exclude_dependents": True},
        {"target_dependents": True},
    ],
)
def test_options_that_do_not_go_together(embedded_shelf, options):
    say(embedded_shelf, "book('a')\nbook('b')")
    embedded_shelf.up()
    flags = [flag for name, value in options.items() for flag in _flags(embedded_shelf, name, value)]
    with pytest.raises(UsageError, match="--target"), embedded_shelf.driver._errors():
        embedded_shelf.driver._open()._run_pulumi_cmd_sync(["destroy", "--yes", "--skip-preview", *flags])
    assert len(held(embedded_shelf)) == 2


def _flags(world, name, value):
    flag = f"--{name.replace('_', '-')}"
    return [flag] if value is True else [item for one in value for item in (flag, urn_of(world, one))]


def test_a_new_target_after_a_look_outside(embedded_shelf):
    world = embedded_shelf
    say(world, "book('a')")
    world.up()
    say(world, "book('a')\nbook('b')")
    with world.driver._errors():
        world.driver._open().up(target=[urn_of(world, "a").replace("::a", "::b")], refresh=True)
    assert len(held(world)) == 2


def urn_of(world, name: str) -> str:
    return next(one["urn"] for one in entries(world) if one["urn"].endswith(f"::{name}"))
