"""The ledger: a tamper-evident, hash-chained log, its head anchored outside of where its entries lie.

Each entry holds the hash of the one before, so that nothing in the middle can change unseen. Against a chain that is
cut short or written anew, each head is anchored in the store under ``ledger/anchors/<seq>-<hash>``. Whoever can write
both the entries and the store can forge both: keep the anchors where entries may be added but not removed.

Entries hold digests and decisions, never a person's data, so that erasing a person leaves the chain whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import AwareDatetime, Field, JsonValue

from trivet.core import faults
from trivet.core.canonical import canonical_json, digest_json
from trivet.core.document import Document
from trivet.core.errors import IntegrityError, NotReady
from trivet.core.platform import Store
from trivet.governance.backends import COLUMNS, Backend, Row

Kind = Literal[
    "dataset", "run", "gate", "registered", "approval", "release", "records", "labels", "scoring", "promoted"
]

ANCHORS = "ledger/anchors/"
GENESIS = "sha256:" + "0" * 64
ATTEMPTS = 100  # of an append that other writers are quicker than


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

    def __init__(
        self, backend: Backend, store: Store, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """:param store: where the anchors go."""
        self.backend = backend
        self._store = store
        self._clock = clock

    def append(self, kind: Kind, actor: str, subject: str, body: dict[str, Any], *, once: bool = False) -> Entry:
        """Add an entry, durable when this returns, and anchor it.

        ``once`` is for a run that may be resumed: an entry of the same kind, subject and body is returned as it is.
        Killed between the entry and its anchor, the entry stays; the next append's anchor covers it.

        :raises IntegrityError: when an anchor shows that later entries were removed; nothing is added then.
        :raises NotReady: when other writers were quicker every time.
        :raises ValueError: for a body that is no JSON.
        """
        for _ in range(ATTEMPTS):
            if (entry := self._attempt(kind, actor, subject, body, once)) is not None:
                break
        else:
            raise NotReady("Too many write to the ledger at once.", "Try again.")
        faults.point("ledger-committed")
        self._store.put(entry.anchor, canonical_json({"hash": entry.hash, "seq": entry.seq}))
        return entry

    def entries(self, kind: Kind | None = None, subject: str | None = None) -> Iterator[Entry]:
        """The entries in order, of one kind or about one subject."""
        yield from map(_entry, self.backend.rows(kind, subject))

    def head(self) -> Entry | None:
        """The newest entry."""
        row = self.backend.head()
        return _entry(row) if row else None

    def export(self) -> Iterator[str]:
        """The entries as lines of canonical JSON, for `tools/verify_ledger.py` or an auditor's own program."""
        for entry in self.entries():
            yield entry.canonical().decode()

    def rows(self) -> Iterator[Row]:
        """The rows as they are in the database, in order and unchecked: what a verification reads."""
        yield from self.backend.rows()

    def anchors(self) -> list[str]:
        """The names of the anchors, ``<seq>-<hash>``, sorted."""
        return [key.removeprefix(ANCHORS) for key in self._store.list(ANCHORS)]

    def _attempt(self, kind: Kind, actor: str, subject: str, body: dict[str, Any], once: bool) -> Entry | None:
        """The entry that was added, or was there; ``None`` when another writer took its number."""
        with self.backend.writing() as writer:
            # The head first: what comes after it, `find` may miss, but then its number is taken as well.
            head = writer.head()
            if once and (row := writer.find(kind, subject, _text(body))):
                return _entry(row)
            entry = self._next(head, kind, actor, subject, body)
            if later := self._store.list(f"{ANCHORS}{entry.seq:012d}-"):
                if writer.head() != head:
                    return None  # it is another's, who wrote it since
                raise IntegrityError(
                    f"The ledger ends at entry {entry.seq - 1}, but {later[0]} shows that there were more: it was cut.",
                    "Find out who changed it, and bring back the entries from before.",
                )
            faults.point("ledger-drafted")
            return entry if writer.insert(_row(entry)) else None

    def _next(self, row: Row | None, kind: Kind, actor: str, subject: str, body: dict[str, Any]) -> Entry:
        head = _entry(row) if row else None
        seq, previous = (head.seq + 1, head.hash) if head else (1, GENESIS)
        return Entry(
            seq=seq, time=self._clock(), kind=kind, actor=actor, subject=subject, body=body, previous=previous
        ).sealed()


def _text(body: dict[str, Any]) -> str:
    return canonical_json(body).decode()


def _row(entry: Entry) -> Row:
    plain = entry.model_dump(mode="json") | {"body": _text(entry.body)}
    return tuple(plain[name] for name in COLUMNS)


def _entry(row: Row) -> Entry:
    values = dict(zip(COLUMNS, row, strict=True))
    try:
        return Entry.model_validate(values | {"body": json.loads(values["body"])})
    except ValueError as error:
        raise IntegrityError(
            f"Entry {row[0]} of the ledger cannot be read: it was changed.", "Run `trivet ledger verify`."
        ) from error
