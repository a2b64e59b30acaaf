"""The ledger: a tamper-evident, hash-chained log in SQLite, its head anchored outside the database.

Each entry holds the hash of the one before, so that nothing in the middle can change unseen. Against a chain that is
cut short or written anew, each head is anchored in the store under ``ledger/anchors/<seq>-<hash>``. Whoever can write
both the database and the store can forge both: keep the anchors where entries may be added but not removed.

Entries hold digests and decisions, never a person's data, so that erasing a person leaves the chain whole.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, Field, JsonValue

from trivet.core import faults
from trivet.core.canonical import canonical_json, digest_json
from trivet.core.document import Document
from trivet.core.errors import IntegrityError
from trivet.core.files import sync_folder
from trivet.core.platform import Store

Kind = Literal["run", "gate", "registered", "approval", "release", "records"]

ANCHORS = "ledger/anchors/"
GENESIS = "sha256:" + "0" * 64
BUSY_SECONDS = 30.0

COLUMNS = ("seq", "time", "kind", "actor", "subject", "body", "previous", "hash")

_SCHEMA = """
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY, time TEXT NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL, subject TEXT NOT NULL,
    body TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL
)"""


class Entry(Document):
    """One entry. ``hash`` is the digest of the canonical JSON of all the other fields."""

    seq: int = Field(ge=1)
    time: AwareDatetime
    kind: Kind
    actor: str = Field(min_length=1)
    subject: str
    body: dict[str, JsonValue]
    previous: str
    hash: str = ""

    def sealed(self) -> Entry:
        """The entry with its hash."""
        return self.model_copy(update={"hash": digest_json(self.model_dump(mode="json", exclude={"hash"}))})

    @property
    def anchor(self) -> str:
        """Store key of this entry's anchor."""
        return f"{ANCHORS}{self.seq:012d}-{self.hash.removeprefix('sha256:')}"


class Ledger:
    """The ledger of one stack. Any number of processes may append."""

    def __init__(self, path: Path, store: Store, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.path = path
        self._store = store
        self._clock = clock

    def append(self, kind: Kind, actor: str, subject: str, body: dict[str, Any], *, once: bool = False) -> Entry:
        """Add an entry, durable when this returns, and anchor it.

        ``once`` is for a run that may be resumed: an entry of the same kind, subject and body is returned as it is.
        Killed between the entry and its anchor, the entry stays; the next append's anchor covers it.

        :raises IntegrityError: when an anchor shows that later entries were removed; nothing is added then.
        :raises ValueError: for a body that is no JSON.
        """
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            entry = self._find(connection, kind, subject, body) if once else None
            if entry is None:
                entry = self._next(connection, kind, actor, subject, body)
                connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _row(entry))
            connection.execute("COMMIT")
        faults.point("ledger-committed")
        self._store.put(entry.anchor, canonical_json({"hash": entry.hash, "seq": entry.seq}))
        return entry

    def entries(self, kind: Kind | None = None, subject: str | None = None) -> Iterator[Entry]:
        """The entries in order, of one kind or about one subject."""
        query = (
            "SELECT * FROM entries WHERE (:kind IS NULL OR kind = :kind) AND (:subject IS NULL OR subject = :subject)"
            " ORDER BY seq"
        )
        with self._connection() as connection:
            for row in connection.execute(query, {"kind": kind, "subject": subject}):
                yield _entry(row)

    def head(self) -> Entry | None:
        """The newest entry."""
        with self._connection() as connection:
            return _head(connection)

    def export(self) -> Iterator[str]:
        """The entries as lines of canonical JSON, for `tools/verify_ledger.py` or an auditor's own program."""
        for entry in self.entries():
            yield entry.canonical().decode()

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows as they are in the database, in order and unchecked: what a verification reads."""
        with self._connection() as connection:
            yield from connection.execute("SELECT * FROM entries ORDER BY seq")

    def anchors(self) -> list[str]:
        """The names of the anchors, ``<seq>-<hash>``, sorted."""
        return [key.removeprefix(ANCHORS) for key in self._store.list(ANCHORS)]

    def _next(
        self, connection: sqlite3.Connection, kind: Kind, actor: str, subject: str, body: dict[str, Any]
    ) -> Entry:
        head = _head(connection)
        seq, previous = (head.seq + 1, head.hash) if head else (1, GENESIS)
        if later := self._store.list(f"{ANCHORS}{seq:012d}-"):
            raise IntegrityError(
                f"The ledger ends at entry {seq - 1}, but {later[0]} shows that entry {seq} was written: it was cut.",
                "Find out who changed it, and bring back the database from before.",
            )
        return Entry(
            seq=seq, time=self._clock(), kind=kind, actor=actor, subject=subject, body=body, previous=previous
        ).sealed()

    def _find(self, connection: sqlite3.Connection, kind: Kind, subject: str, body: dict[str, Any]) -> Entry | None:
        query = "SELECT * FROM entries WHERE kind = ? AND subject = ? AND body = ?"
        row = connection.execute(query, (kind, subject, _text(body))).fetchone()
        return _entry(row) if row else None

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        if not self.path.exists():
            _create(self.path)
        with closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            yield connection


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


def _head(connection: sqlite3.Connection) -> Entry | None:
    row = connection.execute("SELECT * FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
    return _entry(row) if row else None


def _text(body: dict[str, Any]) -> str:
    return canonical_json(body).decode()


def _row(entry: Entry) -> tuple[Any, ...]:
    plain = entry.model_dump(mode="json") | {"body": _text(entry.body)}
    return tuple(plain[name] for name in COLUMNS)


def _entry(row: tuple[Any, ...]) -> Entry:
    values = dict(zip(COLUMNS, row, strict=True))
    try:
        return Entry.model_validate(values | {"body": json.loads(values["body"])})
    except ValueError as error:
        raise IntegrityError(
            f"Entry {row[0]} of the ledger cannot be read: it was changed.", "Run `trivet ledger verify`."
        ) from error
