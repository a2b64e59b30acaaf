"""One model under a name and a version: the bytes of requests to the bytes of their responses. Knows no transport."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import accumulate
from time import thread_time
from typing import NamedTuple

import orjson

from trivet.core.inference import CONTRIBUTIONS, DECISION, SCORE, request_of
from trivet.serving.engine import Answer, Engine
from trivet.serving.errors import BadInput, TooLarge
from trivet.serving.scribe import Decided, Scribe, render
from trivet.serving.tensors import Values
from trivet.serving.wire import v2
from trivet.serving.wire.base import Asked, Fields, Identity, Wire

INLINE_SECONDS = 0.001  # a request that takes longer is not worked on in the event loop
INLINE_BYTES = 64 << 10
TRIAL_SECONDS = 0.02
SIZES = (*range(2, 65), 96, 128, 256, 512, 1024, 2048)  # rows of several requests in one call of the model
SIZES_SECONDS = 0.05


class Call(NamedTuple):
    """A request as its transport hands it on."""

    wire: Wire
    body: bytes
    fields: Fields
    id: str  # to use where the body has none


class Draft(NamedTuple):
    """A request that was read: what it asks, and its values, which the model's bounds were not held to yet."""

    id: str
    wire: Wire
    asked: Asked
    values: Values


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
    records: Sequence[Decided]  # of all; to be rendered, which need not be done before the responses leave


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
        self.identity = Identity(model, version, engine.digest, engine.features)
        self.fields = ((b"trivet-model", self.name.encode()), (b"trivet-package", engine.digest.encode()))
        self._scribe = scribe
        self._max_rows = max_rows
        self._outputs = (SCORE, DECISION, CONTRIBUTIONS) if has_reasons else (SCORE, DECISION)
        self._reasons = scribe is not None and not scribe.lazy and has_reasons
        engine.prove_together(SIZES, SIZES_SECONDS)
        self.inline_bytes = self._measure()

    def infer(self, calls: Sequence[Call]) -> Outcome:
        """Answer calls, in one call of the model where that changes no bit of an answer.

        In place of a response there is ``BadInput`` for a call that is wrong, or ``ModelFailed`` where the model gives
        no finite answer; the others have their response nevertheless.
        """
        drafts: list[Draft | Exception] = []
        for call in calls:
            try:
                drafts.append(self._read(call))
            except Exception as error:  # noqa: BLE001  the caller's to tell
                drafts.append(error)
        decided, records = self._decide([draft for draft in drafts if isinstance(draft, Draft)])
        left = iter(decided)
        return Outcome([draft if isinstance(draft, Exception) else next(left) for draft in drafts], records)

    def infer_one(self, call: Call) -> Done:
        """Answer one call that is not recorded.

        :raises BadInput: when it is wrong.
        :raises ModelFailed: when the model gives no finite answer.
        """
        [done], _ = self._decide_at_once([self._read(call)])
        return done

    def _decide(self, drafts: Sequence[Draft]) -> tuple[list[Done | Exception], list[Decided]]:
        """At once where that may be; else, or where one of them is wrong, by halves."""
        if not drafts:
            return [], []
        if len(drafts) == 1 or sum(draft.values.rows for draft in drafts) <= self.engine.most_together:
            try:
                done, records = self._decide_at_once(drafts)
            except Exception as error:  # noqa: BLE001  the caller's to tell, once it is known whose it is
                if len(drafts) == 1:
                    return [error], []
            else:
                return [*done], records
        half = len(drafts) // 2
        left, left_records = self._decide(drafts[:half])
        right, right_records = self._decide(drafts[half:])
        return left + right, left_records + right_records

    def _decide_at_once(self, drafts: Sequence[Draft]) -> tuple[list[Done], list[Decided]]:
        """In one call of the model: all, or none."""
        ends = list(accumulate(draft.values.rows for draft in drafts))
        batch = self.engine.check.batch([draft.values for draft in drafts])
        contributions = self._reasons or any(CONTRIBUTIONS in draft.asked.outputs for draft in drafts)
        answer = self.engine.predict(batch, contributions=contributions)
        done = [
            self._encode(draft, answer.rows(end - draft.values.rows, end))
            for draft, end in zip(drafts, ends, strict=True)
        ]
        if self._scribe is None:
            return done, []
        requests = [(draft.id, draft.values.rows) for draft in drafts]
        return done, [Decided(self._scribe, datetime.now(UTC), requests, batch, answer)]

    def _read(self, call: Call) -> Draft:
        asked = call.wire.decode(call.body, call.fields)
        for name in asked.outputs:
            if name not in self._outputs:
                raise BadInput(f"The model has no output {name!r}; it gives {', '.join(self._outputs)}.")
        if self._max_rows is not None and asked.size > self._max_rows:
            raise TooLarge(
                f"The request has more than the {self._max_rows} rows that this server takes.", "Send fewer."
            )
        check = self.engine.check
        if asked.tensors is not None:
            values = check.tensors(asked.tensors)
        elif asked.cells is not None:
            values = check.cells(asked.cells)
        else:
            values = check.rows(asked.rows or ())
        return Draft(asked.id or call.id, call.wire, asked, values)

    def _encode(self, draft: Draft, answer: Answer) -> Done:
        if answer.contributions is not None and CONTRIBUTIONS not in draft.asked.outputs:
            answer = answer._replace(contributions=None)  # they were for the record, or for another
        body, kind, fields = draft.wire.encode(draft.asked, answer, self.identity, draft.id)
        return Done(draft.id, len(answer.decision), body, kind, fields)

    def _measure(self) -> int:
        """Bytes of a request that take ``INLINE_SECONDS`` of processor time, from the quickest of some golden ones."""
        body = orjson.dumps(request_of(self.engine.golden.rows, self.engine.serving))
        seconds: list[float] = []
        while sum(seconds) < TRIAL_SECONDS:
            start = thread_time()
            _, records = self._decide_at_once([self._read(Call(v2.WIRE, body, {}, "golden"))])
            render(records)
            seconds.append(thread_time() - start)
        return min(INLINE_BYTES, int(len(body) * INLINE_SECONDS / min(seconds)))
