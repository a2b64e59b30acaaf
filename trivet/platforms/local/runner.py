"""``python -m trivet.platforms.local.runner FD``: the process that runs the task of its working folder to its end.

It holds the folder's lock while it lives, so that a task never runs twice at once, and it is the only writer of the
task's state.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from pydantic import TypeAdapter

from trivet.core.archive import unpack
from trivet.core.errors import JobFailed, Locked, TrivetError
from trivet.core.faults import point
from trivet.core.files import write_atomic
from trivet.core.locks import lock
from trivet.core.specs import JobState
from trivet.platforms.local import tasks
from trivet.platforms.local.processes import (
    detach,
    identify,
    myself,
    python_environment,
    tell,
    tethered,
    wait,
)
from trivet.platforms.local.tasks import Files, Task, TaskState
from trivet.platforms.store import ObjectStore, get_folder, names_in, put_folder

SOURCE, INPUT, OUTPUT = Path("source"), Path("input"), Path("output")
_KEYS = TypeAdapter(list[str])


class Cancelled(BaseException):
    """SIGTERM came."""


class Cancellation:
    """SIGTERM interrupts the block that this guards and nothing else; one that came earlier does so when it begins."""

    def __init__(self) -> None:
        self._asked = self._guarding = False
        signal.signal(signal.SIGTERM, self._ask)

    def __enter__(self) -> None:
        self._guarding = True
        if self._asked:
            raise Cancelled

    def __exit__(self, *_: object) -> None:
        self._guarding = False

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if not self._asked:
            self._asked = True
            if self._guarding:
                raise Cancelled


def main() -> None:
    """Take the lock, say that it is up, run."""
    detach()
    writer = int(sys.argv[1])
    try:
        with lock(Path(tasks.LOCK), f"The task {Path.cwd().name}"):
            run(Task.read(Path(tasks.TASK)), writer)
    except Locked as error:
        tell(writer, str(error))


def run(task: Task, writer: int) -> None:
    """Run the task of the working folder and write what became of it."""
    begun = TaskState(attempt=task.attempt, state=JobState.RUNNING, started=_now(), **myself()._asdict())
    cancellation = Cancellation()
    _log_afresh()
    _write(begun)
    tell(writer)
    os.nice(task.nice)
    state, reason = _outcome(task, cancellation)
    if reason:
        sys.stderr.write(f"{reason}\n")
        sys.stderr.flush()
    _write(begun.model_copy(update={"state": state, "ended": _now(), "reason": reason}))


def _outcome(task: Task, cancellation: Cancellation) -> tuple[JobState, str]:
    try:
        with cancellation:
            if task.files:
                _run_job(task, task.files)
            else:
                _run_command(task, Path(task.directory), {})
    except Cancelled:
        return JobState.CANCELLED, "Cancelled."
    except TrivetError as error:
        return JobState.FAILED, str(error)
    except Exception as error:  # noqa: BLE001  whatever it was, the state must say that the task has failed
        traceback.print_exc()
        return JobState.FAILED, f"The runner failed: {error}."
    return JobState.SUCCEEDED, ""


def _run_job(task: Task, files: Files) -> None:
    store = ObjectStore(files.store)
    _forget_earlier(store)
    unpack(store.get(files.source), SOURCE)
    for channel, prefix in files.inputs.items():
        INPUT.mkdir(exist_ok=True)
        get_folder(store, prefix, INPUT / channel)
    OUTPUT.mkdir()
    point("job.prepared")
    _run_command(task, SOURCE, {"TRIVET_INPUT": str(INPUT.resolve()), "TRIVET_OUTPUT": str(OUTPUT.resolve())})
    point("job.ran")
    keys = [f"{files.output}/{name}" for name in names_in(OUTPUT)]
    write_atomic(Path(tasks.STORED), _KEYS.dump_json(keys))
    put_folder(store, OUTPUT, files.output)
    point("job.stored")
    _clear()


def _forget_earlier(store: ObjectStore) -> None:
    """Undo what an attempt that was killed had left, here and in the store: its outputs would mix with ours."""
    _clear()
    stored = Path(tasks.STORED)
    if stored.exists():
        for key in _KEYS.validate_json(stored.read_bytes()):
            store.delete(key)
        stored.unlink()


def _clear() -> None:
    for folder in (SOURCE, INPUT, OUTPUT):
        shutil.rmtree(folder, ignore_errors=True)


def _run_command(task: Task, directory: Path, places: dict[str, str]) -> None:
    """Run the command in a session of its own, and leave none of its processes behind.

    :raises JobFailed: when it fails or takes too long.
    """
    program = sys.executable if task.command[0] == "python" else task.command[0]
    environment = python_environment({**task.environment, **places})
    environment[tasks.MARK] = task.attempt
    process = subprocess.Popen(
        tethered([program, *task.command[1:]]),
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    limit = task.timeout.total_seconds() if task.timeout else None
    try:
        in_time = _ended(process, limit)
    except Cancelled:
        os.killpg(process.pid, signal.SIGTERM)
        _ended(process, tasks.GRACE)
        raise
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # before it is reaped: until then the group's number is its own
        process.wait()
    if not in_time:
        raise JobFailed(f"It ran longer than its {limit:.0f} s.", "Give it a longer timeout.")
    if process.returncode:
        raise JobFailed(f"The command ended with {_code(process.returncode)}.", "Its log says why.")


def _ended(process: subprocess.Popen[bytes], seconds: float | None) -> bool:
    known = identify(process.pid)
    return known is None or wait(known, seconds)


def _code(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _log_afresh() -> None:
    """From here on everything that is written goes to this attempt's log alone."""
    log = os.open(tasks.LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def _write(state: TaskState) -> None:
    write_atomic(Path(tasks.STATE), state.canonical())


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main()
