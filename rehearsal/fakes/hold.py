"""``hold.py COMMAND…``: a stand-in for a container's runtime where namespaces are forbidden. Standard library only.

It passes SIGTERM on to the command, ends with its exit code, and leaves nothing behind: every descendant is killed
when the command ends or when this process's parent does, be that by kill -9.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def main() -> int:
    """Run the command to its end."""
    kernel = ctypes.CDLL(None, use_errno=True)
    parent, *command = sys.argv[1:]
    for option, value in ((_PR_SET_CHILD_SUBREAPER, 1), (_PR_SET_PDEATHSIG, signal.SIGUSR1)):
        if kernel.prctl(option, value, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")
    signal.signal(signal.SIGUSR1, _orphaned)
    if os.getppid() != int(parent):
        return 1
    with subprocess.Popen(command) as process:
        signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGTERM))
        code = process.wait()
    _kill_descendants()
    return 128 - code if code < 0 else code


def _orphaned(_number: int, _frame: FrameType | None) -> NoReturn:
    _kill_descendants()
    os._exit(1)


def _kill_descendants() -> None:
    """As a subreaper this process is the parent of whatever its descendants leave, so in the end of all of them."""
    while children := _children():
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        for child in children:
            with suppress(ChildProcessError):
                os.waitpid(child, 0)


def _children() -> list[int]:
    me = os.getpid()
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == me:
                found.append(int(stat.parent.name))
    return found


if __name__ == "__main__":
    sys.exit(main())
