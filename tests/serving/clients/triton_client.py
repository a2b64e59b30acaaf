"""NVIDIA's ``tritonclient[http]``: its fourteen calls of the protocol, and compressed responses."""

from __future__ import annotations

import json
import warnings
from http.client import HTTPConnection
from typing import Any

import numpy as np
from operations import Case, Wrong, read_case, report, same

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # gevent's own, on import
    import tritonclient.http as triton

REPEATED = 64  # times the rows of a case: a response that is worth compressing
LENGTH = "Inference-Header-Content-Length"


def operations(case: Case, client: triton.InferenceServerClient) -> dict[str, Any]:
    """Every operation by its name."""

    def infer(*, in_binary: bool = False, out_binary: bool = False, **options: Any) -> None:
        outputs = [triton.InferRequestedOutput(name, binary_data=out_binary) for name in ("score", "decision")]
        result = client.infer(case.model, tensors(case, in_binary=in_binary), outputs=outputs, **options)
        case.check(result.as_numpy("score"), result.as_numpy("decision"))
        given = ["binary_data_size" in (one.get("parameters") or {}) for one in result.get_response()["outputs"]]
        same("which outputs are in binary", given, [out_binary, out_binary])

    def packed(coding: str) -> None:
        infer(request_compression_algorithm=coding)
        infer(in_binary=True, request_compression_algorithm=coding)  # the length of the JSON part is of the unpacked

    def infer_as_usual() -> None:
        result = client.infer(case.model, tensors(case), request_id="triton-1")
        case.check(result.as_numpy("score"), result.as_numpy("decision"))
        same("id", result.get_response().get("id"), "triton-1")

    def index() -> None:
        there = [one for one in client.get_model_repository_index() if one["name"] == case.model]
        same("state", [one.get("state") for one in there], ["READY"])

    return {
        "server live": lambda: same("live", client.is_server_live(), True),
        "server ready": lambda: same("ready", client.is_server_ready(), True),
        "model ready": lambda: same("ready", client.is_model_ready(case.model), True),
        "model ready with version": lambda: same("ready", client.is_model_ready(case.model, case.version), True),
        "server metadata": lambda: server(client.get_server_metadata()),
        "model metadata": lambda: model(case, client.get_model_metadata(case.model)),
        "model metadata with version": lambda: model(case, client.get_model_metadata(case.model, case.version)),
        "infer JSON, no content type": infer_as_usual,
        "infer with version": lambda: infer(model_version=case.version),
        "binary in": lambda: infer(in_binary=True),
        "binary out": lambda: infer(in_binary=True, out_binary=True),
        "gzip request": lambda: packed("gzip"),
        "deflate request": lambda: packed("deflate"),
        "repository index": index,
        "gzip response": lambda: compressed(case, client, "gzip"),
        "deflate response": lambda: compressed(case, client, "deflate"),
    }


def tensors(case: Case, *, in_binary: bool = False, times: int = 1) -> list[triton.InferInput]:
    """The rows of the case as the client's own inputs."""
    made = []
    for tensor in case.inputs:
        kind = object if tensor["datatype"] == "BYTES" else np.float32
        values = np.array(tensor["data"] * times, dtype=kind).reshape(-1, 1)
        made.append(triton.InferInput(tensor["name"], list(values.shape), tensor["datatype"]))
        made[-1].set_data_from_numpy(values, binary_data=in_binary)
    return made


def server(metadata: dict[str, Any]) -> None:
    """What a server must say of itself."""
    for name in ("name", "version", "extensions"):
        if name not in metadata:
            raise Wrong(f"the server's metadata has no {name}")


def model(case: Case, metadata: dict[str, Any]) -> None:
    """What a server must say of a model that it serves in this version."""
    same("name", metadata["name"], case.model)
    same("inputs", [tensor["name"] for tensor in metadata["inputs"]], case.names)
    same("outputs", [tensor["name"] for tensor in metadata["outputs"]][:2], ["score", "decision"])
    if metadata.get("versions"):  # the protocol leaves them to the server
        same("versions", metadata["versions"], [case.version])


def compressed(case: Case, client: triton.InferenceServerClient, coding: str) -> None:
    """Infer as the client does, and once by hand: the client does not tell whether an answer was compressed."""
    given = tensors(case, times=REPEATED)
    outputs = [triton.InferRequestedOutput(name, binary_data=False) for name in ("score", "decision")]
    result = client.infer(case.model, given, outputs=outputs, response_compression_algorithm=coding)
    whole = Case(**(vars(case) | {"score": case.score * REPEATED, "decision": case.decision * REPEATED}))
    whole.check(result.as_numpy("score"), result.as_numpy("decision"))

    body, _ = client.generate_request_body(given, outputs=outputs)
    connection = HTTPConnection(case.address, timeout=30)
    try:
        connection.request("POST", f"/v2/models/{case.model}/infer", body, {"Accept-Encoding": coding})
        answer = connection.getresponse()
        packed = answer.read()
    finally:
        connection.close()
    same("status", answer.status, 200)
    same("content-encoding", answer.getheader("Content-Encoding"), coding)
    result = client.parse_response_body(packed, content_encoding=coding)
    whole.check(result.as_numpy("score"), result.as_numpy("decision"))
    if len(packed) >= len(json.dumps(result.get_response())):
        raise Wrong("what is said to be compressed is not shorter")


if __name__ == "__main__":
    the_case = read_case()
    with triton.InferenceServerClient(the_case.address) as the_client:
        report(operations(the_case, the_client))
