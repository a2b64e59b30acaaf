"""What a ledger asks of the place where its rows lie."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

COLUMNS = ("seq", "time", "kind", "actor", "subject", "body", "previous", "hash")

Row = tuple[Any, ...]
"""The values of ``COLUMNS``: a number, then texts; ``body`` is canonical JSON."""


class Writer(ABC):
    """One attempt to add a row. What it reads includes every row that was added before its own."""

    @abstractmethod
    def head(self) -> Row | None:
        """The newest row."""

    @abstractmethod
    def find(self, kind: str, subject: str, body: str) -> Row | None:
        """The first row that says just this."""

    @abstractmethod
    def insert(self, row: Row) -> bool:
        """Add a row, durable when the attempt ends; ``False`` when another writer has taken its number."""


class Backend(ABC):
    """Rows in the order of their numbers, to which any number of processes may add. None is ever changed or removed.

    Methods raise ``IntegrityError`` for what is there and cannot be rows, ``PlatformError`` for a place that cannot be
    reached, and ``NotReady`` where another writer does not let go of it.
    """

    @abstractmethod
    def writing(self) -> AbstractContextManager[Writer]:
        """An attempt to add a row, over when the context is left; nothing is added when that is by an error."""

    @abstractmethod
    def rows(self, kind: str | None = None, subject: str | None = None) -> Iterator[Row]:
        """The rows as they are there, unchecked, of one kind or about one subject."""

    @abstractmethod
    def head(self) -> Row | None:
        """The newest row."""
