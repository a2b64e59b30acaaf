"""Processes that outlive the command that started them, known by pid and start time: a pid may be given away again.

The start time is the kernel's own count since boot with the boot's id. A wall-clock time would move when the clock is
set, and a live server would look dead.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import trivet
from trivet.core import tether
from trivet.core.errors import NotReady

_START_TIME = 19  # position in /proc/PID/stat after the command's name; proc_pid_stat(5), field 22
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


class ProcessId(NamedTuple):
    """One process and no other, also after its pid was given away."""

    pid: int
    born: str


def identify(pid: int) -> ProcessId | None:
    """The process that has this pid now; None when there is none or it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else ProcessId(pid, f"{boot}/{fields[_START_TIME]}")


def myself() -> ProcessId:
    """This process."""
    me = identify(os.getpid())
    assert me is not None  # noqa: S101  it runs
    return me


def alive(process: ProcessId) -> bool:
    """Whether it still runs."""
    return identify(process.pid) == process


def send(process: ProcessId, number: signal.Signals) -> bool:
    """Send a signal to exactly this process; False when it has ended."""
    handle = _open(process)
    if handle is None:
        return False
    try:
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def wait(process: ProcessId, seconds: float | None) -> bool:
    """Wait for its end; False when it still runs after ``seconds``."""
    handle = _open(process)
    if handle is None:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


def end(process: ProcessId, grace: float) -> None:
    """Ask it to end, make it end after ``grace`` seconds, and return when it has ended."""
    if send(process, signal.SIGTERM) and not wait(process, grace):
        send(process, signal.SIGKILL)
        wait(process, None)


def end_marked(marker: str) -> None:
    """Kill every process of ours whose environment holds ``marker``: what a killed parent left behind."""
    for folder in Path("/proc").glob("[0-9]*"):
        found = identify(int(folder.name))
        try:
            marked = marker.encode() in (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended, or is another user's
            continue
        if found and marked:
            send(found, signal.SIGKILL)
            wait(found, None)


def _open(process: ProcessId) -> int | None:
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    if alive(process):  # asked after opening: from here on the handle means this process
        return handle
    os.close(handle)
    return None


def tethered(command: Sequence[str]) -> list[str]:
    """The command as a child of this process, which the kernel kills when this process ends, be it by kill -9."""
    return [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *command]


def python_environment(base: Mapping[str, str]) -> dict[str, str]:
    """``base`` with what a Python process of ours needs: the import path of a checkout, and no telemetry."""
    environment = {**base, **QUIET}
    home = str(Path(trivet.__file__).parent.parent)
    if home not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        given = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([given, home] if given else [home])
    return environment


def launch(module: str, folder: Path, log: Path, *, seconds: float = 60) -> None:
    """Run ``python -m module`` detached, in ``folder``, and return once it has said that it is up.

    :raises NotReady: with the reason that it gave, or when it gave none.
    """
    reader, writer = os.pipe()
    try:
        try:
            _start([sys.executable, "-P", "-m", module, str(writer)], folder, log, writer)
        finally:
            os.close(writer)
        ready, _, _ = select.select([reader], [], [], seconds)
        answer = os.read(reader, 4096).decode() if ready else ""
    finally:
        os.close(reader)
    if answer != "up":
        raise NotReady(answer or f"A process for {folder.name} did not start; {log} says why.")


def _start(command: Sequence[str], folder: Path, log: Path, writer: int) -> None:
    with log.open("ab") as out:
        starter = subprocess.Popen(
            command,
            cwd=folder,
            env=python_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            pass_fds=[writer],
        )
    starter.wait()  # it ends at once: see ``detach``


def detach() -> None:
    """Called first by a launched module: leave the starter, so that nobody has to wait for this process."""
    if os.fork():
        os._exit(0)


def tell(writer: int, answer: str = "up") -> None:
    """Called by a launched module: answer ``launch``."""
    os.write(writer, answer.encode())
    os.close(writer)
