"""Records as monitoring reads them: segments to be sealed, predictions of a window, labels joined by id."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from trivet.core.canonical import CHUNK
from trivet.core.document import Document
from trivet.core.errors import IntegrityError
from trivet.core.records import Label, Prediction, Record, parse_record


class Segment(Document):
    """How far a segment has been written: whole lines only, since its writer may be in the middle of the next."""

    name: str
    size: int
    rows: int
    digest: str


def segments(folder: Path) -> list[Segment]:
    """Every segment of a records folder that holds a record, by name. What to seal in the ledger."""
    return [segment for path in sorted(folder.glob("*-*.jsonl")) if (segment := _measure(path)).rows]


def prefix_digests(folder: Path, name: str, sizes: Sequence[int]) -> list[str | None]:
    """The digests of a segment's first so many bytes, in one reading; ``None`` where it is shorter or gone.

    ``sizes`` ascend. A segment only grows, so a sealed prefix has its digest for ever.
    """
    path = folder / name
    if path.parent != folder or not path.is_file():
        return [None] * len(sizes)
    sha, read, found = hashlib.sha256(), 0, []
    with path.open("rb") as file:
        for size in sizes:
            while read < size and (chunk := file.read(min(CHUNK, size - read))):
                sha.update(chunk)
                read += len(chunk)
            found.append(f"sha256:{sha.hexdigest()}" if read == size else None)
    return found


def predictions(folder: Path, start: datetime, end: datetime, package: str = "") -> Iterator[Prediction]:
    """The predictions from ``start`` to before ``end``, of one model package or of all, one at a time.

    :raises IntegrityError: naming a whole line that is no record.
    """
    for record in _records(folder, "prediction"):
        if isinstance(record, Prediction) and start <= record.time < end and package in ("", record.package):
            yield record


def last_prediction(folder: Path, endpoint: str) -> datetime | None:
    """When an endpoint made its newest prediction; ``None`` when it made none."""
    records = _records(folder, "prediction")
    return max(
        (record.time for record in records if isinstance(record, Prediction) and record.endpoint == endpoint),
        default=None,
    )


def labels(folder: Path) -> dict[str, Label]:
    """The labels by the id of their prediction; of several the newest counts."""
    found: dict[str, Label] = {}
    for record in _records(folder, "label"):
        if isinstance(record, Label) and (record.id not in found or found[record.id].time <= record.time):
            found[record.id] = record
    return found


def labelled(folder: Path) -> Iterator[tuple[Prediction, Label]]:
    """The predictions whose outcome is known, with it. Holds the labels in memory, the predictions one at a time."""
    known = labels(folder)
    for record in _records(folder, "prediction"):
        if isinstance(record, Prediction) and record.id in known:
            yield record, known[record.id]


def labels_since(folder: Path, since: datetime | None) -> int:
    """How many predictions' outcomes became known after ``since``; all of them for ``None``."""
    return sum(1 for label in labels(folder).values() if since is None or label.time > since)


def _records(folder: Path, kind: str) -> Iterator[Record]:
    """Every whole record of a kind. A torn last line, which a crash leaves, is none."""
    for path in sorted(folder.glob(f"{kind}-*.jsonl")):
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.endswith(b"\n"):
                    yield _parse(line, path, number)


def _parse(line: bytes, path: Path, number: int) -> Record:
    try:
        return parse_record(line)
    except ValueError as error:
        raise IntegrityError(
            f"Line {number} of the records {path.name} is no record.",
            "Run `trivet ledger verify` to see whether it was changed, and move the segment out of the folder.",
        ) from error


def _measure(path: Path) -> Segment:
    sha, size, rows = hashlib.sha256(), 0, 0
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                sha.update(line)
                size += len(line)
                rows += 1
    return Segment(name=path.name, size=size, rows=rows, digest=f"sha256:{sha.hexdigest()}")
