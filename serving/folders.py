"""A folder of this process's own below one that others use as well: nobody else removes it while this process lives."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

LOCK = "lock"


class OwnFolder:
    """Made when it is asked for, of mode 0700; gone with its context. Whoever makes one of the same prefix takes away
    those of processes that were killed, told by a lock that nobody holds any more.

    A folder without such a lock, another user's or a link is not touched.
    """

    def __init__(self, prefix: str, parent: Path | None = None) -> None:
        """:param parent: the folder for temporary files, if none is given."""
        self._prefix = prefix
        self._parent = parent
        self._held: IO[str] | None = None
        self._path: Path | None = None

    @property
    def path(self) -> Path:
        """Where it is.

        :raises OSError: when it cannot be made.
        """
        if self._path is None:
            parent = self._parent or Path(tempfile.gettempdir())
            self._path = self._claimed(parent)
            _sweep(parent, self._prefix)
        return self._path

    def holds(self, path: Path) -> bool:
        """Whether it is there, and this path in it."""
        return self._path is not None and path.is_relative_to(self._path)

    def remove(self) -> None:
        """Take it away, if it is there. The next who asks gets another."""
        if self._path is not None and self._held is not None:
            _remove(self._path)
            self._held.close()
            self._path = self._held = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.remove()

    def _claimed(self, parent: Path) -> Path:
        """The folder under its name, and the lock on it, which was there before the name."""
        unnamed = Path(tempfile.mkdtemp(prefix="trivet-", dir=parent))
        self._held = os.fdopen(os.open(unnamed / LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w")
        fcntl.flock(self._held, fcntl.LOCK_EX)
        return unnamed.rename(unnamed.with_name(self._prefix + unnamed.name.rpartition("-")[2]))


def _sweep(parent: Path, prefix: str) -> None:
    for folder in parent.glob(f"{prefix}*"):
        with suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            with (folder / LOCK).open("r+") as free:
                fcntl.flock(free, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(folder)


def _remove(folder: Path) -> None:
    """The lock last: what is left of a removal that is cut short is still told from what is no such folder."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != LOCK:
            path.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
