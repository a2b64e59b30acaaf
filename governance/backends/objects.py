"""A ledger in an object store: one object an entry, created under its number and never written again.

A store keeps no order between writers, but of those that create one key only one is told that it did: the others take
the next number. To read is one request an entry, so this is for a stack without a database.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from trivet.core.canonical import canonical_json
from trivet.core.errors import IntegrityError, NotFound
from trivet.core.platform import Store
from trivet.governance.backends.base import COLUMNS, Backend, Row, Writer

ENTRIES = "entries/"
AT_ONCE = 16  # entries that are read at a time
_KEY = re.compile(rf"{ENTRIES}(\d{{12}})\.json")


class Objects(Backend, Writer):
    """The objects ``entries/<seq>.json`` of a store; each is the entry as its line in an export."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._newest = 0  # the highest number seen: where to look for the head first

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        yield self

    def rows(self, kind: str | None = None, subject: str | None = None) -> Iterator[Row]:
        for row in self._read(self._numbers()):
            if kind in (None, row[2]) and subject in (None, row[4]):
                yield row

    def head(self) -> Row | None:
        seq = self._newest
        row = self._get(seq) if seq else None
        if row is None and (numbers := self._numbers()):
            seq = numbers[-1]
            row = self._get(seq)
        while (later := self._get(seq + 1)) is not None:
            seq, row = seq + 1, later
        self._newest = seq if row is not None else 0
        return row

    def find(self, kind: str, subject: str, body: str) -> Row | None:
        return next((row for row in self.rows(kind, subject) if row[5] == body), None)

    def insert(self, row: Row) -> bool:
        data = _data(row)
        # A request that is sent again because its answer was lost finds its own object, and is told that it lost.
        if self._store.create(_key(row[0]), data) or self._store.get(_key(row[0])) == data:
            self._newest = row[0]
            return True
        return False

    def _numbers(self) -> list[int]:
        keys = self._store.list(ENTRIES)
        found = [_KEY.fullmatch(key) for key in keys]
        if None in found:
            raise IntegrityError(
                f"{keys[found.index(None)]!r} in the ledger's store is no entry: somebody else wrote it.",
                "Find out who, and take it away.",
            )
        return [int(match[1]) for match in found if match]

    def _read(self, numbers: list[int]) -> Iterator[Row]:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for begin in range(0, len(numbers), AT_ONCE):
                yield from (row for row in pool.map(self._get, numbers[begin : begin + AT_ONCE]) if row is not None)

    def _get(self, seq: int) -> Row | None:
        try:
            return _row(seq, self._store.get(_key(seq)))
        except NotFound:
            return None


def _key(seq: int) -> str:
    return f"{ENTRIES}{seq:012d}.json"


def _data(row: Row) -> bytes:
    return canonical_json(dict(zip(COLUMNS, row, strict=True)) | {"body": json.loads(row[5])})


def _row(seq: int, data: bytes) -> Row:
    """The row that an object holds; one that fits no chain where it is not written as an entry is."""
    try:
        values = json.loads(data)
        if set(values) == set(COLUMNS) and canonical_json(values) == data:
            return tuple((values | {"body": canonical_json(values["body"]).decode()})[name] for name in COLUMNS)
    except (TypeError, ValueError):
        pass
    return (seq, "", "", "", "", data.decode(errors="replace"), "", "")
