"""Rows to requests of the Open Inference Protocol v2 and responses back to decisions.

One input tensor per column, shape ``[rows, 1]``: ``FP32`` for numbers and integers, ``BYTES`` for categories. JSON has
no NaN: a missing value of a nullable input is ``null``. The outputs are ``score`` ``FP32 [rows]``, ``decision``
``BYTES [rows]`` and, for models that have them, ``contributions`` ``FP32 [rows, features]``.
Source: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from trivet.core.document import Document
from trivet.core.errors import ConfigError
from trivet.core.modelpackage import Serving

SCORE, DECISION, CONTRIBUTIONS = "score", "decision", "contributions"
REASONS = 4  # Regulation B, 12 CFR 1002.9 comment 9(b)(2)-1: more than four reasons are not likely to help

Value = float | int | str | None


class Decided(Document):
    """What an endpoint said about one row, and the features that spoke most against a positive decision."""

    id: str
    score: float
    decision: str
    reasons: tuple[tuple[str, float], ...] = ()


def request_of(rows: Sequence[Mapping[str, Value]], serving: Serving, request_id: str = "") -> dict[str, Any]:
    """The v2 request for rows of named values; columns that the model does not take are left out.

    It asks for contributions where the model has them.

    :raises ConfigError: naming the inputs that a row lacks.
    """
    names = [column.name for column in serving.inputs]
    for number, row in enumerate(rows):
        if missing := [name for name in names if name not in row]:
            raise ConfigError(f"Row {number} lacks {', '.join(missing)}.", "Give every input of the model.")
    inputs = [
        {
            "name": column.name,
            "shape": [len(rows), 1],
            "datatype": "BYTES" if column.type == "category" else "FP32",
            "data": [row[column.name] for row in rows],
        }
        for column in serving.inputs
    ]
    names = [SCORE, DECISION, CONTRIBUTIONS] if serving.contributions else []
    outputs = {"outputs": [{"name": name} for name in names]} if names else {}
    return {"inputs": inputs} | outputs | ({"id": request_id} if request_id else {})


def decided(response: Mapping[str, Any], features: Sequence[str]) -> list[Decided]:
    """The decisions of a v2 response; ``features`` names the columns of ``contributions``, in order."""
    outputs = {output["name"]: output for output in response["outputs"]}
    scores, decisions = outputs[SCORE]["data"], outputs[DECISION]["data"]
    flat = outputs[CONTRIBUTIONS]["data"] if CONTRIBUTIONS in outputs else []
    width = len(features)
    return [
        Decided(
            id=record_id(str(response.get("id", "")), row, len(scores)),
            score=scores[row],
            decision=decisions[row],
            reasons=reasons(flat[row * width : (row + 1) * width], features),
        )
        for row in range(len(scores))
    ]


def reasons(contributions: Sequence[float], features: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """The features that lowered the log-odds most, worst first, at most four; of the same weight in their own order."""
    against = [(name, value) for name, value in zip(features, contributions, strict=False) if value < 0]
    return tuple(sorted(against, key=itemgetter(1))[:REASONS])


def record_id(request_id: str, row: int, rows: int) -> str:
    """Id of one row of a request: the request's own where it holds one row."""
    return request_id if rows == 1 else f"{request_id}#{row}"
