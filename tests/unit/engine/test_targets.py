"""Operations on some of the resources only."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pulumi import automation as auto

from .conftest import World

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
