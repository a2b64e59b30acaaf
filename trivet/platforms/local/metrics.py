"""Metrics in a table of SQLite."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from trivet.core.canonical import canonical_json
from trivet.core.errors import ConfigError
from trivet.core.platform import Metrics
from trivet.core.specs import MetricPoint
from trivet.platforms.local.errors import told

_TABLE = """
CREATE TABLE IF NOT EXISTS points (
    name TEXT NOT NULL, time TEXT NOT NULL, value REAL NOT NULL, dimensions TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS points_by_name_and_time ON points (name, time);
"""
_BUSY = 10.0  # seconds that a writer waits for another


class LocalMetrics(Metrics):
    """Points in ``metrics.db``; readers and a writer do not block each other (write-ahead log)."""

    def __init__(self, database: Path) -> None:
        self._database = database

    def put(self, points: Sequence[MetricPoint]) -> None:
        for one in points:
            if not math.isfinite(one.value):
                raise ConfigError(f"The metric {one.name!r} is {one.value}, which is no number.")
        rows = [(one.name, _text(one.time), one.value, canonical_json(one.dimensions).decode()) for one in points]
        with self._connected() as connection, connection:
            connection.executemany("INSERT INTO points VALUES (?, ?, ?, ?)", rows)

    def query(self, name: str, since: datetime, dimensions: dict[str, str] | None = None) -> Sequence[MetricPoint]:
        wanted = (dimensions or {}).items()
        with self._connected() as connection:
            rows = connection.execute(
                "SELECT value, time, dimensions FROM points WHERE name = ? AND time >= ? ORDER BY time, rowid",
                (name, _text(since)),
            ).fetchall()
        found = [
            MetricPoint(name=name, value=value, time=datetime.fromisoformat(time), dimensions=json.loads(given))
            for value, time, given in rows
        ]
        return [one for one in found if wanted <= one.dimensions.items()]

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with told(f"The metrics in {self._database}"):
            self._database.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._database, timeout=_BUSY)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(_TABLE)
                yield connection


def _text(time: datetime) -> str:
    """UTC with all digits, so that the order of the texts is the order of the times."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")
