"""The first code of every child: ties its life to the engine's, then becomes the command it is given.

``tether.py PARENT COMMAND…`` — the kernel kills the child when the thread that started it ends, be it by kill -9, and
keeps that promise across the exec. Started by path with ``-I -S``: it costs about 20 ms.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Exec the command, unless the engine is gone already."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() == int(sys.argv[1]):
        os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 the engine's own child, no shell


if __name__ == "__main__":
    main()
