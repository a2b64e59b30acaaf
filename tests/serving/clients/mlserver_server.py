"""MLServer over the scorecard, as a control: ``mlserver_server.py FD``, a socket that listens already.

It runs without parallel workers: with the newest packages they die at once (see ``docs/clients.md``).
"""

from __future__ import annotations

import asyncio
import socket
import sys
import tempfile
from typing import Any

from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.errors import InferenceError
from mlserver.rest import server as rest
from mlserver.settings import ModelParameters
from mlserver.types import InferenceRequest, InferenceResponse, MetadataTensor, ResponseOutput
from scorecard import NUMBERS, answer

NAME, VERSION = "scorecard", "1"
TENSORS = [*((name, "FP32") for name in NUMBERS), ("purpose", "BYTES")]


class Scorecard(MLModel):
    """The model."""

    async def load(self) -> bool:
        """There is nothing to load."""
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer from the scorecard."""
        columns = {tensor.name: _values(tensor) for tensor in payload.inputs}
        if missing := [name for name, _ in TENSORS if name not in columns]:
            raise InferenceError(f"there is no input {', '.join(missing)}")
        rows = zip(*(columns[name] for name, _ in TENSORS), strict=True)
        answers = [answer(dict(zip((name for name, _ in TENSORS), row, strict=True))) for row in rows]
        outputs = [
            ResponseOutput(name=name, datatype=kind, shape=[len(answers)], data=[one[at] for one in answers])
            for at, (name, kind) in enumerate((("score", "FP32"), ("decision", "BYTES")))
        ]
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=outputs)


class OnSocket(rest._NoSignalServer):
    """Its own server, on the socket that was handed over."""

    async def serve(self, sockets: Any = None) -> None:
        """Serve there."""
        await super().serve([socket.socket(fileno=int(sys.argv[1]))])


def _values(tensor: Any) -> list[Any]:
    if tensor.datatype == "BYTES":
        return StringCodec.decode_input(tensor)
    return NumpyCodec.decode_input(tensor).ravel().tolist()


async def main() -> None:
    """Serve until SIGTERM."""
    rest._NoSignalServer = OnSocket
    settings = Settings(
        debug=False,
        parallel_workers=0,
        host="127.0.0.1",
        grpc_port=0,
        metrics_endpoint=None,
        metrics_dir=tempfile.mkdtemp(),
        load_models_at_startup=False,
    )
    model = ModelSettings(
        name=NAME,
        implementation=Scorecard,
        parameters=ModelParameters(version=VERSION),
        inputs=[MetadataTensor(name=name, datatype=kind, shape=[-1, 1]) for name, kind in TENSORS],
        outputs=[
            MetadataTensor(name="score", datatype="FP32", shape=[-1]),
            MetadataTensor(name="decision", datatype="BYTES", shape=[-1]),
        ],
    )
    await MLServer(settings).start([model])


if __name__ == "__main__":
    asyncio.run(main())
