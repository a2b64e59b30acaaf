"""One writer at a time. The kernel drops the lock when its holder dies, so none is ever stale."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from trivet.core.errors import Locked


@contextmanager
def lock(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file ``path`` for the block; ``what`` names the thing that is locked.

    :raises Locked: at once, naming the holder, when another process has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Locked(
                f"{what} is locked by {_holder(path)}.",
                "Wait until it ends, or end that process, then call again.",
            ) from None
        file.truncate(0)
        json.dump(
            {
                "pid": os.getpid(),
                "command": shlex.join(sys.argv),
                "since": datetime.now(UTC).isoformat(timespec="seconds"),
            },
            file,
        )
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text())
        return f"process {holder['pid']} ({holder['command']}, since {holder['since']})"
    except (OSError, ValueError, KeyError):
        return "a process that has just taken it"
