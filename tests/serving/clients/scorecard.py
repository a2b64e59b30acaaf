"""A scorecard in whole points: what a model must say of a row, the same number on every machine.

It stands on the standard library alone, for servers by others answer from it too. A point is a bit of log-odds: nothing
is rounded but the score and each contribution, once, to the nearest float32.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

BIT = struct.unpack("<f", struct.pack("<f", math.log(2)))[0]
BASE = 1  # points of everybody
LEAST, MOST = -8, 7  # points that a row can have in all
NUMBERS = ("amount", "income", "term")
PURPOSES = {"car": 0, "house": 2, "other": -1}
THRESHOLD, YES, NO = 0.5, "yes", "no"


def points(row: Mapping[str, Any]) -> list[int]:
    """Points of each input of a row; one without a purpose is for a car."""
    missing = row["income"] is None or math.isnan(row["income"])
    income = -1 if missing else max(-3, min(3, math.floor(row["income"] / 16) - 3))
    found = [-math.floor(row["amount"] / 256), income, 1 - math.floor(row["term"] / 128)]
    return [*found, PURPOSES[row["purpose"]]] if "purpose" in row else found


def score(total: int) -> float:
    """The score of that many points, before it is rounded to a float32."""
    return 1 / (1 + 2.0**-total)


def answer(row: Mapping[str, Any]) -> tuple[float, str]:
    """Score and decision of a row."""
    found = score(BASE + sum(points(row)))
    return found, YES if found >= THRESHOLD else NO
