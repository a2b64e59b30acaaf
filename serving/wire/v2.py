"""Open Inference Protocol v2: requests to tensors, answers and metadata to JSON.

Source: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md; the binary tensor
extension is Triton's (see ``binary``).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import orjson

from trivet.core.inference import CONTRIBUTIONS, DECISION, SCORE
from trivet.serving.engine import Answer, Engine
from trivet.serving.errors import BadInput
from trivet.serving.tensors import Tensor, datatype
from trivet.serving.wire import binary

MAX_ID = 128
MAX_NAME = 256
NOT_OFFERED = ("classification", "shared_memory_region")  # Triton's extensions that change what an output is


class Wanted(NamedTuple):
    """An output that the client asked for."""

    name: str
    binary: bool


class Request(NamedTuple):
    """A request as the protocol reads it; nothing in it was compared with a model yet."""

    id: str
    tensors: list[Tensor]
    outputs: list[Wanted]  # empty: every output
    binary: bool  # whether outputs are binary where the request does not say


def decode(body: bytes, json_length: int | None = None) -> Request:
    """Read the body of an infer request.

    :param json_length: bytes of JSON before the binary tensors; none where all is JSON.
    :raises BadInput: when it is not a request of the protocol.
    """
    raw = binary.Reader(body, json_length)
    try:
        request = orjson.loads(raw.json)
    except orjson.JSONDecodeError as error:
        raise BadInput(f"The body is no JSON: {error}.") from error
    inputs = _object(request, "The body").get("inputs")
    if type(inputs) is not list or not inputs:
        raise BadInput("The request has no inputs.")
    tensors = [_tensor(item, raw) for item in inputs]
    raw.finish()
    outputs = request.get("outputs")
    wanted = [] if outputs is None else [_wanted(item) for item in _list(outputs, "outputs")]
    in_binary = _parameters(request, "The request").get("binary_data_output") is True
    return Request(_id(request.get("id")), tensors, wanted, in_binary)


def encode(
    answer: Answer, request: Request, engine: Engine, model: str, version: str, request_id: str
) -> tuple[bytes, int | None]:
    """The body of an infer response and, where it ends in binary tensors, the length of its JSON."""
    there: dict[str, np.ndarray | list[str]] = {SCORE: answer.score, DECISION: answer.decision}
    if answer.contributions is not None:
        there[CONTRIBUTIONS] = answer.contributions
    tail: list[bytes] = []
    outputs = []
    for name, in_binary in request.outputs or [Wanted(name, request.binary) for name in outputs_of(engine)]:
        values = there[name]
        shape, flat = ([len(values)], values) if isinstance(values, list) else (values.shape, values.ravel())
        output: dict[str, Any] = {"name": name, "datatype": _datatype(name), "shape": shape}
        if in_binary:
            tail.append(binary.encode(flat))
            output["parameters"] = {"binary_data_size": len(tail[-1])}
        else:
            output["data"] = flat
        outputs.append(output)
    head = orjson.dumps(
        {
            "model_name": model,
            "model_version": version,
            "id": request_id,
            "parameters": {"package": engine.digest},
            "outputs": outputs,
        },
        option=orjson.OPT_SERIALIZE_NUMPY,
    )
    return b"".join([head, *tail]), len(head) if tail else None


def outputs_of(engine: Engine) -> dict[str, list[int]]:
    """Every output of a model with its shape; -1 stands for rows."""
    outputs = {SCORE: [-1], DECISION: [-1]}
    return outputs | ({CONTRIBUTIONS: [-1, len(engine.features)]} if engine.serving.contributions else {})


def check_outputs(request: Request, engine: Engine) -> None:
    """Refuse outputs that the model does not have, before it computes anything.

    :raises BadInput: naming one.
    """
    there = outputs_of(engine)
    for wanted in request.outputs:
        if wanted.name not in there:
            raise BadInput(f"The model has no output {wanted.name!r}; it gives {', '.join(there)}.")


def server_metadata(version: str) -> dict[str, Any]:
    """The answer to ``GET /v2``."""
    return {"name": "trivet", "version": version, "extensions": ["binary_tensor_data"]}


def model_metadata(engine: Engine, model: str, version: str) -> dict[str, Any]:
    """The answer to ``GET /v2/models/{name}``."""
    return {
        "name": model,
        "versions": [version],
        "platform": "onnxruntime_onnx",
        "parameters": {"package": engine.digest},
        "inputs": [
            {"name": column.name, "datatype": datatype(column), "shape": [-1, 1]} for column in engine.serving.inputs
        ],
        "outputs": [
            {"name": name, "datatype": _datatype(name), "shape": shape} for name, shape in outputs_of(engine).items()
        ],
    }


def _datatype(output: str) -> str:
    return "BYTES" if output == DECISION else "FP32"


def _tensor(item: Any, raw: binary.Reader) -> Tensor:
    try:
        name, kind, shape = item["name"], item["datatype"], item["shape"]
    except (TypeError, KeyError):
        raise BadInput("Each input is an object with name, datatype, shape and data.") from None
    if type(name) is not str or type(kind) is not str or len(name) + len(kind) > MAX_NAME:
        raise BadInput(f"The name and the datatype of an input are strings of at most {MAX_NAME} characters.")
    if type(shape) is not list or set(map(type, shape)) != {int}:
        raise BadInput(f"The shape of input {name} is no list of whole numbers.")
    if "data" in item:
        data = _flat(_list(item["data"], f"The data of input {name}"), shape, name)
    else:
        size = _parameters(item, f"Input {name}").get("binary_data_size")
        if type(size) is not int or size < 0:
            raise BadInput(f"Input {name} has no data.")
        data = binary.decode(raw.take(size, name), kind, name)
    return Tensor(name, kind, shape, data)


def _flat(data: list[Any], shape: Sequence[int], name: str) -> list[Any]:
    """Row-major values, whether they came flat or nested as the shape says."""
    for size in shape[1:]:
        if not data or type(data[0]) is not list:
            break
        if not all(type(part) is list and len(part) == size for part in data):
            raise BadInput(f"The data of input {name} is not nested as its shape says.")
        data = list(chain.from_iterable(data))
    return data


def _wanted(item: Any) -> Wanted:
    output = _object(item, "Each of outputs")
    name = output.get("name")
    if type(name) is not str or len(name) > MAX_NAME:
        raise BadInput(f"Each of outputs has a name of at most {MAX_NAME} characters.")
    parameters = _parameters(output, f"Output {name}")
    for extension in NOT_OFFERED:
        if parameters.get(extension):
            raise BadInput(f"Output {name} asks for {extension}, which this server does not offer.")
    return Wanted(name, parameters.get("binary_data") is True)


def _id(value: Any) -> str:
    if value is None:
        return ""
    if type(value) is not str or len(value) > MAX_ID:
        raise BadInput(f"The id of a request is a string of at most {MAX_ID} characters.")
    return value


def _parameters(item: dict[str, Any], what: str) -> dict[str, Any]:
    value = item.get("parameters")
    return {} if value is None else _object(value, f"{what}: parameters")


def _object(value: Any, what: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise BadInput(f"{what} is no JSON object.")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if type(value) is not list:
        raise BadInput(f"{what} is no JSON array.")
    return value
