"""Predictions as records: what was decided, about which row, by which package, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from hashlib import sha256
from math import isnan
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import orjson

from trivet.core.canonical import canonical_json
from trivet.core.errors import ConfigError
from trivet.core.inference import REASONS, record_id
from trivet.core.modelpackage import FeatureProfile, Input, Profile
from trivet.core.records import Mode
from trivet.serving.appender import DELAY, TOGETHER, Appender
from trivet.serving.engine import Answer, Engine
from trivet.serving.errors import NotRecorded
from trivet.serving.segments import Segments
from trivet.serving.tensors import Batch, Value


class Scribe:
    """Turns an answered batch into lines of ``trivet.core.records.Prediction``, one per row.

    ``input_digest`` covers the row as the client gave it, numbers as floats: ``{"amount":120.0,"purpose":"car"}``.
    """

    def __init__(self, engine: Engine, endpoint: str, model: str, version: str) -> None:
        """Prepare to write about one engine.

        :raises ConfigError: when the package lacks the profile of a personal input.
        """
        inputs = engine.serving.inputs
        names = [column.name for column in inputs]
        numbers = [column.name for column in inputs if column.type != "category"]
        texts = [column.name for column in inputs if column.type == "category"]
        self._names = names
        self._sorted = sorted(names)
        places = [*numbers, *texts]
        self._columns = [places.index(name) for name in self._sorted]
        self._as_they_come = self._columns == list(range(len(names)))
        self._spells_e = orjson.dumps(names).count(b"e") if not texts else -1
        self._bins = _bins(inputs, engine.profile)
        self._constant = {
            "kind": "prediction",
            "endpoint": endpoint,
            "model": model,
            "version": version,
            "package": engine.digest,
        }

    def lines(self, time: datetime, request_id: str, batch: Batch, answer: Answer) -> bytes:
        """The records of a batch that was decided at ``time``, each with its line break."""
        reasons = self._reasons(answer)
        lines = []
        for row, values in enumerate(self._rows(batch)):
            text = orjson.dumps(values)
            if text.count(b"e") != self._spells_e or b"0.0000" in text:  # in exponents orjson and Python differ
                text = canonical_json(values)
            record = self._constant | {
                "id": record_id(request_id, row, batch.rows),
                "time": time,
                "inputs": self._shown(values) if self._bins else orjson.Fragment(text),
                "input_digest": f"sha256:{sha256(text).hexdigest()}",
                "score": answer.score[row],
                "decision": answer.decision[row],
                "reasons": reasons[row],
            }
            lines.append(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY))
        return b"".join(lines)

    def _rows(self, batch: Batch) -> list[dict[str, Value]]:
        """Every row by name, the names in their order."""
        table: list[Any] = batch.numbers.tolist()
        if isnan(batch.numbers.sum()):
            table = [[None if value != value else value for value in values] for values in table]
        if batch.texts:
            table = [[*values, *texts] for values, texts in zip(table, zip(*batch.texts, strict=True), strict=True)]
        if not self._as_they_come:
            table = [[values[at] for at in self._columns] for values in table]
        return [dict(zip(self._sorted, values, strict=True)) for values in table]

    def _shown(self, row: dict[str, Value]) -> dict[str, Value | dict[str, int]]:
        return row | {name: {"bin": bin_of(row[name])} for name, bin_of in self._bins.items()}

    def _reasons(self, answer: Answer) -> list[list[tuple[str, np.float32]]]:
        """``trivet.core.inference.reasons`` of all rows at once."""
        parts = answer.contributions
        if parts is None:
            return [[]] * len(answer.decision)
        worst = parts.argsort(axis=1, kind="stable")[:, :REASONS].tolist()
        return [
            [(self._names[at], row[at]) for at in ranks if row[at] < 0] for row, ranks in zip(parts, worst, strict=True)
        ]


class Recorder:
    """Writes records into a folder, in one of the two modes of the seam.

    ``complete``: on the disk before the answer leaves, else no answer. ``sampled``: never in an answer's way; what
    cannot be written is dropped, counted and reported.
    """

    def __init__(
        self,
        folder: Path,
        mode: Mode,
        segment_bytes: int,
        report: Callable[[int], None],
        count: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Make the folder.

        :param report: told how many records were dropped since the last call, at most once a second.
        :param count: told of each drop at once.
        :raises OSError: when the folder cannot be made.
        """
        self._complete = mode == "complete"
        self._segments = Segments(folder, "prediction", segment_bytes, durable=self._complete)
        self._appender = Appender(self._segments.write, "records", self._dropped)
        self._report = report
        self._count = count
        self._unreported = 0
        self._reported_at = 0.0
        self._later: list[tuple[Callable[[], bytes], int]] = []

    def write(self, lines: Callable[[], bytes], count: int) -> Awaitable[None] | None:
        """Write the records of one request. In mode ``complete`` there is something to wait for.

        :raises NotRecorded: while waiting, when they are not on the disk.
        """
        if self._complete:
            return self._commit(lines())
        if not self._later:
            asyncio.get_running_loop().call_later(DELAY, self._settle)
        self._later.append((lines, count))
        if len(self._later) >= TOGETHER:
            self._settle()
        return None

    def _settle(self) -> None:
        """Write what was put off: for many at once it costs a fraction of what it does between other work."""
        later, self._later = self._later, []
        for lines, count in later:
            self._appender.put(lines(), count)

    async def _commit(self, lines: bytes) -> None:
        try:
            await self._appender.commit(lines)
        except OSError as error:
            raise NotRecorded(
                f"The decision could not be recorded ({error.strerror}) and is therefore withheld.",
                "Send it again later.",
            ) from error

    async def close(self) -> None:
        """Write what is left, and report what was dropped."""
        self._settle()
        await self._appender.close()
        self._segments.close()
        if self._unreported:
            self._tell()

    def _dropped(self, count: int) -> None:
        self._count(count)
        self._unreported += count
        if monotonic() - self._reported_at >= 1:
            self._tell()

    def _tell(self) -> None:
        self._report(self._unreported)
        self._unreported = 0
        self._reported_at = monotonic()


def _bins(inputs: tuple[Input, ...], profile: Profile | None) -> dict[str, Callable[[Value], int]]:
    features: dict[str, FeatureProfile] = {feature.name: feature for feature in profile.features} if profile else {}
    personal = [column.name for column in inputs if column.personal]
    if missing := [name for name in personal if name not in features]:
        raise ConfigError(
            f"The model package has no profile of the personal inputs {', '.join(missing)}, so they cannot be recorded "
            "without the person appearing.",
            "Train and register the model again.",
        )
    return {name: features[name].bin_of for name in personal}
