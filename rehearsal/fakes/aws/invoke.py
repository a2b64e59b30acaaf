"""SageMaker's runtime: a request to an endpoint, on its way to a container and back."""

from __future__ import annotations

import http.client
import threading
import time
from typing import Any

from trivet.rehearsal.fakes.aws.endpoint import KIND, Endpoint
from trivet.rehearsal.fakes.aws.metrics import Metrics
from trivet.rehearsal.fakes.aws.models import CONFIG
from trivet.rehearsal.fakes.aws.refusals import Answer, Refused, invalid
from trivet.rehearsal.fakes.aws.serving import Reply, Server
from trivet.rehearsal.fakes.aws.state import ACCOUNT, Region

LARGEST = 6_291_456  # bytes; InvokeEndpointInput.Body
_SERVERLESS = 4 << 20
# Members that a container gets as headers; all other headers of a request are dropped.
_PASSED = {
    "ContentType": "Content-Type",
    "Accept": "Accept",
    "CustomAttributes": "X-Amzn-SageMaker-Custom-Attributes",
    "InferenceId": "X-Amzn-SageMaker-Inference-Id",
    "SessionId": "X-Amzn-SageMaker-Session-Id",
}
_RETURNED = ("content-type", "x-amzn-sagemaker-custom-attributes", "x-amzn-sagemaker-new-session-id")
_LATE = (
    "Your invocation timed out while waiting for a response from container primary. Review the latency metrics for each"
    " container in Amazon CloudWatch, resolve the issue, and try again."
)


def invoke_endpoint(region: Region, request: dict[str, Any], metrics: Metrics) -> Answer:
    """Have a container answer.

    :param request: the members of InvokeEndpointInput.
    :raises Refused: ModelError with what the container said, where it did not answer well.
    """
    endpoint: Endpoint = region.get(
        KIND,
        request["EndpointName"],
        f"Endpoint {request['EndpointName']} of account {ACCOUNT} not found.",
    )
    config = region.find(CONFIG, endpoint.config)
    if config is not None and "AsyncInferenceConfig" in config.request:
        raise invalid(f"Endpoint {endpoint.name} is asynchronous: it takes InvokeEndpointAsync only.")
    server = endpoint.choose(request.get("TargetVariant", ""))
    try:
        return _pass_on(region, endpoint, server, request, metrics)
    finally:
        server.release()


def _pass_on(region: Region, endpoint: Endpoint, server: Server, request: dict[str, Any], metrics: Metrics) -> Answer:
    body = request.get("Body", b"")
    largest = _SERVERLESS if "ServerlessConfig" in server.variant else LARGEST
    region.world.constraints.demand(
        "invocation-body", len(body) <= largest, f"Request body of {len(body)} bytes exceeds the limit of {largest}."
    )
    headers = headers_of(request)
    _copy_to_shadows(endpoint, headers, body)
    reply = _timed(region, endpoint, server, metrics, headers, body)
    if not 200 <= reply.status < 300:
        raise _model_error(region, endpoint, server, reply.status, reply.body.decode(errors="replace"))
    passed = [(name, reply.headers[name]) for name in _RETURNED if name in reply.headers]
    return 200, [*passed, ("x-Amzn-Invoked-Production-Variant", server.name)], reply.body


def headers_of(request: dict[str, Any]) -> dict[str, str]:
    """The headers that a container gets of a request."""
    return {name: str(request[member]) for member, name in _PASSED.items() if member in request}


def _timed(
    region: Region, endpoint: Endpoint, server: Server, metrics: Metrics, headers: dict[str, str], body: bytes
) -> Reply:
    bounded = region.world.constraints.holds("invocation-time")
    begun, status = time.monotonic(), 0
    try:
        reply = server.invoke(headers, body, region.world.settings.invocation if bounded else 3600)
        status = reply.status
        return reply
    except TimeoutError as error:
        raise _model_error(region, endpoint, server, 0, _LATE) from error
    except ConnectionRefusedError as error:
        raise Refused("ServiceUnavailable", "The service is currently unavailable.", 503) from error
    except (OSError, http.client.HTTPException) as error:
        raise _model_error(region, endpoint, server, 0, "The container ended before it had answered.") from error
    finally:
        metrics.invoked(region.name, endpoint.name, server.config, server.name, status, time.monotonic() - begun)


def _copy_to_shadows(endpoint: Endpoint, headers: dict[str, str], body: bytes) -> None:
    fleet = endpoint.fleet
    for shadow in fleet.shadows.values() if fleet else ():
        threading.Thread(target=_drop_answer, args=(shadow, headers, body), daemon=True).start()


def _drop_answer(shadow: Server, headers: dict[str, str], body: bytes) -> None:
    try:
        shadow.invoke(headers, body, 60)
    except (OSError, http.client.HTTPException):
        return


def _model_error(region: Region, endpoint: Endpoint, server: Server, status: int, said: str) -> Refused:
    kind = "client" if 400 <= status < 500 else "server"
    group = f"/aws/sagemaker/Endpoints/{endpoint.name}"
    message = (
        f'Received {kind} error ({status}) from primary with message "{said[:1024]}". See {group} in account {ACCOUNT}'
        f" and region {region.name} for more information."
    )
    details = {"OriginalStatusCode": status, "OriginalMessage": said[:1024], "LogStreamArn": server.log.arn}
    return Refused("ModelError", message, 424, details)
