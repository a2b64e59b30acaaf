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
from trivet.core.inference import REASONS
from trivet.core.modelpackage import FeatureProfile, Input, Profile
from trivet.serving.engine import Answer, Engine
from trivet.serving.spelling import Form, spelled, spelled_ids
from trivet.serving.tensors import Batch, Value

PAIR = Form(b"[", b",", b"]\n")


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
        self._order = [places.index(name) for name in names]
        before = [b"%b%b:" % (b"," if at else b"{", orjson.dumps(name)) for at, name in enumerate(names)]
        self._row = Form(*before, b"}\n")
        bins = _bins(inputs, engine.profile)
        self._bins = {places.index(name): bin_of for name, bin_of in bins.items()}
        self._quoted = [orjson.dumps(column.name) for column in inputs]
        constant = {
            "kind": "prediction",
            "endpoint": endpoint,
            "model": model,
            "version": version,
            "package": engine.digest,
        }
        self._line = Form(
            orjson.dumps(constant)[:-1] + b',"time":',
            b',"id":',
            b',"inputs":',
            b',"input_digest":"sha256:',
            b'","score":',
            b',"decision":',
            b',"reasons":[',
            b"]}\n",
        )

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
        each = [(orjson.dumps(one.time), *request) for one in decided for request in one.requests]
        times = [time for time, _, rows in each for _ in range(rows)]
        names = list(chain.from_iterable(spelled_ids(name, rows) for _, name, rows in each))
        values = _columns(batch)
        texts = self._objects(batch.rows, values)
        digests = [sha256(text).hexdigest().encode() for text in texts]
        shown = self._objects(batch.rows, self._binned(batch, values)) if self._bins else texts
        reasons = self._reasons(answer)
        return self._line.filled(batch.rows, times, names, shown, digests, answer.spelled, answer.said, reasons)

    def _objects(self, rows: int, values: Sequence[list[bytes]]) -> list[bytes]:
        """Each row as an object by name."""
        return self._row.lines(rows, *(values[at] for at in self._order))

    def _binned(self, batch: Batch, values: Sequence[list[bytes]]) -> list[list[bytes]]:
        """The values, of personal inputs only into which part of the profile they fall."""
        return [
            [b'{"bin":%d}' % bin_of(batch.value(row, at)) for row in range(batch.rows)]
            if (bin_of := self._bins.get(at))
            else column
            for at, column in enumerate(values)
        ]

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
                list(chain.from_iterable(one.answer.said for one in decided)),
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
        pairs = PAIR.lines(worst.size, [self._quoted[at] for at in worst.ravel().tolist()], spelled(values))
        width = worst.shape[1]
        against = (values < 0).sum(axis=1).tolist()
        return [b",".join(pairs[row * width : row * width + count]) for row, count in enumerate(against)]


def _columns(batch: Batch) -> list[list[bytes]]:
    """The values of each number, then of each text, a list per input, in canonical JSON."""
    return [*_numbers(batch.numbers.T), *([orjson.dumps(value) for value in values] for values in batch.texts)]


def _numbers(columns: np.ndarray) -> list[list[bytes]]:
    if not len(columns):
        return []
    text = orjson.dumps(np.ascontiguousarray(columns), option=orjson.OPT_SERIALIZE_NUMPY)
    texts = text[2:-2].split(b"],[")
    if b"e" in text or b"0.0000" in text:  # in exponents orjson and Python differ
        for at, values in enumerate(columns.tolist()):
            if b"e" in texts[at] or b"0.0000" in texts[at]:
                texts[at] = canonical_json([None if value != value else value for value in values])[1:-1]
    return [column.split(b",") for column in texts]


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
