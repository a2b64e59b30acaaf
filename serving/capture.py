"""Predictions as records: what was decided, about which row, by which package, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from time import monotonic

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
from trivet.serving.tensors import Batch, Value, picker


class Scribe:
    """Turns an answered batch into lines of ``trivet.core.records.Prediction``, one per row.

    ``input_digest`` covers the row as the client gave it, numbers as floats: ``{"amount":120.0,"purpose":"car"}``.
    """

    def __init__(self, engine: Engine, endpoint: str, model: str, version: str) -> None:
        """Prepare to write about one engine.

        :raises ConfigError: when the package lacks the profile of a personal input.
        """
        inputs = engine.serving.inputs
        numbers = [column.name for column in inputs if column.type != "category"]
        texts = [column.name for column in inputs if column.type == "category"]
        places = [*numbers, *texts]
        names = sorted(places)
        self._in_order = picker([places.index(name) for name in names])
        self._row = b"{%b}" % b",".join(orjson.dumps(name).replace(b"%", b"%%") + b":%b" for name in names)
        bins = _bins(inputs, engine.profile)
        self._bins = [(places.index(name), bin_of) for name, bin_of in bins.items()]
        self._quoted = [orjson.dumps(column.name) for column in inputs]
        constant = {
            "kind": "prediction",
            "endpoint": endpoint,
            "model": model,
            "version": version,
            "package": engine.digest,
        }
        self._constant = orjson.dumps(constant)[:-1]

    def lines(self, time: datetime, requests: Sequence[tuple[str, int]], batch: Batch, answer: Answer) -> bytes:
        """The records of a batch that was decided at ``time``, each with its line break.

        :param requests: the id of each request in it, and the number of its rows.
        """
        ids = [record_id(name, row, rows) for name, rows in requests for row in range(rows)]
        scores, reasons = _spelled(answer.score), self._reasons(answer)
        head = b'%b,"time":%b,"id":' % (self._constant, orjson.dumps(time))
        lines = []
        for row, values in enumerate(_values(batch)):
            text = self._row % tuple(self._in_order(values))
            digest = sha256(text).hexdigest().encode()
            for at, bin_of in self._bins:
                values[at] = b'{"bin":%d}' % bin_of(batch.value(row, at))
            line = b'%b%b,"inputs":%b,"input_digest":"sha256:%b","score":%b,"decision":%b,"reasons":[%b]}\n' % (
                head,
                orjson.dumps(ids[row]),
                self._row % tuple(self._in_order(values)) if self._bins else text,
                digest,
                scores[row],
                orjson.dumps(answer.decision[row]),
                reasons[row],
            )
            lines.append(line)
        return b"".join(lines)

    def _reasons(self, answer: Answer) -> list[bytes]:
        """``trivet.core.inference.reasons`` of all rows at once, as JSON."""
        parts = answer.contributions
        if parts is None:
            return [b""] * len(answer.decision)
        worst = parts.argsort(axis=1, kind="stable")[:, :REASONS]
        values = parts[np.arange(len(parts))[:, np.newaxis], worst]
        pairs = [
            b"[%b,%b]" % (self._quoted[at], value)
            for at, value in zip(worst.ravel().tolist(), _spelled(values), strict=True)
        ]
        width = worst.shape[1]
        against = (values < 0).sum(axis=1).tolist()
        return [b",".join(pairs[row * width : row * width + count]) for row, count in enumerate(against)]


def _values(batch: Batch) -> list[list[bytes]]:
    """Every row's numbers, then its texts, each in canonical JSON."""
    rows = _number_rows(batch.numbers)
    if batch.texts:
        for row, texts in zip(rows, zip(*batch.texts, strict=True), strict=True):
            row.extend(map(orjson.dumps, texts))
    return rows


def _number_rows(numbers: np.ndarray) -> list[list[bytes]]:
    if not numbers.shape[1]:
        return [[] for _ in numbers]
    text = orjson.dumps(np.ascontiguousarray(numbers), option=orjson.OPT_SERIALIZE_NUMPY)
    rows = text[2:-2].split(b"],[")
    if b"e" in text or b"0.0000" in text:  # in exponents orjson and Python differ
        for at, values in enumerate(numbers.tolist()):
            if b"e" in rows[at] or b"0.0000" in rows[at]:
                rows[at] = canonical_json([None if value != value else value for value in values])[1:-1]
    return [row.split(b",") for row in rows]


def _spelled(numbers: np.ndarray) -> list[bytes]:
    """Each of them in JSON, in as many digits as its type needs."""
    return orjson.dumps(numbers.ravel(), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")


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
        self._later_rows = 0
        self._settles = False

    def write(self, lines: Callable[[], bytes], count: int) -> asyncio.Future[None] | None:
        """Write ``count`` records. In mode ``complete`` there is something to wait for, which raises ``NotRecorded``
        when they are not on the disk."""
        if self._complete:
            return asyncio.ensure_future(self._commit(lines()))
        if not self._settles:
            self._settles = True
            asyncio.get_running_loop().call_later(DELAY, self._settle_in_time)
        self._later.append((lines, count))
        self._later_rows += count
        if self._later_rows >= TOGETHER:
            self._settle()
        return None

    def _settle(self) -> None:
        """Write what was put off: for many at once it costs a fraction of what it does between other work."""
        later, self._later, self._later_rows = self._later, [], 0
        for lines, count in later:
            try:
                self._appender.put(lines(), count)
            except Exception:  # noqa: BLE001  most likely no memory for them
                self._dropped(count)

    def _settle_in_time(self) -> None:
        self._settles = False
        self._settle()

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
