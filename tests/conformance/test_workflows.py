from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from trivet.core.capabilities import Capability
from trivet.core.errors import NotFound
from trivet.core.platform import Platform
from trivet.core.refs import RunRef, WorkflowRef
from trivet.core.specs import JobState, WorkflowSpec
from trivet.core.waiting import wait_for
from trivet.rehearsal.rigs import Rig

from .conftest import holds_or_is_refused

NewName = Callable[[], str]
claimed = holds_or_is_refused(Capability.WORKFLOWS)


def ended(platform: Platform, run: RunRef) -> JobState:
    def probe() -> JobState | None:
        states = {one.id: one.state for one in platform.workflows.state(WorkflowRef(run.workflow))}
        return None if states[run.id] is JobState.RUNNING else states[run.id]

    return wait_for(probe, f"The end of {run.id}", seconds=60, longest=0.1)


@pytest.mark.parametrize(("code", "expected"), [("pass", JobState.SUCCEEDED), ("1/0", JobState.FAILED)])
@claimed
def test_a_run_ends_as_its_command_does(platform: Platform, new_name: NewName, code: str, expected: JobState) -> None:
    ref = platform.workflows.apply(WorkflowSpec(name=new_name(), command=("python", "-c", code)))
    assert ended(platform, platform.workflows.run(ref)) is expected


@claimed
def test_run_does_not_wait_and_the_newest_run_comes_first(platform: Platform, new_name: NewName) -> None:
    ref = platform.workflows.apply(
        WorkflowSpec(name=new_name(), command=("python", "-c", "import time; time.sleep(600)"))
    )
    first, second = platform.workflows.run(ref), platform.workflows.run(ref)
    runs = platform.workflows.state(ref)
    assert [run.id for run in runs] == [second.id, first.id]
    assert {run.state for run in runs} == {JobState.RUNNING}
    platform.workflows.delete(ref)


@claimed
def test_apply_again_updates(platform: Platform, new_name: NewName) -> None:
    name = new_name()
    ref = platform.workflows.apply(WorkflowSpec(name=name, command=("python", "-c", "1/0")))
    assert platform.workflows.apply(WorkflowSpec(name=name, command=("python", "-c", "pass"))) == ref
    assert ended(platform, platform.workflows.run(ref)) is JobState.SUCCEEDED


@holds_or_is_refused(Capability.SCHEDULES)
def test_a_schedule_is_taken(platform: Platform, new_name: NewName) -> None:
    spec = WorkflowSpec(name=new_name(), command=("python", "-c", "pass"), every=timedelta(days=1))
    ref = platform.workflows.apply(spec)
    assert list(platform.workflows.state(ref)) == []


@claimed
def test_delete_removes_it_and_is_idempotent(rig: Rig, new_name: NewName) -> None:
    ref = rig.platform.workflows.apply(WorkflowSpec(name=new_name(), command=("python", "-c", "pass")))
    rig.platform.workflows.delete(ref)
    rig.platform.workflows.delete(ref)
    with pytest.raises(NotFound, match=ref.name):
        rig.reconnect().workflows.state(ref)


@pytest.mark.parametrize("verb", ["run", "state"])
@claimed
def test_an_unknown_workflow_is_not_found(platform: Platform, verb: str) -> None:
    with pytest.raises(NotFound, match="never-applied"):
        getattr(platform.workflows, verb)(WorkflowRef("never-applied"))
