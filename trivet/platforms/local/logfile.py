"""A log of bounded size: the file itself and one older one beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

LIMIT = 5 << 20  # bytes


class LogFile:
    """Appends to ``path``; when it is full it becomes ``<path>.1`` and a new one begins."""

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self._path = path
        self._limit = limit
        self._open()

    def write(self, data: bytes) -> None:
        """Append ``data``; it is lost when the disk is full, for what is logged matters more than its log."""
        with suppress(OSError):
            if self._file.tell() + len(data) > self._limit:
                self._file.close()
                self._path.replace(_older(self._path))
                self._open()
            self._file.write(data)

    def _open(self) -> None:
        self._file = self._path.open("ab", buffering=0)


def read_log(path: Path) -> Iterator[str]:
    """The lines of both files, oldest first; none when nothing was written yet."""
    for file in (_older(path), path):
        if file.exists():
            with file.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    yield line.rstrip("\n")


def _older(path: Path) -> Path:
    return path.with_name(f"{path.name}.1")
