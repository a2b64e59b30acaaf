"""A command that runs detached in a folder of its own: what jobs and workflow runs are made of.

The folder holds ``task.json`` (what is wanted), ``state.json`` (what became of it), ``log.txt`` and the lock that the
runner holds while it lives.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from pydantic import AwareDatetime

from trivet.core.document import Document
from trivet.core.errors import NotFound, NotReady, PlatformError
from trivet.core.faults import point
from trivet.core.files import private_folder, write_atomic
from trivet.core.locks import lock
from trivet.core.specs import JobState
from trivet.platforms.local.processes import ProcessId, alive, end, end_marked, launch, wait

TASK, STATE, LOG, LOCK, STORED = "task.json", "state.json", "log.txt", "runner.lock", "stored.json"
GRACE = 10.0  # seconds that a cancelled command has to tidy up
MARK = "TRIVET_TASK"  # in the environment of everything that a task starts

_PASSED_ON = {
    *("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
}


class Files(Document):
    """What a job takes from the store and leaves in it."""

    store: str
    source: str
    inputs: dict[str, str]
    output: str


class Task(Document):
    """What is to be run. ``directory`` is absolute or of the task's folder; where there are ``files``, the source."""

    attempt: str
    command: tuple[str, ...]
    directory: str
    environment: dict[str, str]
    timeout: timedelta | None = None
    nice: int = 0
    files: Files | None = None


class TaskState(Document):
    """What became of it, as its runner last wrote. ``state`` is checked by whoever reads it."""

    attempt: str
    state: str
    pid: int
    born: str
    started: AwareDatetime
    ended: AwareDatetime | None = None
    reason: str = ""

    @property
    def runner(self) -> ProcessId:
        """The process that wrote this."""
        return ProcessId(self.pid, self.born)


def start(folder: Path, task: Task) -> None:
    """Start a task, unless the one in this folder lives or has succeeded.

    :raises Locked: while another process does the same.
    """
    private_folder(folder)
    with lock(folder / "start.lock", f"{folder.name}"):
        there = recorded(folder)
        if there is not None:
            if current(there) in (JobState.RUNNING, JobState.SUCCEEDED):
                return
            wait(there.runner, GRACE)  # it has written its state and is about to end
            end_marked(mark(there.attempt))
        write_atomic(folder / TASK, task.canonical())
        point("task.written")
        _launch(folder)


def _launch(folder: Path) -> None:
    try:
        launch("trivet.platforms.local.runner", folder, folder / LOG)
    except NotReady:
        # A starter that was killed may have left a runner that had not written its state when we looked.
        there = recorded(folder)
        if there is None or current(there) is not JobState.RUNNING:
            raise


def wanted(folder: Path) -> Task | None:
    """What is or was to be run in this folder; None when nothing was."""
    return Task.read(folder / TASK) if (folder / TASK).exists() else None


def recorded(folder: Path) -> TaskState | None:
    """The state on the disk; None when the task never started."""
    return TaskState.read(folder / STATE) if (folder / STATE).exists() else None


def state(folder: Path) -> TaskState:
    """The state on the disk.

    :raises NotFound: when the task never started.
    """
    if (found := recorded(folder)) is None:
        raise NotFound(f"{folder.name} was never started.")
    return found


def current(task: TaskState) -> JobState:
    """What is true now: a runner that died without a result has failed.

    :raises PlatformError: for a state that nobody here writes.
    """
    try:
        known = JobState(task.state)
    except ValueError:
        raise PlatformError(
            f"The state {task.state!r} is unknown.", "Another version of Trivet may run there."
        ) from None
    if known is JobState.RUNNING and not alive(task.runner):
        return JobState.FAILED
    return known


def cancel(folder: Path) -> None:
    """End a task with everything that it started; nothing happens if it has ended."""
    task = state(folder)
    end(task.runner, GRACE + 5)
    end_marked(mark(task.attempt))


def lines(folder: Path) -> Iterator[str]:
    """The lines of the log so far."""
    state(folder)
    with (folder / LOG).open(encoding="utf-8", errors="replace") as file:
        for line in file:
            yield line.rstrip("\n")


def remove(folder: Path) -> None:
    """Cancel the task and forget it."""
    if recorded(folder) is not None:
        cancel(folder)
    shutil.rmtree(folder, ignore_errors=True)


def mark(attempt: str) -> str:
    """What the environment of an attempt's processes holds."""
    return f"{MARK}={attempt}"


def clean_environment() -> dict[str, str]:
    """What a task inherits: paths, certificates and proxies, but neither credentials nor settings of the shell.

    The programs beside our interpreter, ``trivet`` among them, come first on its PATH.
    """
    passed = {name: value for name, value in os.environ.items() if name in _PASSED_ON}
    beside = os.pathsep.join([str(Path(sys.executable).parent), passed.get("PATH", os.defpath)])
    return {**passed, "PATH": beside, "LANG": "C.UTF-8", "TZ": "UTC"}
