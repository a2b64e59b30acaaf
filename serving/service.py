"""One model under a name and a version: the bytes of requests to the bytes of their responses. Knows no transport."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import accumulate
from time import thread_time
from typing import NamedTuple

import orjson

from trivet.core.inference import CONTRIBUTIONS, DECISION, SCORE, request_of
from trivet.serving.capture import Scribe
from trivet.serving.engine import Answer, Engine
from trivet.serving.errors import BadInput, TooLarge
from trivet.serving.tensors import Values
from trivet.serving.wire import v2
from trivet.serving.wire.base import Asked, Fields, Identity, Wire

INLINE_SECONDS = 0.001  # a request that takes longer is not worked on in the event loop
INLINE_BYTES = 64 << 10
TRIAL_SECONDS = 0.02
SIZES = (*range(2, 65), 96, 128, 256, 512, 1024, 2048)  # rows of several requests in one call of the model
SIZES_SECONDS = 0.05


Records = Callable[[], bytes]  # renders them, for that need not be done before the responses leave


class Call(NamedTuple):
    """A request as its transport hands it on."""

    wire: Wire
    body: bytes
    fields: Fields
    id: str  # to use where the body has none


class Done(NamedTuple):
    """A response."""

    id: str
    rows: int
    body: bytes
    type: bytes
    fields: tuple[tuple[bytes, bytes], ...]


class Outcome(NamedTuple):
    """What became of calls, in their order; the responses may leave once ``records`` are written."""

    each: Sequence[Done | Exception]
    records: Records | None  # of all

    def then(self, more: Outcome) -> Outcome:
        """This and what became of further calls."""
        records = [one.records for one in (self, more) if one.records is not None]
        return Outcome([*self.each, *more.each], partial(_all_of, records) if records else None)

    @property
    def rows(self) -> int:
        """That were decided, and are to be recorded."""
        return sum(one.rows for one in self.each if type(one) is Done)


class Service:
    """An engine under a name and a version, with or without records. Safe to use from several threads."""

    def __init__(
        self, engine: Engine, model: str, version: str, scribe: Scribe | None = None, max_rows: int | None = None
    ) -> None:
        """Measure how large a request may be to be answered in passing, and see whether several may share a call.

        :param max_rows: rows that a request may have; none for any number.
        :raises NotReady: when the engine does not answer its golden request.
        """
        engine.self_test()
        self.engine = engine
        self.model = model
        self.version = version
        self.name = f"{model}/{version}"
        has_reasons = engine.serving.contributions
        self.identity = Identity(model, version, engine.digest, engine.features, has_reasons)
        self.fields = ((b"trivet-model", self.name.encode()), (b"trivet-package", engine.digest.encode()))
        self._scribe = scribe
        self._max_rows = max_rows
        self._outputs = (SCORE, DECISION, CONTRIBUTIONS) if has_reasons else (SCORE, DECISION)
        self._reasons = scribe is not None and has_reasons
        self._most_together = engine.proven_together(SIZES, SIZES_SECONDS)
        self.inline_bytes = self._measure()

    def infer(self, calls: Sequence[Call]) -> Outcome:
        """Answer calls, in one call of the model where that changes no bit of an answer.

        In place of a response there is ``BadInput`` for a call that is wrong, or ``ModelFailed`` where the model gives
        no finite answer; the others have their response nevertheless.
        """
        if len(calls) <= self._most_together:
            try:
                return Outcome(*self._infer(calls))
            except Exception as error:  # noqa: BLE001  the caller's to tell, once it is known whose it is
                if len(calls) == 1:
                    return Outcome([error], None)
        half = len(calls) // 2
        return self.infer(calls[:half]).then(self.infer(calls[half:]))

    def infer_one(self, call: Call) -> Done:
        """Answer one call that is not recorded.

        :raises BadInput: when it is wrong.
        :raises ModelFailed: when the model gives no finite answer.
        """
        [done], _ = self._infer([call])
        return done

    def _infer(self, calls: Sequence[Call]) -> tuple[list[Done], Records | None]:
        """Answer all calls, or none."""
        all_asked = [call.wire.decode(call.body, call.fields) for call in calls]
        contributions = self._reasons
        for asked in all_asked:
            contributions = self._wants_contributions(asked) or contributions
        values = [self._read(asked) for asked in all_asked]
        ends = list(accumulate(one.rows for one in values))
        if len(calls) > 1 and ends[-1] > self._most_together:
            raise TooLarge("These are more rows than may share a call.")
        batch = self.engine.check.batch(values)
        answer = self.engine.predict(batch, contributions=contributions)
        ids = [asked.id or call.id for asked, call in zip(all_asked, calls, strict=True)]
        done = [
            self._encode(call, asked, answer.rows(end - one.rows, end), request_id)
            for call, asked, one, end, request_id in zip(calls, all_asked, values, ends, ids, strict=True)
        ]
        if self._scribe is None:
            return done, None
        rows = [(one, value.rows) for one, value in zip(ids, values, strict=True)]
        return done, partial(self._scribe.lines, datetime.now(UTC), rows, batch, answer)

    def _wants_contributions(self, asked: Asked) -> bool:
        for name in asked.outputs:
            if name not in self._outputs:
                raise BadInput(f"The model has no output {name!r}; it gives {', '.join(self._outputs)}.")
        return CONTRIBUTIONS in asked.outputs

    def _read(self, asked: Asked) -> Values:
        if self._max_rows is not None and asked.size > self._max_rows:
            raise TooLarge(
                f"The request has more than the {self._max_rows} rows that this server takes.", "Send fewer."
            )
        check = self.engine.check
        if asked.tensors is not None:
            return check.tensors(asked.tensors)
        return check.rows(asked.rows or ()) if asked.cells is None else check.cells(asked.cells)

    def _encode(self, call: Call, asked: Asked, answer: Answer, request_id: str) -> Done:
        if answer.contributions is not None and CONTRIBUTIONS not in asked.outputs:
            answer = Answer(answer.score, answer.decision, None)  # they were for the record, or for another
        body, kind, fields = call.wire.encode(asked, answer, self.identity, request_id)
        return Done(request_id, len(answer.decision), body, kind, fields)

    def _measure(self) -> int:
        """Bytes of a request that take ``INLINE_SECONDS`` of processor time, from the quickest of some golden ones."""
        body = orjson.dumps(request_of(self.engine.golden.rows, self.engine.serving))
        seconds: list[float] = []
        while sum(seconds) < TRIAL_SECONDS:
            start = thread_time()
            _, records = self._infer([Call(v2.WIRE, body, {}, "golden")])
            if records is not None:
                records()
            seconds.append(thread_time() - start)
        return min(INLINE_BYTES, int(len(body) * INLINE_SECONDS / min(seconds)))


def _all_of(records: Sequence[Records]) -> bytes:
    return b"".join(lines() for lines in records)
