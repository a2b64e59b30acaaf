"""What a bare app does with a request, whatever the HTTP stack: orjson, ONNX Runtime, orjson. MODEL is the graph."""

from __future__ import annotations

import asyncio
import os

import numpy as np
import onnxruntime as ort
import orjson

TOGETHER = 64
"""The most rows of a batch."""

options = ort.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
session = ort.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
probabilities = session.get_outputs()[-1].name


def score(rows: list[list[float]]) -> list[float]:
    """The probability of the positive class of each row."""
    [scores] = session.run([probabilities], {"rows": np.array(rows, dtype=np.float32)})
    return np.asarray(scores)[:, 1].tolist()


def answer(body: bytes) -> bytes:
    """The response to one request."""
    return orjson.dumps({"predictions": score(orjson.loads(body)["instances"])})


class Batcher:
    """Answers what has come in one turn of the event loop with one run of the model."""

    def __init__(self) -> None:
        self._waiting: list[tuple[list[list[float]], asyncio.Future[list[float]]]] = []

    async def answer(self, body: bytes) -> bytes:
        """The response to one request, together with others."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[float]] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._run)
        self._waiting.append((orjson.loads(body)["instances"], future))
        if len(self._waiting) == TOGETHER:
            self._run()
        return orjson.dumps({"predictions": await future})

    def _run(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        scores = score([row for rows, _ in waiting for row in rows])
        at = 0
        for rows, future in waiting:
            if not future.cancelled():
                future.set_result(scores[at : at + len(rows)])
            at += len(rows)
