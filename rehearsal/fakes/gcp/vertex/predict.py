"""A request to an endpoint, on its way to a container and back."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any

from google.cloud import aiplatform_v1 as api
from google.protobuf import json_format

from trivet.rehearsal.fakes.gcp.refusals import STATUSES, invalid, refused
from trivet.rehearsal.fakes.gcp.vertex.endpoints import get
from trivet.rehearsal.fakes.gcp.vertex.serving import Server
from trivet.rehearsal.fakes.gcp.vertex.state import Vertex
from trivet.rehearsal.fakes.refusing import Answer, Refused
from trivet.rehearsal.fakes.served import Reply
from trivet.rehearsal.fakes.server import Request

LARGEST = 1_572_864  # bytes
_LONGEST = 3600.0  # seconds, where answers may take as long as they want
# What a proxy keeps to itself; RFC 9110, 7.6.1, and what says who asks. An answer travels as a google.api.HttpBody, in
# which there is no word of how it was encoded: so the container is asked for none.
_KEPT = {
    *("host", "connection", "keep-alive", "transfer-encoding", "te", "upgrade", "content-length", "authorization"),
    "accept-encoding",
}
_CODES = {status: code for code, status in reversed(STATUSES.items())}


def predict(vertex: Vertex, name: str, request: Request) -> Answer:
    """Have a container answer in JSON.

    :raises Refused: with what the container said, where it did not answer well.
    """
    server, reply = _asked(vertex, name, request, {"Content-Type": "application/json"})
    _check_good(reply)
    shown = server.version.shown
    try:
        content = json.loads(reply.body)
        answer = api.PredictResponse.pb(api.PredictResponse())
        given = {key: content[key] for key in ("predictions", "metadata") if key in content}
        json_format.ParseDict(given, answer)
        predictions = content["predictions"]
    except (ValueError, KeyError, TypeError, AttributeError, json_format.ParseError) as error:
        said = "The response of the container is no JSON object with a list of predictions."
        raise refused("INTERNAL", said) from error
    whole: dict[str, Any] = {
        "predictions": predictions,
        "deployedModelId": server.name,
        "model": shown.name,
        "modelDisplayName": shown.display_name,
        "modelVersionId": shown.version_id,
    }
    whole |= {"metadata": content["metadata"]} if "metadata" in content else {}
    return 200, [("Content-Type", "application/json; charset=UTF-8")], json.dumps(whole).encode()


def raw_predict(vertex: Vertex, name: str, request: Request) -> Answer:
    """Pass a request on as it is, and the answer back as it is."""
    passed = {key: value for key, value in request.headers.items() if key not in _KEPT}
    server, reply = _asked(vertex, name, request, passed)
    _check_good(reply)
    headers = [
        ("Content-Type", reply.headers.get("content-type", "application/octet-stream")),
        ("X-Vertex-AI-Endpoint-Id", name.rpartition("/")[2]),
        ("X-Vertex-AI-Deployed-Model-Id", server.name),
    ]
    return reply.status, headers, reply.body


def _asked(vertex: Vertex, name: str, request: Request, headers: dict[str, str]) -> tuple[Server, Reply]:
    demand = vertex.world.constraints.demand
    said = f"Request payload size exceeds the limit: {LARGEST} bytes."
    demand("payload", len(request.body) <= LARGEST, invalid(said))
    with vertex.lock:
        server = get(vertex, name).choose()
    try:
        reply = _reply(vertex, server, request, headers)
    finally:
        server.release()
    said = f"Response size too large. Received at least {len(reply.body)} bytes; max is {LARGEST}."
    demand("payload", len(reply.body) <= LARGEST, refused("FAILED_PRECONDITION", said))
    return server, reply


def _reply(vertex: Vertex, server: Server, request: Request, headers: dict[str, str]) -> Reply:
    bounded = vertex.world.constraints.holds("answer-time")
    seconds = vertex.world.settings.invocation if bounded else _LONGEST
    try:
        return server.ask("POST", server.predict, headers, request.body, seconds)
    except TimeoutError as error:
        said = f"The container of DeployedModel {server.name} did not answer within {seconds:.0f} s."
        raise refused("DEADLINE_EXCEEDED", said) from error
    except ConnectionRefusedError as error:
        raise refused("UNAVAILABLE", "The model server is currently unavailable.") from error
    except (OSError, http.client.HTTPException) as error:
        raise refused("INTERNAL", "The container ended before it had answered.") from error


def _check_good(reply: Reply) -> None:
    """:raises Refused: with the container's own status and words, where it did not answer well."""
    if 200 <= reply.status < 300:
        return
    usual = "FAILED_PRECONDITION" if reply.status < 500 else "INTERNAL"
    raise Refused(_CODES.get(reply.status, usual), reply.body.decode(errors="replace"), reply.status)


METHODS: dict[str, Callable[[Vertex, str, Request], Answer]] = {"Predict": predict, "RawPredict": raw_predict}
