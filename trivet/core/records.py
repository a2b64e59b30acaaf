"""Records: predictions and labels as they are written for monitoring, one JSON object a line.

A segment is a file ``<kind>-<UTC time>-<pid>-<n>.jsonl`` in the records folder. A writer appends to a segment of its
own and never to another's, so a reader needs no lock; a torn last line (a crash) is not a record.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from trivet.core.document import Document

Mode = Literal["sampled", "complete"]


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
