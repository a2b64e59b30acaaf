"""KServe's own ``InferenceRESTClient``, for its v1 protocol and for the Open Inference Protocol v2."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig
from kserve.protocol.infer_type import RequestedOutput
from operations import Case, read_case, report, same

Check = Callable[[], Coroutine[Any, Any, None]]


def v2(case: Case) -> dict[str, Check]:
    """The calls of the second protocol."""

    async def ask(call: str, *arguments: Any) -> Any:
        async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
            return await getattr(client, call)(case.url, *arguments)

    async def live() -> None:
        same("live", await ask("is_server_live"), True)

    async def ready() -> None:
        same("ready", await ask("is_server_ready"), True)

    async def model_ready() -> None:
        same("ready", await ask("is_model_ready", case.model), True)

    async def infer(*, binary: bool) -> None:
        result = await ask("infer", request(case, binary=binary), case.model)
        there = {output.name: output for output in result.outputs}
        case.check(there["score"].as_numpy(), there["decision"].as_numpy())
        same("id", result.id, "kserve-1")

    return {
        "v2 live": live,
        "v2 ready": ready,
        "v2 model ready": model_ready,
        "v2 infer JSON": lambda: infer(binary=False),
        "v2 infer binary": lambda: infer(binary=True),
    }


def v1(case: Case) -> dict[str, Check]:
    """The calls of the first protocol; this client cannot ask there whether the server is ready."""

    async def ask(call: str, *arguments: Any) -> Any:
        async with InferenceRESTClient(RESTConfig(protocol="v1")) as client:
            return await getattr(client, call)(case.url, *arguments)

    async def live() -> None:
        same("live", await ask("is_server_live"), True)

    async def model_ready() -> None:
        same("ready", await ask("is_model_ready", case.model), True)

    async def predict() -> None:
        result = await ask("infer", {"instances": case.rows}, case.model)
        case.check(*zip(*((one["score"], one["decision"]) for one in result["predictions"]), strict=True))

    return {"v1 live": live, "v1 model ready": model_ready, "v1 predict": predict}


def request(case: Case, *, binary: bool) -> InferRequest:
    """The rows of the case as the client's own request."""
    inputs = []
    for tensor in case.inputs:
        values = np.array(tensor["data"], dtype=object if tensor["datatype"] == "BYTES" else np.float32).reshape(-1, 1)
        inputs.append(InferInput(tensor["name"], list(values.shape), tensor["datatype"]))
        inputs[-1].set_data_from_numpy(values, binary_data=binary)
    outputs = [RequestedOutput(name, {"binary_data": binary}) for name in ("score", "decision")]
    return InferRequest(case.model, inputs, "kserve-1", request_outputs=outputs)


if __name__ == "__main__":
    logging.disable()
    the_case = read_case()
    report(v2(the_case) | v1(the_case))
