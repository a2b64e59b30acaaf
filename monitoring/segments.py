"""Where records lie: a folder of this machine or an object store. What reads and writes them knows only ``Records``.

A folder's segment grows until its writer begins another; an object is whole from the beginning. Either way what was
sealed stays as it is: see ``trivet.core.records`` for the names and what they say.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from trivet.core.canonical import CHUNK
from trivet.core.document import Document
from trivet.core.errors import NotFound
from trivet.core.files import write_atomic
from trivet.core.platform import Store
from trivet.core.records import LABELS, LATE, PREDICTIONS, day_prefix, file_name, new_writer, object_key, segment_time
from trivet.platforms.store import ObjectStore, path_of

Kind = Literal["prediction", "label"]
Item = TypeVar("Item")
AT_ONCE = 8  # objects that are read at a time
DAYS_BACK = 31  # that are looked into one by one for the newest prediction, before everything is listed


class Segment(Document):
    """How far a segment has been written: whole lines only, since its writer may be in the middle of the next."""

    name: str
    size: int
    rows: int
    digest: str


Line = tuple[str, int, bytes]
"""Name of a segment, number of a line from 1, and the line with its end."""


class Records(ABC):
    """The segments of a stack, and the documents that monitoring keeps beside them."""

    @abstractmethod
    def lines(
        self, kind: Kind, endpoint: str = "", start: datetime | None = None, end: datetime | None = None
    ) -> Iterator[Line]:
        """Every whole line of a kind's segments, by name, but for segments whose name says that they hold nothing of
        an endpoint or of the time from ``start`` to before ``end``. A torn last line, which a crash leaves, is none."""

    @abstractmethod
    def newest_first(self, endpoint: str, now: datetime) -> Iterator[tuple[datetime | None, Iterable[Line]]]:
        """The segments of an endpoint's predictions, each with the time after which it holds nothing, if that is
        known; where it is for all, the newest comes first."""

    @abstractmethod
    def unsealed(self, sealed: Collection[tuple[str, int]]) -> Iterator[Segment]:
        """Every segment that holds a record and is not among those of the same name and size, by name."""

    @abstractmethod
    def prefix_digests(self, name: str, sizes: Sequence[int]) -> list[str | None]:
        """The digests of a segment's first so many bytes, in one reading; ``None`` where it is shorter or gone.

        ``sizes`` ascend. A segment never changes what it holds, so a sealed prefix has its digest for ever.
        """

    @abstractmethod
    def add_labels(self, lines: bytes, now: datetime) -> str:
        """Write labels as one segment, whole or not at all; its name."""

    @abstractmethod
    def write(self, name: str, data: bytes) -> None:
        """Keep a document under a name, in place of the one before."""

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """The document of that name; ``None`` before there is one."""


def records_at(url: str, home: Path, store: Callable[[str], Store] = ObjectStore) -> Records:
    """The records that a URL of a stack's outputs names: ``file:``, relative to ``home``, or an object store's.

    :param store: opens an object store by its URL.
    :raises ConfigError: when it names neither.
    """
    if urlsplit(url).scheme == "file":
        return FolderRecords(home / path_of(url))
    return StoreRecords(store(url))


class FolderRecords(Records):
    """Segments ``<kind>-<UTC time of its beginning>-<pid>-<n>.jsonl`` in a folder: no name says whose they are, nor
    when a segment ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def lines(
        self,
        kind: Kind,
        endpoint: str = "",  # noqa: ARG002
        start: datetime | None = None,  # noqa: ARG002
        end: datetime | None = None,
    ) -> Iterator[Line]:
        for path in sorted(self.folder.glob(f"{kind}-*.jsonl")):
            begun = segment_time(path.name)
            if end is None or begun is None or begun - LATE < end:
                yield from self._lines_of(path)

    def newest_first(
        self,
        endpoint: str,  # noqa: ARG002
        now: datetime,  # noqa: ARG002
    ) -> Iterator[tuple[datetime | None, Iterable[Line]]]:
        for path in sorted(self.folder.glob("prediction-*.jsonl"), reverse=True):
            yield None, self._lines_of(path)

    def unsealed(self, sealed: Collection[tuple[str, int]]) -> Iterator[Segment]:
        for path in sorted(self.folder.glob("*-*.jsonl")):
            with path.open("rb") as file:
                segment = _measure(path.name, file)
            if segment.rows and (segment.name, segment.size) not in sealed:
                yield segment

    def prefix_digests(self, name: str, sizes: Sequence[int]) -> list[str | None]:
        path = self.folder / name
        if path.parent != self.folder or not path.is_file():
            return [None] * len(sizes)
        sha, read, found = hashlib.sha256(), 0, []
        with path.open("rb") as file:
            for size in sizes:
                while read < size and (chunk := file.read(min(CHUNK, size - read))):
                    sha.update(chunk)
                    read += len(chunk)
                found.append(f"sha256:{sha.hexdigest()}" if read == size else None)
        return found

    def add_labels(self, lines: bytes, now: datetime) -> str:
        name = file_name("label", now, 0)
        write_atomic(self.folder / name, lines)
        return name

    def write(self, name: str, data: bytes) -> None:
        write_atomic(self.folder / name, data)

    def read(self, name: str) -> bytes | None:
        path = self.folder / name
        return path.read_bytes() if path.is_file() else None

    @staticmethod
    def _lines_of(path: Path) -> Iterator[Line]:
        with path.open("rb") as file:
            yield from _whole(path.name, file)


