"""The protocol as others' clients speak it, against a real server."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # gevent's own, on import
    import tritonclient.http as triton
    import tritonclient.http.aio as triton_aio

COUNT = 17


@pytest.fixture
def server(start, made):
    return start(made)


@pytest.fixture
def client(server) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(server.url.removeprefix("http://")) as client:
        yield client


def inputs_of(made, library: Any, *, in_binary: bool) -> list[Any]:
    """The same rows as the client's own tensors."""
    inputs = []
    for tensor in made.request(COUNT)["inputs"]:
        kind = object if tensor["datatype"] == "BYTES" else np.float32
        values = np.array(tensor["data"], dtype=kind).reshape(tensor["shape"])
        inputs.append(library.InferInput(tensor["name"], tensor["shape"], tensor["datatype"]))
        has_missing = kind is np.float32 and bool(np.isnan(values).any())  # this client cannot write null
        inputs[-1].set_data_from_numpy(values, binary_data=in_binary or has_missing)
    return inputs


def test_triton_health_and_metadata(client, made):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("loan")
    assert client.is_model_ready("loan", "1")
    assert not client.is_model_ready("loan", "2")
    assert not client.is_model_ready("other")
    assert client.get_server_metadata()["name"] == "trivet"
    assert client.get_model_metadata("loan")["versions"] == ["1"]
    assert client.get_model_metadata("loan", "1")["inputs"][0]["name"] == "amount"


@pytest.mark.parametrize("version", ["", "1"])
@pytest.mark.parametrize("binary_in", [False, True])
@pytest.mark.parametrize("binary_out", [None, False, True])
def test_triton_infer(client, made, version, binary_in, binary_out):
    wanted = None
    if binary_out is not None:
        names = ("score", "decision", "contributions")
        wanted = [triton.InferRequestedOutput(name, binary_data=binary_out) for name in names]
    result = client.infer(
        "loan", inputs_of(made, triton, in_binary=binary_in), model_version=version, outputs=wanted, request_id="t-1"
    )
    response = result.get_response()
    assert response["id"] == "t-1"
    assert response["parameters"]["package"] == made.digest
    score = result.as_numpy("score")
    assert score.dtype == np.float32
    assert np.abs(score - made.scores(COUNT)).max() < 1e-5
    assert result.as_numpy("contributions").shape == (COUNT, 4)
    decisions = [text.decode() if isinstance(text, bytes) else text for text in result.as_numpy("decision")]
    assert decisions == ["1" if value >= 0.5 else "0" for value in score]


@pytest.mark.parametrize(
    ("model", "change", "message"),
    [("other", {}, "has model loan"), ("loan", {"compression": "gzip"}, "without compression"), ("loan", {}, "lacks")],
)
def test_triton_understands_a_refusal(client, made, model, change, message):
    inputs = inputs_of(made, triton, in_binary=True)
    if message == "lacks":
        inputs.pop()
    with pytest.raises(triton.InferenceServerException, match=message):
        client.infer(model, inputs, request_compression_algorithm=change.get("compression"))


def test_triton_over_asyncio(server, made):
    async def ask() -> Any:
        async with triton_aio.InferenceServerClient(server.url.removeprefix("http://")) as client:
            assert await client.is_server_ready()
            result = await client.infer("loan", inputs_of(made, triton_aio, in_binary=True))
            return result.as_numpy("score")

    assert np.abs(asyncio.run(ask()) - made.scores(COUNT)).max() < 1e-5


@pytest.mark.parametrize("http1", [True, False])
def test_httpx(server, made, http1):
    """Kept connections and new ones, and several requests at once on each client."""

    async def ask() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=4, max_keepalive_connections=4 if http1 else 0)
        async with httpx.AsyncClient(trust_env=False, limits=limits) as client:
            return await asyncio.gather(
                *[client.post(f"{server.model}/infer", json=made.request(3, start)) for start in range(20)]
            )

    for start, response in enumerate(asyncio.run(ask())):
        outputs = {output["name"]: output["data"] for output in response.json()["outputs"]}
        assert np.abs(np.array(outputs["score"]) - made.scores(3, start)).max() < 1e-5
