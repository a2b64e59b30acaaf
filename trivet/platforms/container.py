"""``python -m trivet.platforms.container train``: runs a job inside a container of a cloud.

SageMaker has fetched the input channels and gives folders; elsewhere they are fetched here. Source and task come from
the stack's store, whose URL is in the environment, and what the command leaves goes there. No SDK of a cloud is
imported. The exit code is the command's own; why a job failed lies in the file that SageMaker reports.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from trivet.core.archive import unpack
from trivet.core.document import Document
from trivet.core.errors import ConfigError, ExitCode, JobFailed, TrivetError
from trivet.platforms.jobplaces import REPRODUCIBLE, VERTEX, check_output, vertex_checkpoints
from trivet.platforms.store import ObjectStore, get_folder, put_folder

ROOT = "TRIVET_ML"  # another folder than SageMaker's, where that cannot be mounted
STORE, TASK = "TRIVET_STORE", "TRIVET_CONTAINER_TASK"  # URL of the store, and the task's key in it
# Which of many runs of the same task this is, where a clock starts them; ``$NAME`` stands for another variable's value.
RUN = "TRIVET_RUN"
SAGEMAKER = "/opt/ml"
MOST_FAILURE = 1024  # characters that SageMaker takes of the reason


class ContainerTask(Document):
    """What the container has to do; too large for a cloud's variables.

    :param inputs: key prefixes by channel, which the container fetches itself: a task that a clock starts takes what is
        there at that time, and its cloud, which was told before, knows of no channels.
    """

    source: str
    command: tuple[str, ...]
    environment: dict[str, str]
    output: str
    inputs: dict[str, str] = {}


class Ending:
    """Passes on to the command, and to all that it started, that the cloud wants the job to end.

    As the first process of a container this one gets no signal that it does not handle, so it does from the beginning:
    what comes while the source is still on its way reaches the command as soon as there is one.
    """

    def __init__(self) -> None:
        self.asked = False
        self._process: subprocess.Popen[bytes] | None = None
        signal.signal(signal.SIGTERM, self._told)

    def concerns(self, process: subprocess.Popen[bytes]) -> None:
        """From now on this is the command."""
        self._process = process
        if self.asked:
            self.send(signal.SIGTERM)

    def send(self, number: int) -> None:
        """Send a signal to the command's whole group."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _told(self, number: int, _frame: object) -> None:
        self.asked = True
        self.send(number)


def main(arguments: list[str]) -> int:
    """Run the task; returns the exit code."""
    root = Path(os.environ.get(ROOT, SAGEMAKER))
    try:
        if arguments != ["train"]:
            raise ConfigError(f"{' '.join(arguments) or 'Nothing'} is not what a container is told.", "Say train.")
        _run(root, Ending())
    except TrivetError as error:
        return _failed(root, error)
    return ExitCode.OK


def _run(root: Path, ending: Ending) -> None:
    for name in (STORE, TASK):
        if name not in os.environ:
            raise ConfigError(f"{name} is not set: this runs inside a job of a cloud.", "Use `trivet train`.")
    store = ObjectStore(os.environ[STORE])
    task = ContainerTask.model_validate_json(store.get(os.environ[TASK]))
    check_output(task.output)
    with tempfile.TemporaryDirectory(prefix="trivet-job-") as scratch:
        source, output, inputs = Path(scratch, "source"), Path(scratch, "output"), Path(scratch, "input")
        unpack(store.get(task.source), source)
        output.mkdir()
        for channel, prefix in task.inputs.items():
            get_folder(store, prefix, inputs / channel)
        _command(task, source, _places(root, inputs if task.inputs else root / "input" / "data", output), ending)
        if _is_first(root):
            run = os.path.expandvars(os.environ.get(RUN, ""))
            _store(store, output, f"{task.output}/{run}" if run else task.output)


def _is_first(root: Path) -> bool:
    """Whether this is the first of several machines, whose output counts; SageMaker sorts them."""
    config = root / "input" / "config" / "resourceconfig.json"
    if not config.is_file():
        return True
    told = json.loads(config.read_text())
    return told["current_host"] == told["hosts"][0]


def _store(store: ObjectStore, output: Path, prefix: str) -> None:
    """Store the output alone: what an attempt that was interrupted had left would mix with it."""
    for key in store.list(f"{prefix}/"):
        store.delete(key)
    put_folder(store, output, prefix)


def _places(root: Path, inputs: Path, output: Path) -> dict[str, str]:
    places = {"TRIVET_INPUT": str(inputs), "TRIVET_OUTPUT": str(output)}
    checkpoints = vertex_checkpoints() or root / "checkpoints"
    return places | ({"TRIVET_CHECKPOINTS": str(checkpoints)} if checkpoints.is_dir() else {})


def _command(task: ContainerTask, source: Path, places: Mapping[str, str], ending: Ending) -> None:
    """Run the command.

    :raises JobFailed: when it fails, and when the cloud has ended it: what it left then is no result.
    """
    program = sys.executable if task.command[0] == "python" else task.command[0]
    environment = {**os.environ, **REPRODUCIBLE, **task.environment, **places}
    try:
        process = subprocess.Popen(
            [program, *task.command[1:]], cwd=source, env=environment, stdin=subprocess.DEVNULL, start_new_session=True
        )
    except OSError as error:
        raise JobFailed(f"The command {task.command[0]} cannot be run: {error.strerror}.") from error
    ending.concerns(process)
    code = process.wait()
    ending.send(signal.SIGKILL)
    if ending.asked:
        raise JobFailed(
            "The cloud has ended the job.", "It was cancelled, its time was over, or its machine was taken away."
        )
    if code:
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        raise JobFailed(f"The command ended with {how}.", "Its log says why.")


def _failed(root: Path, error: TrivetError) -> int:
    sys.stderr.write(f"{error}\n")
    if VERTEX in os.environ:  # which reports what was printed, and no file
        return int(error.exit_code)
    with suppress(OSError):
        (root / "output").mkdir(parents=True, exist_ok=True)
        (root / "output" / "failure").write_text(str(error)[:MOST_FAILURE])
    return int(error.exit_code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
