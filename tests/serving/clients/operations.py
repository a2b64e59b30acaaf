"""What the client scripts share, on the standard library alone: each runs in the environment of its client.

A script reads a case from its standard input, performs its operations against the case's URL and prints one JSON
object: ``{operation: "ok", or in one line what went wrong}``.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import struct
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

OK = "ok"
LONGEST = 160  # characters of a reason
Check = Callable[[], Any]


class Wrong(Exception):
    """The client took an answer that is not what it must be."""


@dataclass(frozen=True)
class Case:
    """A server, rows for its model, and what it must say of them."""

    url: str
    model: str
    version: str
    inputs: list[dict[str, Any]]  # tensors of the protocol, a column each
    rows: list[list[Any]]  # the same values, in the order of the inputs
    score: list[float]
    decision: list[str]

    @property
    def address(self) -> str:
        """Host and port."""
        return self.url.removeprefix("http://")

    @property
    def names(self) -> list[str]:
        """Of the inputs, in order."""
        return [tensor["name"] for tensor in self.inputs]

    def check(self, score: Iterable[Any], decision: Iterable[Any]) -> None:
        """Compare an answer, the scores as the float32 that they are.

        :raises Wrong: when it differs.
        """
        same("score", [single(value) for value in score], [single(value) for value in self.score])
        same("decision", [text(value) for value in decision], self.decision)


def same(what: str, found: Any, wanted: Any) -> None:
    """Compare.

    :raises Wrong: when they differ.
    """
    if found != wanted:
        raise Wrong(f"{what} is {found!r}, not {wanted!r}")


def single(value: Any) -> float:
    """A number as the float32 next to it."""
    return struct.unpack("<f", struct.pack("<f", float(value)))[0]


def text(value: Any) -> str:
    """A string, which some clients leave as its bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


def read_case() -> Case:
    """The case on standard input."""
    return Case(**json.load(sys.stdin))


def report(checks: Mapping[str, Check]) -> None:
    """Perform every operation, whatever becomes of the one before, and print the outcomes."""
    print(json.dumps({name: outcome(check) for name, check in checks.items()}))  # noqa: T201  the script's one product


def outcome(check: Check) -> str:
    """``ok``, or what went wrong in one line."""
    try:
        if inspect.isawaitable(waiting := check()):
            asyncio.run(_finish(waiting))
    except Exception as error:  # noqa: BLE001  whatever a client raises is an outcome
        said = " ".join(str(error).split())
        return f"{type(error).__name__}: {said}"[:LONGEST]
    return OK


async def _finish(waiting: Any) -> None:
    await waiting
