"""Jobs as processes of this machine."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from trivet.core.platform import Jobs
from trivet.core.refs import JobRef
from trivet.core.specs import JobSpec, JobState
from trivet.platforms.jobplaces import REPRODUCIBLE, check_places
from trivet.platforms.local import tasks
from trivet.platforms.local.tasks import Files, Task
from trivet.platforms.local.workflows import RUNS

JOBS, WORKFLOWS = "jobs", "workflows"  # folders in the folder that the outputs call ``workflows``


class LocalJobs(Jobs):
    """One folder and one detached runner per job."""

    def __init__(self, folder: Path, store_url: str, check: Callable[[JobSpec], None]) -> None:
        self._folder = folder
        self._store_url = store_url
        self._check = check

    def submit(self, spec: JobSpec) -> JobRef:
        self._check(spec)
        check_places(spec)
        tasks.start(self._folder / spec.name, self._task(spec))
        return JobRef(spec.name)

    def state(self, ref: JobRef) -> JobState:
        return tasks.current(tasks.state(self._folder / ref.id))

    def logs(self, ref: JobRef) -> Iterator[str]:
        return tasks.lines(self._folder / ref.id)

    def cancel(self, ref: JobRef) -> None:
        tasks.cancel(self._folder / ref.id)

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
