"""Values and whole lines of JSON, for many rows in about the time that a few take one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import orjson

from trivet.core.inference import record_id


def spelled(numbers: np.ndarray) -> list[bytes]:
    """Each number in JSON, row-major, in as many digits as its type needs."""
    return orjson.dumps(numbers.ravel(), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")


def spelled_ids(request_id: str, rows: int) -> list[bytes]:
    """The id of each row of a request, as ``trivet.core.inference.record_id`` gives it, in JSON."""
    if rows == 1:
        return [orjson.dumps(request_id)]
    first = orjson.dumps(record_id(request_id, 0, rows))
    begin, end = first[:-2], first[-1:]  # around the number of the row
    return [b"%b%d%b" % (begin, row, end) for row in range(rows)]


class Form:
    """A text with gaps, which is repeated for each row.

    :param around: what stands before, between and after the gaps; none has a line break but the last, at its end.
    """

    def __init__(self, *around: bytes) -> None:
        self._parts = [part for text in around for part in (text, b"")][:-1]

    def filled(self, rows: int, *columns: Sequence[bytes]) -> bytes:
        """The text of all rows; ``columns`` holds what goes into each gap, a value per row."""
        parts = self._parts * rows
        width = len(self._parts)
        for at, values in enumerate(columns):
            parts[2 * at + 1 :: width] = values
        return b"".join(parts)

    def lines(self, rows: int, *columns: Sequence[bytes]) -> list[bytes]:
        """The text of each row, without its line break: JSON has none inside."""
        return self.filled(rows, *columns).splitlines()
