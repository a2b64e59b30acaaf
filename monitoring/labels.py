"""Labels: what really happened to earlier predictions, written beside them and joined by id."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from io import StringIO
from pathlib import Path

from pydantic import Field

from trivet.core.canonical import digest
from trivet.core.document import Document
from trivet.core.errors import ConfigError
from trivet.core.records import Label
from trivet.monitoring.segments import Records

COLUMNS = {"id", "label"}


class Brought(Document):
    """The labels of one file, and what they were written as."""

    file: str = Field(description="Digest of the file's bytes.")
    segment: str = Field(description="Name of the segment.")
    digest: str = Field(description="Of the segment's bytes.")
    rows: int


def add_labels(source: Path, records: Records, now: datetime) -> Brought:
    """Write the labels of a CSV file with the columns ``id`` and ``label`` as one segment.

    :raises ConfigError: when the file is missing or has other columns, or a row lacks a value.
    """
    data = _bytes(source)
    found = list(_read(data, source.name, now))
    lines = b"".join(label.model_dump_json().encode() + b"\n" for label in found)
    return Brought(file=digest(data), segment=records.add_labels(lines, now), digest=digest(lines), rows=len(found))


def _bytes(source: Path) -> bytes:
    try:
        return source.read_bytes()
    except OSError as error:
        raise ConfigError(f"{source} cannot be read: {error.strerror}.") from error


def _read(data: bytes, name: str, now: datetime) -> Iterator[Label]:
    try:
        yield from _labels(csv.DictReader(StringIO(data.decode("utf-8-sig"), newline="")), name, now)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{name} cannot be read: {error}.", "Give a CSV file in UTF-8.") from error


def _labels(table: csv.DictReader[str], name: str, now: datetime) -> Iterator[Label]:
    if set(table.fieldnames or ()) != COLUMNS:
        raise ConfigError(f"{name} has not the columns id and label.", "Write just these two.")
    for row in table:
        if not row["id"] or not row["label"]:
            raise ConfigError(f"Line {table.line_num} of {name} lacks its id or its label.")
        yield Label(id=row["id"], time=now, label=row["label"])
