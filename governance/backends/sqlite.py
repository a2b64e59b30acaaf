"""A ledger in a SQLite file, which its owner alone may read."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from trivet.core.errors import IntegrityError, NotReady, PlatformError, TrivetError
from trivet.core.files import sync_folder
from trivet.governance.backends.base import Backend, Row, Writer

BUSY_SECONDS = 30.0

_SCHEMA = """
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY, time TEXT NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL, subject TEXT NOT NULL,
    body TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL
)"""
_ROWS = """
SELECT * FROM entries WHERE (:kind IS NULL OR kind = :kind) AND (:subject IS NULL OR subject = :subject) ORDER BY seq
"""
_HEAD = "SELECT * FROM entries ORDER BY seq DESC LIMIT 1"
_FIND = "SELECT * FROM entries WHERE kind = ? AND subject = ? AND body = ? ORDER BY seq LIMIT 1"
_INSERT = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class SQLite(Backend):
    """A file, made by whoever first needs it. One writer holds it at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield _Writer(connection)
            connection.execute("COMMIT")

    def rows(self, kind: str | None = None, subject: str | None = None) -> Iterator[Row]:
        with self._connection() as connection:
            yield from connection.execute(_ROWS, {"kind": kind, "subject": subject})

    def head(self) -> Row | None:
        with self._connection() as connection:
            return connection.execute(_HEAD).fetchone()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            if not self.path.exists():
                _create(self.path)
            with closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
                connection.execute("PRAGMA synchronous = FULL")
                yield connection
        except sqlite3.DatabaseError as error:
            raise _told(error) from error
        except OSError as error:
            raise PlatformError(f"The ledger cannot be opened: {error.strerror}.", "Look at its folder.") from error


class _Writer(Writer):
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def head(self) -> Row | None:
        return self._connection.execute(_HEAD).fetchone()

    def find(self, kind: str, subject: str, body: str) -> Row | None:
        return self._connection.execute(_FIND, (kind, subject, body)).fetchone()

    def insert(self, row: Row) -> bool:
        self._connection.execute(_INSERT, row)
        return True


def _told(error: sqlite3.DatabaseError) -> TrivetError:
    """Whether the file is held by another, cannot be written, or is no ledger."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return NotReady(f"Another process held the ledger for {BUSY_SECONDS:.0f} seconds.", "Try again.")
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY")):
        return PlatformError(f"The ledger's file cannot be written: {error}.", "See that the disk has room.")
    return IntegrityError(f"The database cannot be read: {error}.", "Bring back the file from before it was changed.")


def _create(path: Path) -> None:
    """Make an empty ledger beside its place and link it there whole, so that of several makers one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    with closing(sqlite3.connect(name)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(_SCHEMA)
    with suppress(FileExistsError):
        os.link(name, path)
    Path(name).unlink()
    sync_folder(path.parent)
