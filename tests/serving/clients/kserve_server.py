"""KServe's model server over the scorecard, as a control: ``kserve_server.py FD``, a socket that listens already."""

from __future__ import annotations

import socket
import sys
from typing import Any
from uuid import uuid4

import numpy as np
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer, model_server
from kserve.errors import InvalidInput
from kserve.protocol.rest.server import RESTServer
from scorecard import NUMBERS, answer

NAME = "scorecard"
TENSORS = [*((name, "FP32") for name in NUMBERS), ("purpose", "BYTES")]
OUTPUTS = [("score", "FP32"), ("decision", "BYTES")]


class Scorecard(Model):
    """The model, for both of KServe's protocols."""

    def load(self) -> bool:
        """There is nothing to load."""
        self.ready = True
        return True

    def get_input_types(self) -> list[dict[str, Any]]:
        """Its inputs, for the metadata."""
        return [{"name": name, "datatype": kind, "shape": [-1, 1]} for name, kind in TENSORS]

    def get_output_types(self) -> list[dict[str, Any]]:
        """Its outputs, for the metadata."""
        return [{"name": name, "datatype": kind, "shape": [-1]} for name, kind in OUTPUTS]

    def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:
        """Answer from the scorecard."""
        names = [name for name, _ in TENSORS]
        if not isinstance(payload, InferRequest):
            answers = [answer(dict(zip(names, row, strict=True))) for row in payload["instances"]]
            return {"predictions": [{"score": score, "decision": decision} for score, decision in answers]}
        if missing := [name for name in names if payload.get_input_by_name(name) is None]:
            raise InvalidInput(f"there is no input {', '.join(missing)}")
        given = [_values(payload.get_input_by_name(name)) for name in names]
        answers = [answer(dict(zip(names, row, strict=True))) for row in zip(*given, strict=True)]
        columns = {
            "score": np.array([score for score, _ in answers], dtype=np.float32),
            "decision": np.array([decision for _, decision in answers], dtype=object),
        }
        return InferResponse(
            payload.id or str(uuid4()),
            self.name,
            [InferOutput(name, [len(answers)], kind, columns[name]) for name, kind in OUTPUTS],
            use_binary_outputs=payload.use_binary_outputs,
            requested_outputs=payload.request_outputs,
        )


class OnLoopback(RESTServer):
    """Its own server knows no other address than 0.0.0.0."""

    async def start(self) -> None:
        """Serve on the socket that was handed over."""
        self.create_application()
        await self._server.serve(sockets=[socket.socket(fileno=int(sys.argv[1]))])


def _values(tensor: Any) -> list[Any]:
    return [value.decode() if isinstance(value, bytes) else value for value in tensor.as_numpy().ravel().tolist()]


if __name__ == "__main__":
    model_server.RESTServer = OnLoopback
    the_model = Scorecard(NAME)
    the_model.load()
    ModelServer(workers=1, enable_grpc=False).start([the_model])
