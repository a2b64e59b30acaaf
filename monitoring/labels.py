"""Labels: what really happened to earlier predictions, written beside them and joined by id."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from trivet.core.errors import ConfigError
from trivet.core.records import Label
from trivet.monitoring.segments import Records

COLUMNS = {"id", "label"}


def add_labels(source: Path, records: Records, now: datetime) -> int:
    """Write the labels of a CSV file with the columns ``id`` and ``label`` as one segment; how many.

    :raises ConfigError: when the file is missing or has other columns, or a row lacks a value.
    """
    found = list(_read(source, now))
    records.add_labels(b"".join(label.model_dump_json().encode() + b"\n" for label in found), now)
    return len(found)


def _read(source: Path, now: datetime) -> Iterator[Label]:
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            yield from _labels(csv.DictReader(file), source.name, now)
    except OSError as error:
        raise ConfigError(f"{source} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{source.name} cannot be read: {error}.", "Give a CSV file in UTF-8.") from error


def _labels(table: csv.DictReader[str], name: str, now: datetime) -> Iterator[Label]:
    if set(table.fieldnames or ()) != COLUMNS:
        raise ConfigError(f"{name} has not the columns id and label.", "Write just these two.")
    for row in table:
        if not row["id"] or not row["label"]:
            raise ConfigError(f"Line {table.line_num} of {name} lacks its id or its label.")
        yield Label(id=row["id"], time=now, label=row["label"])
