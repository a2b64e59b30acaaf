"""Ends that nobody planned: kill -9, Ctrl-C, a plugin that dies, two at once. The next call finishes the work."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from trivet.core.errors import ExitCode, Locked, PlatformError
from trivet.infra.engine.state import verify

from .conftest import wait_for

A = {"name": "a", "props": {"content": "1"}}
B = {"name": "b", "props": {"content": "2"}, "takes": ["a"]}
C = {"name": "c", "props": {"content": "3"}, "takes": ["b"]}
SLOW = {"name": "slow", "props": {"content": "slow"}, "takes": ["a"]}


def die(world, fault: str) -> None:
    process = world.begin("up", fault)
    assert process.wait(60) == -signal.SIGKILL, process.stderr.read()
    process.stderr.close()


def sound(world) -> None:
    """The state is one that Pulumi takes, with nothing pending and nothing that is not there."""
    state = world.state_file().load(world.vault)
    verify(resource for _, resource in state.ordered())
    assert state.pending == {}
    ids = sorted(item.id for item in state.resources.values() if item.custom and not item.is_provider)
    assert ids == sorted(world.files())


@pytest.mark.parametrize("fault", ["engine.creating.begun:1", "engine.creating.done:2", "engine.saved"])
def test_kill_9_while_creating(embedded, fault):
    embedded.graph(A, B)
    die(embedded, fault)
    wait_for(lambda: not embedded.processes(), 2)

    embedded.again().up()

    assert embedded.files() == {"a.a": "1", "b.a": "2|world/a.a"}
    sound(embedded)
    assert embedded.again().preview() == {"same": 3}


@pytest.mark.parametrize("fault", ["engine.updating.done", "engine.deleting.begun:2"])
def test_kill_9_while_changing(embedded, fault):
    embedded.graph(A, B, C)
    embedded.up()
    embedded.graph({**A, "props": {"content": "one"}})
    die(embedded, fault)

    embedded.again().up()

    assert embedded.files() == {"a.a": "one"}
    sound(embedded)


@pytest.mark.parametrize("fault", ["engine.put:1", "engine.deleting.done:1"])
def test_kill_9_while_replacing(embedded, fault):
    embedded.graph(A, B)
    embedded.up()
    embedded.graph({**A, "props": {"content": "1", "kind": "b"}}, B)
    die(embedded, fault)

    embedded.again().up()

    assert embedded.files() == {"a.b": "1", "b.a": "2|world/a.b"}
    sound(embedded)


def test_kill_9_between_delete_and_create_of_a_replacement(embedded):
    first = {**A, "options": {"delete_before_replace": True}}
    embedded.graph(first, B)
    embedded.up()
    embedded.graph({**first, "props": {"content": "1", "kind": "b"}}, B)
    die(embedded, "engine.creating.begun")
    assert embedded.files() == {"b.a": "2|world/a.a"}

    assert embedded.again().up()["replace"] == 1

    assert embedded.files() == {"a.b": "1", "b.a": "2|world/a.b"}
    sound(embedded)


def test_kill_9_after_a_rename(embedded):
    embedded.graph(A, B)
    embedded.up()
    renamed = {"name": "z", "props": {"content": "1", "name": "a"}, "options": {"aliases": [{"name": "a"}]}}
    embedded.graph(renamed, {"name": "c", "props": {"content": "3"}, "takes": ["z"]})
    die(embedded, "engine.creating.done")

    embedded.again().up()

    assert embedded.files() == {"a.a": "1", "c.a": "3|world/a.a"}
    sound(embedded)


def test_an_update_that_was_cut_off_is_undone_when_the_program_goes_back(embedded):
    embedded.graph(A)
    embedded.up()
    embedded.graph({**A, "props": {"content": "one"}})
    die(embedded, "engine.updating.done")
    assert embedded.files() == {"a.a": "one"}
    embedded.graph(A)

    assert embedded.again().up() == {"same": 1, "update": 1}

    assert embedded.files() == {"a.a": "1"}
    sound(embedded)


def test_a_first_create_that_was_cut_off_and_is_not_wanted_any_more_is_undone(embedded):
    embedded.graph(A)
    die(embedded, "engine.creating.done")
    embedded.graph({"name": "c"})

    embedded.again().up()

    assert embedded.files() == {"c.a": ""}
    sound(embedded)


def test_a_replacement_over_the_very_object_that_was_cut_off_and_is_not_wanted_any_more(embedded):
    embedded.graph(A)
    embedded.up()
    # Bound to another file it is another one, but of the same name: it is written over the one that is there.
    embedded.graph({"name": "c", "props": {"content": "3"}}, {**A, "props": {"content": "2"}, "bound": ["c"]})
    die(embedded, "engine.creating.done:2")
    assert embedded.files()["a.a"] == "2"
    embedded.graph(A)
    embedded.up()
    assert embedded.files() == {"a.a": "1"}
    sound(embedded)
    assert embedded.up() == {"same": 2}


def test_what_was_created_and_never_recorded_is_deleted_by_destroy(embedded):
    embedded.graph(A, B)
    die(embedded, "engine.creating.done:2")
    assert set(embedded.files()) == {"a.a", "b.a"}

    assert [item["type"] for item in embedded.driver.export()["deployment"]["pending_operations"]] == ["creating"]
    embedded.again().destroy()

    assert embedded.files() == {}
    sound(embedded)


def test_ctrl_c_ends_what_is_in_progress_and_begins_nothing_new(embedded):
    embedded.graph(A, SLOW, {"name": "after", "takes": ["slow"]})
    process = embedded.begin("up")
    wait_for(lambda: embedded.is_asked("create slow.a"))

    with pytest.raises(Locked, match=str(process.pid)) as locked:
        embedded.again().up()
    assert locked.value.exit_code == ExitCode.LOCKED
    process.send_signal(signal.SIGINT)

    assert process.wait(30) == -signal.SIGINT, process.stderr.read()
    process.stderr.close()
    assert set(embedded.files()) == {"a.a", "slow.a"}
    assert embedded.processes() == []
    sound(embedded)
    assert embedded.again().up()["create"] == 1


def test_a_plugin_that_dies_is_named_and_its_create_not_forgotten(embedded):
    embedded.graph(A, SLOW)
    process = embedded.begin("up")
    wait_for(lambda: embedded.is_asked("create slow.a"))
    plugin = next(child for child in embedded.processes() if "pulumi.dynamic" in child.info["cmdline"])
    os.kill(plugin.pid, signal.SIGKILL)

    assert process.wait(30) == 1
    assert (
        "Creating slow was cut off. The provider plugin 'pulumi-python' ended by signal SIGKILL"
        in process.stderr.read()
    )
    process.stderr.close()
    assert [item.resource.name for item in embedded.state_file().load(embedded.vault).pending.values()] == ["slow"]
    embedded.again()._open().refresh(clear_pending_creates=True)
    assert embedded.state_file().load(embedded.vault).pending == {}
    assert embedded.again().up() == {"same": 2, "create": 1}
    sound(embedded)


def test_a_program_that_ends_its_own_process(embedded):
    (embedded.root / "program" / "__main__.py").write_text("import os\nprint('last words', flush=True)\nos._exit(3)")

    before = living_children()
    with pytest.raises(PlatformError, match="exit code 3: last words"):
        embedded.up()
    assert living_children() <= before


def living_children() -> set[int]:
    """Processes that this one has started and that run; fixtures of other tests may have some."""
    running = psutil.process_iter(["ppid", "status"])
    return {
        one.pid for one in running if one.info["ppid"] == os.getpid() and one.info["status"] != psutil.STATUS_ZOMBIE
    }
