"""Records as monitoring reads them: segments to be sealed, predictions of a window, labels joined by id."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from trivet.core.errors import IntegrityError
from trivet.core.records import Label, Prediction, Record, parse_record
from trivet.monitoring.segments import Line, Records


def predictions(
    records: Records, endpoint: str, start: datetime, end: datetime, package: str = ""
) -> Iterator[Prediction]:
    """The predictions of an endpoint from ``start`` to before ``end``, of one model package or of all, one at a time.

    :raises IntegrityError: naming a whole line that is no record.
    """
    for record in _predictions(records, endpoint, start, end):
        if start <= record.time < end and package in ("", record.package):
            yield record


def last_prediction(records: Records, endpoint: str, now: datetime) -> datetime | None:
    """When an endpoint made its newest prediction; ``None`` when it made none."""
    newest: datetime | None = None
    for until, lines in records.newest_first(endpoint, now):
        if newest is not None and until is not None and until < newest:
            break
        for record in map(_parse, lines):
            if isinstance(record, Prediction) and record.endpoint == endpoint:
                newest = record.time if newest is None else max(newest, record.time)
    return newest


def labels(records: Records) -> dict[str, Label]:
    """The labels by the id of their prediction; of several the newest counts."""
    found: dict[str, Label] = {}
    for record in map(_parse, records.lines("label")):
        if isinstance(record, Label) and (record.id not in found or found[record.id].time <= record.time):
            found[record.id] = record
    return found


def labelled(records: Records, endpoint: str = "") -> Iterator[tuple[Prediction, Label]]:
    """The predictions, of one endpoint or of all, whose outcome is known, with it. Holds the labels in memory, the
    predictions one at a time."""
    known = labels(records)
    for record in _predictions(records, endpoint) if known else ():
        if record.id in known:
            yield record, known[record.id]


def labels_since(records: Records, since: datetime | None) -> int:
    """How many predictions' outcomes became known after ``since``; all of them for ``None``."""
    return sum(1 for label in labels(records).values() if since is None or label.time > since)


def _predictions(
    records: Records, endpoint: str, start: datetime | None = None, end: datetime | None = None
) -> Iterator[Prediction]:
    for record in map(_parse, records.lines("prediction", endpoint, start, end)):
        if isinstance(record, Prediction) and endpoint in ("", record.endpoint):
            yield record


def _parse(line: Line) -> Record:
    name, number, data = line
    try:
        return parse_record(data)
    except ValueError as error:
        raise IntegrityError(
            f"Line {number} of the records {name} is no record.",
            "Run `trivet ledger verify` to see whether it was changed, and move the segment away.",
        ) from error
