"""Jobs as processes of this machine."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from trivet.core.errors import ConfigError
from trivet.core.platform import Jobs, Store
from trivet.core.refs import JobRef
from trivet.core.specs import JobSpec, JobState, ScoringSpec
from trivet.platforms.jobplaces import REPRODUCIBLE, check_places
from trivet.platforms.local import tasks
from trivet.platforms.local.tasks import Files, Task
from trivet.platforms.local.workflows import RUNS
from trivet.platforms.scoring import TASK, check_scoring, scoring_task

JOBS, WORKFLOWS = "jobs", "workflows"  # folders in the folder that the outputs call ``workflows``
SCORER = ("python", "-P", "-m", "trivet.serving.batch")


class LocalJobs(Jobs):
    """One folder and one detached runner per job."""

    def __init__(
        self,
        folder: Path,
        store: Store,
        store_url: str,
        public_key: str,
        check: Callable[[JobSpec | ScoringSpec], None],
    ) -> None:
        """:param public_key: of the stack: what scores is signed by its owner."""
        self._folder = folder
        self._store = store
        self._store_url = store_url
        self._public_key = public_key
        self._check = check

    def submit(self, spec: JobSpec) -> JobRef:
        self._check(spec)
        check_places(spec)
        return self._start(spec.name, self._task(spec))

    def score(self, spec: ScoringSpec) -> JobRef:
        self._check(spec)
        check_scoring(spec, self._store)
        return self._start(spec.name, self._scoring(spec))

    def state(self, ref: JobRef) -> JobState:
        return tasks.current(tasks.state(self._folder / ref.id))

    def logs(self, ref: JobRef) -> Iterator[str]:
        return tasks.lines(self._folder / ref.id)

    def cancel(self, ref: JobRef) -> None:
        tasks.cancel(self._folder / ref.id)

    def _start(self, name: str, task: Task) -> JobRef:
        there = tasks.wanted(self._folder / name)
        if there is not None and (TASK in there.environment) != (TASK in task.environment):
            raise ConfigError(f"{name} is the name of a job of another kind.", "Choose another name.")
        tasks.start(self._folder / name, task)
        return JobRef(name)

    def _scoring(self, spec: ScoringSpec) -> Task:
        """A command in the job's own folder, where its checkpoint stays from one attempt to the next."""
        what = scoring_task(spec, self._store_url, self._public_key)
        return Task(
            attempt=uuid.uuid4().hex,
            command=SCORER,
            directory=".",
            environment={**tasks.clean_environment(), **REPRODUCIBLE, TASK: what.canonical().decode()},
            timeout=spec.timeout,
            nice=spec.native.local.nice,
        )

    def _task(self, spec: JobSpec) -> Task:
        return Task(
            attempt=uuid.uuid4().hex,
            command=spec.command,
            directory="",
            environment={**tasks.clean_environment(), **REPRODUCIBLE, **spec.environment},
            timeout=spec.timeout,
            nice=spec.native.local.nice,
            files=Files(store=self._store_url, source=spec.source, inputs=spec.inputs, output=spec.output),
        )


def stop(folder: Path) -> None:
    """End every job and workflow run of a stack and wait for it; ``folder`` is what its outputs call ``workflows``."""
    for pattern in (f"{JOBS}/*", f"{WORKFLOWS}/*/{RUNS}/*"):
        for task in folder.glob(pattern):
            if tasks.recorded(task):
                tasks.cancel(task)
