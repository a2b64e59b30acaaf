"""Labels: what really happened to earlier predictions, written beside them and joined by id."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from trivet.core.errors import ConfigError
from trivet.core.files import write_atomic
from trivet.core.records import Label

COLUMNS = {"id", "label"}


def add_labels(source: Path, records: Path, now: datetime) -> int:
    """Write the labels of a CSV file with the columns ``id`` and ``label`` as one segment; how many.

    :raises ConfigError: when the file is missing or has other columns, or a row lacks a value.
    """
    found = list(_read(source, now))
    lines = b"".join(label.model_dump_json().encode() + b"\n" for label in found)
    write_atomic(records / f"label-{now:%Y%m%dT%H%M%S.%fZ}-{os.getpid()}-0.jsonl", lines)
    return len(found)


def _read(source: Path, now: datetime) -> Iterator[Label]:
    if not source.is_file():
        raise ConfigError(f"There is no file {source}.")
    with source.open(newline="") as file:
        table = csv.DictReader(file)
        if set(table.fieldnames or ()) != COLUMNS:
            raise ConfigError(f"{source.name} has not the columns id and label.", "Write just these two.")
        for number, row in enumerate(table, start=2):
            if not row["id"] or not row["label"]:
                raise ConfigError(f"Line {number} of {source.name} lacks its id or its label.")
            yield Label(id=row["id"], time=now, label=row["label"])
