"""Files of rows to ask about and of answers: CSV or JSON lines, a row at a time."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, TypeVar

from trivet.core.errors import ConfigError
from trivet.core.inference import Decided, Value
from trivet.core.modelpackage import Input, Serving
from trivet.data.frames import MISSING

FORMS = ".csv and .jsonl"

T = TypeVar("T")
BEYOND = "cells beyond the last column"
Write = Callable[[Sequence[Decided]], int]
"""Writes answers and says how many they were."""


def rows_in(source: Path, serving: Serving) -> Iterator[dict[str, Value]]:
    """The rows of a file, each with every input of the model; other columns are left out.

    A CSV file is read as training reads it: a word such as ``NA`` is a missing value.

    :raises ConfigError: naming the file, or the line and the column, that will not do.
    """
    return _read(source, serving, {".csv": _csv_rows, ".jsonl": _json_rows})


def lines_in(source: Path, serving: Serving) -> Iterator[str]:
    """Each row of a file as a line of JSON, with the inputs of the model alone; the model itself is to judge it.

    So a value that will not do goes on as it is, and so does a line of JSON lines that is no row.

    :raises ConfigError: naming the file that cannot be read, or whose header or first row lacks an input.
    """
    return _read(source, serving, {".csv": _csv_lines, ".jsonl": _json_lines})


def _read(
    source: Path, serving: Serving, readers: Mapping[str, Callable[[TextIO, Serving], Iterator[T]]]
) -> Iterator[T]:
    if source.suffix not in readers:
        raise ConfigError(f"{source.name} cannot be read.", f"Rows come from {FORMS}.")
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            yield from readers[source.suffix](file, serving)
    except OSError as error:
        raise ConfigError(f"{source} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{source.name} cannot be read: {error}.", "Give a file in UTF-8.") from error


@contextmanager
def writer_of(target: Path) -> Iterator[Write]:
    """Writes answers to ``target``, which appears when the block has ended well.

    :raises ConfigError: when it cannot be written there.
    """
    with appearing(target) as file:
        yield _csv_writer(file) if target.suffix == ".csv" else _json_writer(file)


@contextmanager
def appearing(target: Path) -> Iterator[TextIO]:
    """A file of answers, which appears under its name when the block has ended well.

    :raises ConfigError: when it cannot be written there.
    """
    if target.suffix not in (".csv", ".jsonl"):
        raise ConfigError(f"{target.name} cannot be written.", f"Answers go to {FORMS}.")
    if not target.parent.is_dir():
        raise ConfigError(f"There is no folder {target.parent}.", "Make it first, or choose another.")
    temporary = target.with_name(f".{target.name}.part")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            yield file
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _csv_rows(file: TextIO, serving: Serving) -> Iterator[dict[str, Value]]:
    table = csv.DictReader(file)
    _complete(table.fieldnames or (), serving, 1)
    for row in table:
        if None in row:
            raise ConfigError(f"Line {table.line_num} has more values than the file has columns.", "Correct it.")
        yield {column.name: _value(row[column.name], column, table.line_num) for column in serving.inputs}


def _json_rows(file: TextIO, serving: Serving) -> Iterator[dict[str, Value]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ConfigError(f"Line {number} is no JSON: {error}.", "Write an object, column to value.") from error
        if not isinstance(row, dict):
            raise ConfigError(f"Line {number} is no JSON object.", "Write an object, column to value.")
        _complete(row, serving, number)
        yield {column.name: row[column.name] for column in serving.inputs}


def _csv_lines(file: TextIO, serving: Serving) -> Iterator[str]:
    table = csv.DictReader(file, restkey=BEYOND)
    _complete(table.fieldnames or (), serving, 1)
    for row in table:
        values: dict[str, Any] = {column.name: _number_or_text(row[column.name], column) for column in serving.inputs}
        yield json.dumps(values | {name: row[name] for name in (BEYOND,) if name in row})


def _json_lines(file: TextIO, serving: Serving) -> Iterator[str]:
    names = [column.name for column in serving.inputs]
    lines = (line.strip() for line in file if line.strip())
    for number, line in enumerate(lines):
        try:
            row = json.loads(line, object_pairs_hook=_once)
        except ValueError as error:
            if number == 0:
                raise ConfigError(f"The first row is no JSON: {error}.", "Write an object, column to value.") from error
            row = None
        if number == 0 and isinstance(row, dict):
            _complete(row, serving, 1)
        if isinstance(row, dict) and row.keys() >= set(names):
            yield json.dumps({name: row[name] for name in names})
        else:
            yield line


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; one that names a column twice is no row, and must not become one."""
    if len(row := dict(members)) != len(members):
        raise ValueError("it names a column twice")
    return row


def _complete(names: Sequence[str] | dict[str, Value], serving: Serving, line: int) -> None:
    if missing := [column.name for column in serving.inputs if column.name not in names]:
        raise ConfigError(f"Line {line} lacks {', '.join(missing)}.", "Give every input of the model.")


def _value(text: str | None, column: Input, line: int) -> Value:
    if text is None or (text in MISSING and text not in (column.allowed or ())):
        return None
    if column.type == "category":
        return text
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"Line {line}: {column.name} is {text!r}, which is no number.") from None


def _number_or_text(text: str | None, column: Input) -> Value:
    try:
        value = _value(text, column, 0)
    except ConfigError:
        return text
    return text if isinstance(value, float) and not math.isfinite(value) else value


def _csv_writer(file: TextIO) -> Write:
    table = csv.writer(file)
    table.writerow(["id", "decision", "score", "reasons"])

    def write(answers: Sequence[Decided]) -> int:
        for one in answers:
            reasons = "; ".join(name for name, _ in one.reasons)
            table.writerow([one.id, one.decision, f"{one.score:.6f}", reasons])
        return len(answers)

    return write


def _json_writer(file: TextIO) -> Write:
    def write(answers: Sequence[Decided]) -> int:
        file.writelines(f"{one.model_dump_json()}\n" for one in answers)
        return len(answers)

    return write
