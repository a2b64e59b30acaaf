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
from trivet.platforms.scoring import MOST_LINE

FORMS = ".csv and .jsonl"
MOST_ROW = MOST_LINE - 1  # bytes; its line has an end

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

    :raises ConfigError: naming the file that cannot be read, or whose header or first row lacks an input; or the line
        of which no answer can be had, since it is longer than a row may be, or nested too deeply.
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
    except UnicodeDecodeError as error:
        raise ConfigError(f"{source.name} cannot be read: {error}.", "Give a file in UTF-8.") from error
    except csv.Error as error:
        raise ConfigError(f"{source.name} cannot be read: {error}.", "Correct it.") from error


def refuse_same(source: Path, target: Path) -> None:
    """Look whether answers would take the place of the rows that they are to.

    :raises ConfigError: when both are one file.
    """
    if source.exists() and target.exists() and source.samefile(target):
        raise ConfigError(f"The answers would replace the rows in {source}.", "Write them to another file.")


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
    for number, row in _table(file, serving):
        if BEYOND in row:
            raise ConfigError(f"Line {number} has more values than the file has columns.", "Correct it.")
        yield {column.name: _value(row[column.name], column, number) for column in serving.inputs}


def _json_rows(file: TextIO, serving: Serving) -> Iterator[dict[str, Value]]:
    for number, line in _filled_lines(file):
        row = _parsed(line, number)
        if not isinstance(row, dict):
            raise ConfigError(f"Line {number} is no JSON object.", "Write an object, column to value.")
        _complete(row, serving, number)
        yield {column.name: row[column.name] for column in serving.inputs}


def _csv_lines(file: TextIO, serving: Serving) -> Iterator[str]:
    for number, row in _table(file, serving):
        values: dict[str, Any] = {column.name: _number_or_text(row[column.name], column) for column in serving.inputs}
        yield _short(json.dumps(values | {name: row[name] for name in (BEYOND,) if name in row}), number)


def _json_lines(file: TextIO, serving: Serving) -> Iterator[str]:
    names = [column.name for column in serving.inputs]
    first = True
    for number, line in _filled_lines(file):
        try:
            row = _parsed(line, number)
        except NoJson:
            if first:
                raise
            row = None
        if first and isinstance(row, dict):
            _complete(row, serving, number)
        first = False
        if isinstance(row, dict) and row.keys() >= set(names):
            yield _short(json.dumps({name: row[name] for name in names}), number)
        else:
            yield line


def _table(file: TextIO, serving: Serving) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a CSV file, each with the number of its last line; ``BEYOND`` is what no column has a name for."""
    table = csv.DictReader((line for _, line in _lines(file)), restkey=BEYOND)
    try:
        names = table.fieldnames or ()
        _complete(names, serving, 1)
        if twice := [column.name for column in serving.inputs if names.count(column.name) > 1]:
            raise ConfigError(f"Line 1 names {', '.join(twice)} twice.", "Give every input of the model once.")
        for row in table:
            yield table.line_num, row
    except csv.Error as error:
        raise csv.Error(f"{error}, in line {table.reader.line_num}") from error


def _filled_lines(file: TextIO) -> Iterator[tuple[int, str]]:
    """The lines on which there is something, with their numbers."""
    return ((number, line.strip()) for number, line in _lines(file) if line.strip())


def _lines(file: TextIO) -> Iterator[tuple[int, str]]:
    """The lines with their numbers; of one that is longer than a row may be no more is read than shows that."""
    number = 0
    while line := file.readline(MOST_LINE + 1):
        number += 1
        _short(line.rstrip("\r\n"), number)
        yield number, line


def _short(row: str, number: int) -> str:
    """A row that is no longer than one may be.

    :raises ConfigError: with the number of its line, when it is.
    """
    if len(row.encode()) > MOST_ROW:
        raise ConfigError(f"Line {number} has more than {MOST_ROW} bytes.", "Put one row on each line.")
    return row


class NoJson(ConfigError):
    """A line cannot be read."""


def _parsed(line: str, number: int) -> Any:
    """What a line of JSON says.

    :raises NoJson: when it is none, or an object in it names a column twice.
    :raises ConfigError: when it is nested so deeply that nothing can read it.
    """
    try:
        return json.loads(line, object_pairs_hook=_once)
    except ValueError as error:
        raise NoJson(f"Line {number} is no JSON: {error}.", "Write an object, column to value.") from error
    except RecursionError as error:
        raise ConfigError(f"Line {number} is nested too deeply.", "Write an object, column to value.") from error


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
