"""The strict store: one SQLite file with the objects that the stand-ins made, safe for many processes and a kill -9.

It holds whole objects where no other service does, and of those that lie in a service such as moto what that service
does not keep. Every change is one transaction and on disk when the call returns.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivet.core.files import private_folder
from trivet.infra.engine.values import Properties

FILE = "objects.sqlite"
_BUSY_S = 60.0

_TABLE = """
CREATE TABLE IF NOT EXISTS objects (
    number INTEGER PRIMARY KEY,
    scope TEXT NOT NULL,   -- within which an id is given once
    token TEXT NOT NULL,
    id TEXT,               -- none while it is being made
    urn TEXT NOT NULL,     -- of the resource for which it was made
    digest TEXT NOT NULL,  -- of the inputs with which it was made
    known INTEGER NOT NULL DEFAULT 0,  -- whether the engine has shown that it has the id
    inputs TEXT NOT NULL,
    outputs TEXT NOT NULL,
    UNIQUE (scope, token, id)
)
"""


@dataclass(frozen=True)
class Entry:
    """One object."""

    number: int
    token: str
    id: str | None
    inputs: Properties
    outputs: Properties


class Store:
    """The objects in one folder. An instance may be used from many threads, the folder from many processes.

    :param scope: within which an id is given once, such as an account's region.
    """

    def __init__(self, folder: Path, scope: str = "") -> None:
        self._folder = folder
        self._scope = scope
        self._path = private_folder(folder) / FILE
        self._path.touch(mode=0o600)
        self._own = threading.local()
        with self._change() as connection:
            connection.execute(_TABLE)

    def within(self, scope: str) -> Store:
        """The same store for the objects of one scope."""
        return Store(self._folder, scope)

    def find(self, token: str, identity: str) -> Entry | None:
        """An object by its id."""
        return self._one("scope = ? AND token = ? AND id = ?", self._scope, token, identity)

    def exists(self, package: str, identity: str) -> bool:
        """Whether an object of any type and scope of a package has this id."""
        return self._one("token LIKE ? AND id = ?", f"{package}:%", identity) is not None

    def unanswered(self, token: str, urn: str, inputs: Properties) -> Entry | None:
        """What an earlier create with the same inputs made or began, whose answer the engine may not have got."""
        where = "known = 0 AND scope = ? AND token = ? AND urn = ? AND digest = ?"
        return self._one(where, self._scope, token, urn, _digest(inputs))

    def begin(self, token: str, urn: str, inputs: Properties) -> int:
        """Note that an object is about to be made; returns the number of the entry."""
        values = (self._scope, token, urn, _digest(inputs), json.dumps(inputs), "{}")
        with self._change() as connection:
            made = connection.execute(
                "INSERT INTO objects (scope, token, urn, digest, inputs, outputs) VALUES (?, ?, ?, ?, ?, ?)", values
            )
        return int(made.lastrowid or 0)

    def finish(self, number: int, identity: str, outputs: Properties) -> bool:
        """Note what was made; false where another object has the id."""
        try:
            with self._change() as connection:
                connection.execute(
                    "UPDATE objects SET id = ?, outputs = ? WHERE number = ?", (identity, json.dumps(outputs), number)
                )
        except sqlite3.IntegrityError:
            return False
        return True

    def change(self, token: str, identity: str, inputs: Properties, outputs: Properties) -> None:
        """Put other properties in place of an object's."""
        with self._change() as connection:
            connection.execute(
                "UPDATE objects SET inputs = ?, outputs = ? WHERE scope = ? AND token = ? AND id = ?",
                (json.dumps(inputs), json.dumps(outputs), self._scope, token, identity),
            )

    def acknowledge(self, token: str, identity: str) -> None:
        """Note that the engine has the id: the create that made the object is over."""
        one = (self._scope, token, identity)
        if self._one("known = 0 AND scope = ? AND token = ? AND id = ?", *one):
            with self._change() as connection:
                connection.execute("UPDATE objects SET known = 1 WHERE scope = ? AND token = ? AND id = ?", one)

    def forget(self, number: int) -> None:
        """Drop an entry of which nothing was made."""
        with self._change() as connection:
            connection.execute("DELETE FROM objects WHERE number = ?", (number,))

    def remove(self, token: str, identity: str) -> None:
        """Delete an object; it may be gone already."""
        with self._change() as connection:
            one = (self._scope, token, identity)
            connection.execute("DELETE FROM objects WHERE scope = ? AND token = ? AND id = ?", one)

    def remove_below(self, package: str, prefix: str) -> None:
        """Delete every object of a package whose id begins like this."""
        with self._change() as connection:
            connection.execute(
                "DELETE FROM objects WHERE token LIKE ? AND substr(id, 1, ?) = ?",
                (f"{package}:%", len(prefix), prefix),
            )

    def all(self, package: str = "") -> list[Entry]:
        """Every object of every scope that is there or being made, of one package or of all, oldest first."""
        where = "SELECT * FROM objects WHERE token LIKE ? ORDER BY number"
        return [_entry(row) for row in self._connection().execute(where, (f"{package}%",))]

    def _one(self, where: str, *values: str) -> Entry | None:
        found = f"SELECT * FROM objects WHERE {where} ORDER BY number DESC"  # noqa: S608 the texts are above
        row = self._connection().execute(found, values).fetchone()
        return _entry(row) if row else None

    def _connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        if not hasattr(self._own, "connection"):
            made = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None)
            made.row_factory = sqlite3.Row
            made.execute("PRAGMA synchronous = EXTRA")
            self._own.connection = made
        return self._own.connection

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _entry(row: sqlite3.Row) -> Entry:
    inputs, outputs = json.loads(row["inputs"]), json.loads(row["outputs"])
    return Entry(row["number"], row["token"], row["id"], inputs, outputs)


def _digest(inputs: Any) -> str:
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
