"""Random graphs, random edits, and kill -9 of the whole engine in the midst of them, with the SDK and real processes.

The oracle is the folder in which the provider keeps its objects. ``test_steps`` tries many more cases, without
processes and with death played; here it is a signal, while the program and the plugin are at work in parallel.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import Phase, event, given, settings
from hypothesis import strategies as st

from trivet.infra.engine.state import verify

from .conftest import World, make_world

MOMENTS = st.one_of(
    st.tuples(st.just("engine.put"), st.integers(3, 8)),  # the first two are the stack's and the provider's entries
    st.tuples(st.sampled_from(["engine.creating.begun", "engine.creating.done"]), st.integers(1, 3)),
    st.tuples(st.sampled_from(["engine.updating.done", "engine.deleting.begun", "engine.deleting.done"]), st.just(1)),
    st.just(("engine.saved", 1)),
)
"""A point at which a process may die, and at which passing of it."""


@st.composite
def graphs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """What ``World.graph`` takes: up to five resources, each of which may need earlier ones in any way."""
    names = draw(st.lists(st.sampled_from("abcde"), unique=True, min_size=2, max_size=5))
    items = []
    for place, name in enumerate(names):
        earlier = st.lists(st.sampled_from(names[:place]), unique=True, max_size=2) if place else st.just([])
        props = {"content": draw(st.sampled_from("12")), "kind": draw(st.sampled_from("xy"))}
        needs = {how: draw(earlier) for how in ("takes", "bound", "after")}
        items.append({"name": name, "props": props, **needs, "options": {"delete_before_replace": draw(st.booleans())}})
    return items


def expected(graph: list[dict[str, Any]]) -> dict[str, str]:
    """What the folder should hold."""
    ids = {item["name"]: f"{item['name']}.{item['props']['kind']}" for item in graph}
    return {
        ids[item["name"]]: "|".join(
            [item["props"]["content"], *(f"world/{ids[name]}" for name in sorted(item["takes"]))]
        )
        for item in graph
    }


def kill(world: World, moment: tuple[str, int]) -> None:
    """Up, until the engine is killed or, where there is no such moment, to the end; nothing of it runs on."""
    process = world.begin("up", ":".join(map(str, moment)))
    _, told = process.communicate(timeout=120)
    assert process.returncode in (0, -signal.SIGKILL), told
    event("killed" if process.returncode else "ended by itself")
    deadline = time.monotonic() + 10
    while world.processes():
        assert time.monotonic() < deadline, "processes outlive the engine"
        time.sleep(0.02)


def sound(world: World) -> None:
    """What is recorded is what the folder holds, and nothing waits."""
    state = world.state_file().load(world.vault)
    verify(resource for _, resource in state.ordered())
    assert state.pending == {}
    ids = [item.id for item in state.resources.values() if item.custom and not item.is_provider]
    assert sorted(ids) == sorted(world.files())


@pytest.mark.slow
@settings(deadline=None, max_examples=6, phases=[Phase.generate])  # to shrink a failure would take minutes
@given(st.lists(st.tuples(graphs(), MOMENTS), min_size=1, max_size=2), graphs())
def test_after_kill_9_at_any_point_the_next_up_makes_what_the_program_says(edits, last):
    with TemporaryDirectory() as folder:
        world = make_world(Path(folder).resolve())
        for graph, moment in edits:
            world.graph(*graph)
            kill(world, moment)
        world.graph(*last)
        there = world.files()
        world.again().preview()
        assert world.files() == there

        world.again().up()

        assert world.files() == expected(last)
        sound(world)
        assert world.again().up() == {"same": len(last) + 1}
