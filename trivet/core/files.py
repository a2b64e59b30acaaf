"""Files that are either wholly there or not at all, also after a crash."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO


def write_atomic(path: Path, data: bytes | str, *, mode: int = 0o600) -> None:
    """Replace ``path`` by ``data``: fsync, rename, fsync of the folder."""
    payload = data.encode() if isinstance(data, str) else data
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(payload)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


class Appended:
    """A file to which is appended what must not be lost; made with the first of it, and closed with :meth:`close`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._written = self._durable = 0
        self._turn = threading.Lock()

    def append(self, data: bytes) -> Callable[[], None]:
        """Append, one caller at a time. What is returned waits, in any thread, until it is on the disk."""
        if self._file is None:
            self._file = open(self._path, "ab", opener=_private)  # noqa: SIM115 it stays open
        self._file.write(data)
        self._file.flush()
        self._written += 1
        return partial(self._wait_for, self._file, self._written)

    def close(self) -> None:
        """Nothing is appended any more."""
        if self._file:
            self._file.close()

    def _wait_for(self, file: BinaryIO, number: int) -> None:
        with self._turn:
            if number > self._durable:  # else it was done for who waited before
                written = self._written
                os.fsync(file.fileno())
                if not self._durable:
                    sync_folder(self._path.parent)
                self._durable = written


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def sync_folder(path: Path) -> None:
    """Make renames in a folder durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def private_folder(path: Path) -> Path:
    """Create a folder that only its owner may enter, and return it."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)
    return path
