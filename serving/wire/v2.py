"""Open Inference Protocol v2: requests to tensors, answers and metadata to JSON.

Source: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md; the binary tensor
extension and the repository index are Triton's (see ``binary``).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from types import NoneType
from typing import Any, NamedTuple

import numpy as np
import orjson

from trivet.core.inference import CONTRIBUTIONS, DECISION, SCORE
from trivet.serving.engine import Answer, Engine
from trivet.serving.errors import BadInput
from trivet.serving.tensors import Tensor, datatype
from trivet.serving.wire import binary
from trivet.serving.wire.base import (
    JSON,
    Asked,
    Encoded,
    Fields,
    Identity,
    Wire,
    a_flag,
    an_array,
    an_object,
    checked_id,
    colons,
    parameters_of,
    parse,
    refuse_twins,
)

OCTETS = b"application/octet-stream"
JSON_LENGTH = b"inference-header-content-length"
MAX_NAME = 256
NOT_OFFERED = ("classification", "shared_memory_region")  # Triton's extensions that change what an output is
USUAL = (SCORE, DECISION)
IN_A_TENSOR = 4  # members: name, datatype, shape and data, or the parameters that stand for the latter
ALL_JSON = binary.Reader(b"")  # a body without binary tensors has nothing to take


class Wanted(NamedTuple):
    """An output that the client asked for."""

    name: str
    binary: bool


USUALLY_WANTED = {in_binary: [Wanted(name, in_binary) for name in USUAL] for in_binary in (False, True)}


def decode(body: bytes, fields: Fields) -> Asked:
    """Read the body of an infer request.

    :raises BadInput: when it is not a request of the protocol.
    """
    text, raw = body, ALL_JSON
    if JSON_LENGTH in fields:
        size = _json_length(fields[JSON_LENGTH], len(body))
        text, raw = body[:size], binary.Reader(body[size:])
    request = an_object(parse(text), "The body")
    inputs = request.get("inputs")
    if type(inputs) is not list or not inputs:
        raise BadInput("The request has no inputs.")
    tensors = [_tensor(item, raw) for item in inputs]
    raw.finish()
    in_binary = "parameters" in request and a_flag(parameters_of(request, "The request"), "binary_data_output")
    outputs = request.get("outputs")
    if not outputs and type(outputs) in (list, NoneType):
        names, wanted = USUAL, USUALLY_WANTED[in_binary]
    else:
        wanted = [_wanted(item, in_binary) for item in an_array(outputs, "outputs")]
        names = tuple(one.name for one in wanted)
        if len(set(names)) != len(names):
            raise BadInput("An output is asked for twice.")
    if (found := colons(text)) > len(request) + IN_A_TENSOR * len(tensors):
        members = _members(request, outputs or ()) + raw.taken
        if found > members:
            refuse_twins(members, text)
    return Asked(checked_id(request.get("id")), tensors, outputs=names, reply=wanted)


def encode(asked: Asked, answer: Answer, identity: Identity, request_id: str) -> Encoded:
    """The body of an infer response; where it ends in binary tensors, a field says how long its JSON is."""
    outputs = [_output(wanted, answer) for wanted in asked.reply]
    head = b'{%b,"id":%b,"parameters":{%b},"outputs":[%b]}' % (
        identity.model_members,
        orjson.dumps(request_id),
        identity.package_member,
        b",".join([member for member, _ in outputs]),
    )
    tail = b"".join([raw for _, raw in outputs])
    if not tail:
        return Encoded(head)
    return Encoded(head + tail, OCTETS, ((JSON_LENGTH, b"%d" % len(head)),))


def _output(wanted: Wanted, answer: Answer) -> tuple[bytes, bytes]:
    """An output in JSON, and the bytes that belong to it where it is binary."""
    name, in_binary = wanted
    rows = len(answer.decision)
    values: np.ndarray | list[str]
    if name == DECISION:
        head, values = b'{"name":"decision","datatype":"BYTES","shape":[%d]' % rows, answer.decision
    elif name == SCORE:
        head, values = b'{"name":"score","datatype":"FP32","shape":[%d]' % rows, answer.score
    else:
        assert answer.contributions is not None  # noqa: S101  the service refused what the model does not have
        head = b'{"name":"contributions","datatype":"FP32","shape":[%d,%d]' % answer.contributions.shape
        values = answer.contributions.ravel()
    if in_binary:
        raw = binary.encode(values)
        return b'%b,"parameters":{"binary_data_size":%d}}' % (head, len(raw)), raw
    if name == CONTRIBUTIONS:
        return b'%b,"data":%b}' % (head, orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)), b""
    return b'%b,"data":[%b]}' % (head, b",".join(answer.spelled if name == SCORE else answer.said)), b""


WIRE = Wire(frozenset((b"", JSON, OCTETS)), decode, encode)


def server_metadata(version: str) -> dict[str, Any]:
    """The answer to ``GET /v2``."""
    return {"name": "trivet", "version": version, "extensions": ["binary_tensor_data", "model_repository"]}


def model_metadata(engine: Engine, model: str, version: str) -> dict[str, Any]:
    """The answer to ``GET /v2/models/{name}``; -1 stands for rows."""
    outputs = {SCORE: [-1], DECISION: [-1]}
    if engine.serving.contributions:
        outputs[CONTRIBUTIONS] = [-1, len(engine.features)]
    return {
        "name": model,
        "versions": [version],
        "platform": "onnxruntime_onnx",
        "parameters": {"package": engine.digest},
        "inputs": [
            {"name": column.name, "datatype": datatype(column), "shape": [-1, 1]} for column in engine.serving.inputs
        ],
        "outputs": [{"name": name, "datatype": _datatype(name), "shape": shape} for name, shape in outputs.items()],
    }


def index_wants_ready_only(body: bytes) -> bool:
    """Read the body of ``POST /v2/repository/index``, which may be empty.

    :raises BadInput: when it is neither that nor an object.
    """
    return bool(body) and a_flag(an_object(parse(body), "The body"), "ready")


def _json_length(given: bytes, size: int) -> int:
    """Bytes of JSON before the binary tensors."""
    if not given.isdigit() or len(given) > 20 or int(given) > size:
        raise BadInput("Inference-Header-Content-Length is no number of bytes of this body.")
    return int(given)


def _members(request: dict[str, Any], outputs: Sequence[dict[str, Any]]) -> int:
    """How many members the objects of a request have, but for those that only some of its tensors have."""
    own = len(request) + len(request.get("parameters") or ()) + IN_A_TENSOR * len(request["inputs"])
    return own + sum([len(output) + len(output.get("parameters") or ()) for output in outputs])


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
    data = item.get("data")
    if data is None:
        size = parameters_of(item, f"Input {name}").get("binary_data_size")
        if type(size) is not int or size < 0:
            raise BadInput(f"Input {name} has no data.")
        data = binary.decode(raw.take(size, name), kind, name)
    elif type(data) is not list:
        raise BadInput(f"The data of input {name} is no JSON array.")
    elif data and type(data[0]) is list:
        data = _flat(data, shape, name)
    return Tensor(name, kind, shape, data)


def _flat(data: list[Any], shape: Sequence[int], name: str) -> list[Any]:
    """Row-major values of an array that is nested as the shape says."""
    for size in shape[1:]:
        if not data or type(data[0]) is not list:
            break
        if not all(type(part) is list and len(part) == size for part in data):
            raise BadInput(f"The data of input {name} is not nested as its shape says.")
        data = list(chain.from_iterable(data))
    return data


def _wanted(item: Any, in_binary: bool) -> Wanted:
    output = an_object(item, "Each of outputs")
    name = output.get("name")
    if type(name) is not str or len(name) > MAX_NAME:
        raise BadInput(f"Each of outputs has a name of at most {MAX_NAME} characters.")
    parameters = parameters_of(output, f"Output {name}")
    for extension in NOT_OFFERED:
        if parameters.get(extension):
            raise BadInput(f"Output {name} asks for {extension}, which this server does not offer.")
    return Wanted(name, a_flag(parameters, "binary_data", in_binary))
