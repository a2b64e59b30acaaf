"""One model under a name and a version: the bytes of a request to the bytes of its response. Knows no transport."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from time import thread_time
from typing import NamedTuple

import orjson

from trivet.core.inference import CONTRIBUTIONS, DECISION, SCORE, request_of
from trivet.serving.capture import Scribe
from trivet.serving.engine import Answer, Engine
from trivet.serving.errors import BadInput, TooLarge
from trivet.serving.tensors import Batch
from trivet.serving.wire import v2
from trivet.serving.wire.base import Asked, Fields, Identity, Wire

INLINE_SECONDS = 0.001  # a request that takes longer is not worked on in the event loop
INLINE_BYTES = 64 << 10
TRIAL_SECONDS = 0.02


class Done(NamedTuple):
    """A response that may leave once ``records`` are written."""

    id: str
    rows: int
    body: bytes
    type: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    records: Callable[[], bytes] | None  # writes them, for it need not be done before the response leaves


class Service:
    """An engine under a name and a version, with or without records. Safe to use from several threads."""

    def __init__(
        self, engine: Engine, model: str, version: str, scribe: Scribe | None = None, max_rows: int | None = None
    ) -> None:
        """Measure how large a request may be to be answered in passing.

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
        self.inline_bytes = self._measure()

    def infer(self, wire: Wire, body: bytes, fields: Fields, request_id: str) -> Done:
        """Answer one request.

        :param request_id: the id to use where the body has none.
        :raises BadInput: when the request is wrong.
        :raises ModelFailed: when the model gives no finite answer.
        """
        asked = wire.decode(body, fields)
        contributions = self._reasons
        for name in asked.outputs:
            if name not in self._outputs:
                raise BadInput(f"The model has no output {name!r}; it gives {', '.join(self._outputs)}.")
            contributions = contributions or name == CONTRIBUTIONS
        batch = self._check(asked)
        answer = self.engine.predict(batch, contributions=contributions)
        request_id = asked.id or request_id
        records = partial(self._scribe.lines, datetime.now(UTC), request_id, batch, answer) if self._scribe else None
        if answer.contributions is not None and CONTRIBUTIONS not in asked.outputs:
            answer = Answer(answer.score, answer.decision, None)  # they were for the record
        encoded = wire.encode(asked, answer, self.identity, request_id)
        return Done(request_id, batch.rows, encoded.body, encoded.type, encoded.fields, records)

    def _check(self, asked: Asked) -> Batch:
        if self._max_rows is not None and asked.size > self._max_rows:
            raise TooLarge(
                f"The request has more than the {self._max_rows} rows that this server takes.", "Send fewer."
            )
        if asked.tensors is not None:
            return self.engine.check.tensors(asked.tensors)
        if asked.cells is not None:
            return self.engine.check.cells(asked.cells)
        return self.engine.check.rows(asked.rows or ())

    def _measure(self) -> int:
        """Bytes of a request that take ``INLINE_SECONDS`` of processor time, from the quickest of some golden ones."""
        body = orjson.dumps(request_of(self.engine.golden.rows, self.engine.serving))
        seconds: list[float] = []
        while sum(seconds) < TRIAL_SECONDS:
            start = thread_time()
            done = self.infer(v2.WIRE, body, {}, "golden")
            if done.records is not None:
                done.records()
            seconds.append(thread_time() - start)
        return min(INLINE_BYTES, int(len(body) * INLINE_SECONDS / min(seconds)))
