"""Records: predictions and labels as they are written for monitoring, one JSON object a line.

In a folder, a segment is a file ``<kind>-<UTC time>-<pid>-<n>.jsonl``. A writer appends to a segment of its own and
never to another's, so a reader needs no lock; a torn last line (a crash) is not a record.

In an object store, a segment is an object ``predictions/<endpoint>/<day>/<UTC time>-<writer>-<n>.jsonl`` or
``labels/<day>/<UTC time>-<writer>-<n>.jsonl``, whole from the beginning and never written again. The time is that of
the writing: no record in it is newer, and none is older by more than ``LATE``.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from trivet.core.document import Document

Mode = Literal["sampled", "complete"]

STORES = ("s3", "gs", "az")
"""Schemes of the URLs of object stores."""

PREDICTIONS, LABELS = "predictions", "labels"
LATE = timedelta(hours=1)
_DAY, _STAMP = "%Y-%m-%d", "%Y%m%dT%H%M%S.%fZ"
_TIME = re.compile(r"(?:^|-|/)(\d{8}T\d{6}\.\d{6}Z)-[^/]*$")


class Prediction(Document):
    """One decision of an endpoint about one row.

    ``inputs`` holds a value per feature, but for a column tagged personal only its bin in the training profile
    (``{"bin": 3}``), which monitoring needs and a person does not appear in. ``input_digest`` is the digest of the
    canonical JSON of the full row, so that a row presented later can be matched.
    """

    kind: Literal["prediction"] = "prediction"
    id: str = Field(description="Request id, with `#row` where a request holds several.")
    time: AwareDatetime
    endpoint: str
    model: str
    version: str
    package: str = Field(description="Digest of the model package.")
    inputs: dict[str, float | str | dict[Literal["bin"], int] | None]
    input_digest: str
    score: float
    decision: str
    reasons: tuple[tuple[str, float], ...] = Field(default=(), description="Features and their log-odds, worst first.")


class Label(Document):
    """What really happened to an earlier prediction, joined by its id."""

    kind: Literal["label"] = "label"
    id: str
    time: AwareDatetime
    label: str


Record = Prediction | Label
_RECORD: TypeAdapter[Record] = TypeAdapter(Prediction | Label)


def file_name(kind: str, time: datetime, number: int) -> str:
    """The name of a segment of this process's own in a folder: names of a kind sort by time."""
    return f"{kind}-{_segment(time, str(os.getpid()), number)}"


def object_key(folder: str, time: datetime, writer: str, number: int) -> str:
    """The key of a segment: keys of a folder sort by time."""
    return f"{day_prefix(folder, time)}{_segment(time, writer, number)}"


def new_writer() -> str:
    """What nobody else calls itself in an object store, where instances may all have the same name."""
    return f"{re.sub(r'[^A-Za-z0-9.]', '.', socket.gethostname())[:48]}-{secrets.token_hex(4)}"


def _segment(time: datetime, writer: str, number: int) -> str:
    return f"{time.astimezone(UTC):{_STAMP}}-{writer}-{number}.jsonl"


def day_prefix(folder: str, time: datetime) -> str:
    """What the keys of one day, in UTC, begin with."""
    return f"{folder}/{time.astimezone(UTC):{_DAY}}/"


def segment_time(name: str) -> datetime | None:
    """The time in the name of a segment; ``None`` where there is none."""
    found = _TIME.search(name)
    return datetime.strptime(found[1], _STAMP).replace(tzinfo=UTC) if found else None


def read_records(folder: Path, kind: str = "") -> Iterator[Record]:
    """Every whole record of a folder's segments in the order of their names; ``kind`` narrows to one kind.

    :raises ValueError: for a line that is complete but no record.
    """
    for segment in sorted(folder.glob(f"{kind or '*'}-*.jsonl")):
        with segment.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield parse_record(line)


def parse_record(line: bytes) -> Record:
    """Read one line.

    :raises ValueError: when it is no record.
    """
    try:
        return _RECORD.validate_json(line)
    except ValidationError as error:
        raise ValueError(f"not a record: {error.error_count()} mistakes in {line[:80]!r}") from error