class StoreRecords(Records):
    """Segments as objects of a store, which are read some at a time and listed by the day where that is enough."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def lines(
        self, kind: Kind, endpoint: str = "", start: datetime | None = None, end: datetime | None = None
    ) -> Iterator[Line]:
        for name, data in self._read(self._names(kind, endpoint, start, end)):
            yield from _whole(name, data.splitlines(keepends=True))

    def newest_first(self, endpoint: str, now: datetime) -> Iterator[tuple[datetime | None, Iterable[Line]]]:
        for name in self._newest_names(endpoint, now):
            for _, data in self._read([name]):
                yield segment_time(name), list(_whole(name, data.splitlines(keepends=True)))

    def unsealed(self, sealed: Collection[tuple[str, int]]) -> Iterator[Segment]:
        known = {name for name, _ in sealed}
        names = [name for folder in (LABELS, PREDICTIONS) for name in self._store.list(f"{folder}/")]
        for name, data in self._read([name for name in names if name not in known]):
            segment = _measure(name, data.splitlines(keepends=True))
            if segment.rows:
                yield segment

    def prefix_digests(self, name: str, sizes: Sequence[int]) -> list[str | None]:
        try:
            data = self._store.get(name)
        except NotFound:
            return [None] * len(sizes)
        return [f"sha256:{hashlib.sha256(data[:size]).hexdigest()}" if size <= len(data) else None for size in sizes]

    def add_labels(self, lines: bytes, now: datetime) -> str:
        key = object_key(LABELS, now, new_writer(), 0)
        self._store.put(key, lines)
        return key

    def write(self, name: str, data: bytes) -> None:
        self._store.put(name, data)

    def read(self, name: str) -> bytes | None:
        try:
            return self._store.get(name)
        except NotFound:
            return None

    def _names(self, kind: Kind, endpoint: str, start: datetime | None, end: datetime | None) -> list[str]:
        """The keys of what may hold something of that time: an object holds what is older than itself."""
        if kind == "label":
            return list(self._store.list(f"{LABELS}/"))
        folder = f"{PREDICTIONS}/{endpoint}" if endpoint else PREDICTIONS
        if not endpoint or start is None or end is None:
            names = list(self._store.list(f"{folder}/"))
        else:
            names = [name for day in _days(start, end + LATE) for name in self._store.list(day_prefix(folder, day))]
        return [name for name in names if _may_hold(name, start, end)]

    def _newest_names(self, endpoint: str, now: datetime) -> Iterator[str]:
        folder = f"{PREDICTIONS}/{endpoint}"
        days = [now + LATE - timedelta(days=back) for back in range(DAYS_BACK)]
        for day in days:
            yield from reversed(self._store.list(day_prefix(folder, day)))
        rest = self._store.list(f"{folder}/")
        first = day_prefix(folder, days[-1])
        yield from reversed([name for name in rest if name < first])

    def _read(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Names and what is under them, in their order; what was removed meanwhile is left out."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for some in batches(names, AT_ONCE):
                for name, data in zip(some, pool.map(self.read, some), strict=True):
                    if data is not None:
                        yield name, data


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in their order, so many at a time."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _may_hold(name: str, start: datetime | None, end: datetime | None) -> bool:
    written = segment_time(name)
    if written is None:
        return True
    return (start is None or written >= start) and (end is None or written - LATE < end)


def _days(start: datetime, end: datetime) -> Iterator[datetime]:
    """A time of every day in UTC from one to the other."""
    day = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    while day <= end:
        yield day
        day += timedelta(days=1)


def _whole(name: str, lines: Iterable[bytes]) -> Iterator[Line]:
    for number, line in enumerate(lines, start=1):
        if line.endswith(b"\n"):
            yield name, number, line


def _measure(name: str, lines: Iterable[bytes]) -> Segment:
    sha, size, rows = hashlib.sha256(), 0, 0
    for _, _, line in _whole(name, lines):
        sha.update(line)
        size += len(line)
        rows += 1
    return Segment(name=name, size=size, rows=rows, digest=f"sha256:{sha.hexdigest()}")
