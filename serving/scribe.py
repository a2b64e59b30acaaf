"""Predictions as records: what was decided, about which row, by which package, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import accumulate, chain
from typing import NamedTuple

import numpy as np
import orjson

from trivet.core.canonical import canonical_json
from trivet.core.errors import ConfigError
from trivet.core.inference import REASONS, record_id
from trivet.core.modelpackage import FeatureProfile, Input, Profile
from trivet.serving.engine import Answer, Engine, spelled
from trivet.serving.tensors import Batch, Value, picker


class Decided(NamedTuple):
    """Rows that were decided in one call, before their records are rendered."""

    scribe: Scribe
    time: datetime
    requests: Sequence[tuple[str, int]]  # the id of each request, and the number of its rows
    batch: Batch
    answer: Answer

    def by_request(self) -> list[Decided]:
        """The rows of each request by themselves."""
        ends = accumulate(rows for _, rows in self.requests)
        return [
            self._replace(
                requests=[request],
                batch=self.batch.only(np.arange(end - request[1], end)),
                answer=self.answer.rows(end - request[1], end),
            )
            for request, end in zip(self.requests, ends, strict=True)
        ]


def render(decided: Sequence[Decided]) -> bytes:
    """The records of what was decided, each with its line break; those of one scribe together.

    :raises ModelFailed: when contributions that were put off cannot be had.
    """
    by_scribe: dict[Scribe, list[Decided]] = {}
    for one in decided:
        by_scribe.setdefault(one.scribe, []).append(one)
    return b"".join(scribe.lines(part) for scribe, some in by_scribe.items() for part in scribe.parted(some))


class Scribe:
    """Turns an answered batch into lines of ``trivet.core.records.Prediction``, one per row.

    ``input_digest`` covers the row as the client gave it, numbers as floats: ``{"amount":120.0,"purpose":"car"}``.
    """

    def __init__(self, engine: Engine, endpoint: str, model: str, version: str, *, lazy: bool = False) -> None:
        """Prepare to write about one engine.

        :param lazy: whether to work out the reasons with the records, and not before the decision leaves.
        :raises ConfigError: when the package lacks the profile of a personal input.
        """
        self.lazy = lazy
        self._engine = engine
        inputs = engine.serving.inputs
        numbers = [column.name for column in inputs if column.type != "category"]
        texts = [column.name for column in inputs if column.type == "category"]
        places = [*numbers, *texts]
        names = sorted(places)
        self._in_order = picker([places.index(name) for name in names])
        self._around = [part for name in names for part in (b"," + orjson.dumps(name) + b":", b"")] + [b"}"]
        self._around[0] = b"{" + self._around[0][1:]
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
        self._constant = orjson.dumps(constant)[:-1] + b',"time":'

    def parted(self, decided: Sequence[Decided]) -> Iterator[Sequence[Decided]]:
        """As many as may share a call of the model at a time."""
        begin = rows = 0
        for at, one in enumerate(decided):
            if at > begin and rows + one.batch.rows > self._engine.most_together:
                yield decided[begin:at]
                begin, rows = at, 0
            rows += one.batch.rows
        yield decided[begin:]

    def lines(self, decided: Sequence[Decided]) -> bytes:
        """The records of rows that this engine decided."""
        batch, answer = self._joined(decided)
        reasons = self._reasons(answer)
        names = [
            (time, orjson.dumps(record_id(name, row, rows)))
            for one in decided
            for time in [orjson.dumps(one.time)]
            for name, rows in one.requests
            for row in range(rows)
        ]
        lines: list[bytes] = []
        for row, values in enumerate(_values(batch)):
            text = self._spelled(values)
            digest = sha256(text).hexdigest().encode()
            for at, bin_of in self._bins:
                values[at] = b'{"bin":%d}' % bin_of(batch.value(row, at))
            time, name = names[row]
            lines += (self._constant, time, b',"id":', name)
            lines += (b',"inputs":', self._spelled(values) if self._bins else text, b',"input_digest":"sha256:', digest)
            lines += (b'","score":', answer.spelled[row], b',"decision":', orjson.dumps(answer.decision[row]))
            lines += (b',"reasons":[', reasons[row], b"]}\n")
        return b"".join(lines)

    def _spelled(self, values: Sequence[bytes]) -> bytes:
        """A row as an object by name: its values, and what stands around each."""
        parts = self._around.copy()
        parts[1::2] = self._in_order(values)
        return b"".join(parts)

    def _joined(self, decided: Sequence[Decided]) -> tuple[Batch, Answer]:
        """All their rows, with contributions wherever the model has them."""
        _, _, _, batch, answer = decided[0]
        if len(decided) > 1:
            batch = Batch.joined([one.batch for one in decided])
            score = np.concatenate([one.answer.score for one in decided])
            parts = [one.answer.contributions for one in decided if one.answer.contributions is not None]
            answer = Answer(
                score,
                list(chain.from_iterable(one.answer.spelled for one in decided)),
                list(chain.from_iterable(one.answer.decision for one in decided)),
                np.concatenate(parts) if len(parts) == len(decided) else None,
            )
        if answer.contributions is None:
            answer = answer._replace(contributions=self._engine.contributions(batch))
        return batch, answer

    def _reasons(self, answer: Answer) -> list[bytes]:
        """``trivet.core.inference.reasons`` of all rows at once, as JSON."""
        parts = answer.contributions
        if parts is None:
            return [b""] * len(answer.decision)
        worst = parts.argsort(axis=1, kind="stable")[:, :REASONS]
        values = parts[np.arange(len(parts))[:, np.newaxis], worst]
        pairs = [
            b"[%b,%b]" % (self._quoted[at], value)
            for at, value in zip(worst.ravel().tolist(), spelled(values), strict=True)
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
