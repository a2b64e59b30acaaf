"""Segments of records: files of this process's own, which end at a size or at a failed write."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from trivet.core.files import private_folder, sync_folder
from trivet.core.records import file_name


class Segments:
    """Appends lines to ``<kind>-<UTC time>-<pid>-<n>.jsonl`` in a folder. A segment only ever grows: it may be sealed
    at any time."""

    def __init__(self, folder: Path, kind: str, limit: int, *, durable: bool) -> None:
        """Make the folder.

        :param limit: bytes at which a segment ends.
        :param durable: whether ``write`` returns only once the bytes are on the disk.
        """
        self._folder = private_folder(folder)
        self._kind = kind
        self._limit = limit
        self._durable = durable
        self._handle: int | None = None
        self._path = folder
        self._size = 0
        self._number = 0

    def write(self, data: bytes) -> None:
        """Append whole lines.

        :raises OSError: when not all of them could be written. Then none of them is, and the segment ends.
        """
        handle = self._begin() if self._handle is None else self._handle
        before = self._size
        try:
            self._write_all(handle, data)
            if self._durable:
                os.fdatasync(handle)
        except OSError:
            with suppress(OSError):  # a torn last line is no record either
                os.ftruncate(handle, before)
                self._size = before
            self.close()
            if not self._size:
                self._path.unlink()
            raise
        if self._size >= self._limit:
            self.close()

    def close(self) -> None:
        """End the segment; the next write begins another."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _begin(self) -> int:
        self._number += 1
        self._path = self._folder / file_name(self._kind, datetime.now(UTC), self._number)
        self._handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._size = 0
        if self._durable:
            sync_folder(self._folder)
        return self._handle

    def _write_all(self, handle: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            written = os.write(handle, rest)
            self._size += written
            rest = rest[written:]
