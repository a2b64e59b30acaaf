"""Workflows as detached commands in the project's folder."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from trivet.core.errors import NotFound
from trivet.core.files import private_folder, write_atomic
from trivet.core.platform import Workflows
from trivet.core.refs import RunRef, WorkflowRef
from trivet.core.specs import RunState, WorkflowSpec
from trivet.platforms.local import tasks
from trivet.platforms.local.tasks import Task

SPEC, RUNS = "workflow.json", "runs"


class LocalWorkflows(Workflows):
    """One folder per workflow and one in it per run.

    Nothing here wakes up by itself: ``trivet run --if-needed``, called by cron or a CI schedule, asks ``due``.
    """

    def __init__(self, folder: Path, root: Path, check: Callable[[WorkflowSpec], None]) -> None:
        self._folder = folder
        self._root = root
        self._check = check

    def apply(self, spec: WorkflowSpec) -> WorkflowRef:
        self._check(spec)
        write_atomic(private_folder(self._folder / spec.name) / SPEC, spec.canonical())
        return WorkflowRef(spec.name)

    def run(self, ref: WorkflowRef) -> RunRef:
        spec = self._spec(ref)
        attempt = f"{datetime.now(UTC):%Y%m%dt%H%M%S%f}-{uuid.uuid4().hex[:6]}"
        settings = {name: value for name, value in os.environ.items() if name in ("TRIVET_HOME", "TRIVET_OUTPUTS")}
        task = Task(
            attempt=attempt,
            command=spec.command,
            directory=str(self._root),
            environment=tasks.clean_environment() | settings,
        )
        tasks.start(self._runs(ref) / attempt, task)
        return RunRef(ref.name, attempt)

    def state(self, ref: WorkflowRef) -> Sequence[RunState]:
        self._spec(ref)
        started = [found for run in self._runs(ref).glob("*") if (found := tasks.recorded(run))]
        runs = [RunState(id=one.attempt, state=tasks.current(one), started=one.started) for one in started]
        return sorted(runs, key=lambda run: run.started, reverse=True)

    def delete(self, ref: WorkflowRef) -> None:
        for run in self._runs(ref).glob("*"):
            tasks.remove(run)
        tasks.remove(self._folder / ref.name)

    def due(self, ref: WorkflowRef, now: datetime) -> bool:
        """Whether the workflow's period has passed since its last run began; never without a schedule.

        :raises NotFound: for an unknown workflow.
        """
        every, runs = self._spec(ref).every, self.state(ref)
        return every is not None and (not runs or now - runs[0].started >= every)

    def _spec(self, ref: WorkflowRef) -> WorkflowSpec:
        path = self._folder / ref.name / SPEC
        if not path.exists():
            raise NotFound(f"There is no workflow {ref.name!r}.", "Apply it first.")
        return WorkflowSpec.read(path)

    def _runs(self, ref: WorkflowRef) -> Path:
        return self._folder / ref.name / RUNS
