"""``open-inference-openapi``: generated from the protocol's document, strict about every answer, with typed errors."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

from open_inference.openapi import InferenceRequest, RequestInput
from open_inference.openapi.client import AsyncOpenInferenceClient, OpenInferenceClient
from open_inference.openapi.core.api_error import ApiError
from open_inference.openapi.errors import BadRequestError, NotFoundError, ServiceUnavailableError
from operations import Case, Wrong, read_case, report, same


def operations(case: Case, client: OpenInferenceClient) -> dict[str, Callable[[], Any]]:
    """Every operation by its name."""
    named, versioned = (case.model,), (case.model, case.version)

    async def at_once() -> None:
        async_client = AsyncOpenInferenceClient(base_url=case.url)
        for result in await asyncio.gather(
            *[async_client.model_infer(*named, request=request(case)) for _ in range(4)]
        ):
            decided(case, result)

    return {
        "server live": client.check_server_liveness,
        "server ready": client.check_server_readiness,
        "model ready": lambda: client.check_model_readiness(*named),
        "model ready with version": lambda: client.check_model_version_readiness(*versioned),
        "server metadata": client.read_server_metadata,
        "model metadata": lambda: described(case, client.read_model_metadata(*named)),
        "model metadata with version": lambda: described(case, client.read_model_version_metadata(*versioned)),
        "infer": lambda: decided(case, client.model_infer(*named, request=request(case))),
        "infer with version": lambda: decided(case, client.model_version_infer(*versioned, request=request(case))),
        "infer at once, asyncio": at_once,
        "typed error: no such model": lambda: refused(NotFoundError, client.check_model_readiness, "nobody"),
        "typed error: no such version": lambda: refused(
            NotFoundError, client.check_model_version_readiness, case.model, "nobody"
        ),
        "typed error: an input lacks": lambda: refused(
            BadRequestError, client.model_infer, case.model, request=request(case, leave_out=1)
        ),
        "typed error: metadata of no such model": lambda: refused(ApiError, client.read_model_metadata, "nobody"),
    }


def of_a_leaving_server(case: Case, client: OpenInferenceClient) -> dict[str, Callable[[], Any]]:
    """What a client must be told by a server that was asked to leave and still serves."""
    named, versioned = (case.model,), (case.model, case.version)
    return {
        "server live": client.check_server_liveness,
        "server not ready": lambda: refused(ServiceUnavailableError, client.check_server_readiness),
        "model not ready": lambda: refused(ServiceUnavailableError, client.check_model_readiness, *named),
        "model not ready with version": lambda: refused(
            ServiceUnavailableError, client.check_model_version_readiness, *versioned
        ),
        "infer": lambda: decided(case, client.model_infer(*named, request=request(case))),
    }


def request(case: Case, leave_out: int = 0) -> InferenceRequest:
    """The rows of the case as the client's own request."""
    inputs = [
        RequestInput(name=one["name"], shape=[len(one["data"]), 1], datatype=one["datatype"], data=one["data"])
        for one in case.inputs[leave_out:]
    ]
    return InferenceRequest(id="openinference-1", inputs=inputs)


def described(case: Case, metadata: Any) -> None:
    """What a server must say of a model."""
    same("name", metadata.name, case.model)
    same("inputs", [tensor.name for tensor in metadata.inputs], case.names)
    same("outputs", [tensor.name for tensor in metadata.outputs][:2], ["score", "decision"])


def decided(case: Case, result: Any) -> None:
    """What a server must say of the rows."""
    same("id", result.id, "openinference-1")
    there = {output.name: output.data.__root__ for output in result.outputs}
    case.check(there["score"], there["decision"])


def refused(wanted: type[ApiError], call: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    """Hold that a call raises just this error, with the sentence that the protocol wants in its body."""
    try:
        call(*arguments, **named)
    except ApiError as error:
        same("error", type(error), wanted)
        if not (error.body and isinstance(error.body.get("error"), str) and error.body["error"]):
            raise Wrong(f"the body of the error is {error.body!r}") from None
        return
    raise Wrong("it was not refused")


if __name__ == "__main__":
    the_case = read_case()
    the_client = OpenInferenceClient(base_url=the_case.url)
    of = of_a_leaving_server if sys.argv[1:] == ["leaving"] else operations
    report(of(the_case, the_client))
