"""One model on one endpoint: the bytes of a request to the bytes of its response. Knows no transport."""

from __future__ import annotations

from time import thread_time
from typing import NamedTuple

import orjson

from trivet.core.inference import CONTRIBUTIONS, request_of
from trivet.serving.capture import Scribe
from trivet.serving.engine import Engine
from trivet.serving.wire import v2

INLINE_SECONDS = 0.001  # a request that takes longer is not worked on in the event loop
INLINE_BYTES = 64 << 10
TRIAL_SECONDS = 0.02


class Done(NamedTuple):
    """A response that may leave once ``records`` are written."""

    id: str
    rows: int
    body: bytes
    json_length: int | None  # where binary tensors follow the JSON
    records: bytes


class Service:
    """An engine under a name and a version, with or without records."""

    def __init__(self, engine: Engine, model: str, version: str, scribe: Scribe | None = None) -> None:
        """Measure how large a request may be to be answered in passing.

        :raises NotReady: when the engine does not answer its golden request.
        """
        engine.self_test()
        self.engine = engine
        self.model = model
        self.version = version
        self._scribe = scribe
        self._reasons = scribe is not None and engine.serving.contributions
        self.inline_bytes = self._measure()

    def infer(self, body: bytes, json_length: int | None, request_id: str) -> Done:
        """Answer one infer request of the Open Inference Protocol v2.

        :param request_id: the id to use where the body has none.
        :raises BadInput: when the request is wrong.
        :raises ModelFailed: when the model gives no finite answer.
        """
        request = v2.decode(body, json_length)
        v2.check_outputs(request, self.engine)
        batch = self.engine.check(request.tensors)
        asked = not request.outputs or any(wanted.name == CONTRIBUTIONS for wanted in request.outputs)
        answer = self.engine.predict(batch, contributions=asked or self._reasons)
        request_id = request.id or request_id
        records = self._scribe.lines(request_id, batch, answer) if self._scribe else b""
        reply, head = v2.encode(answer, request, self.engine, self.model, self.version, request_id)
        return Done(request_id, batch.rows, reply, head, records)

    def _measure(self) -> int:
        """Bytes of a request that take ``INLINE_SECONDS`` of processor time, from the quickest of some golden ones."""
        body = orjson.dumps(request_of(self.engine.golden.rows, self.engine.serving))
        seconds: list[float] = []
        while sum(seconds) < TRIAL_SECONDS:
            start = thread_time()
            self.infer(body, None, "golden")
            seconds.append(thread_time() - start)
        return min(INLINE_BYTES, int(len(body) * INLINE_SECONDS / min(seconds)))
