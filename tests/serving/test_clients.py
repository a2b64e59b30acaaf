"""The protocols as others' clients speak them, against a real server."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import httpx
import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # gevent's own, on import
    import tritonclient.http as triton
    import tritonclient.http.aio as triton_aio

from .clients.matrix import CLIENTS, MODEL, ask, case_of
from .clients.operations import OK
from .clients.servers import Server, serve
from .exact import scorecard

pytestmark = pytest.mark.slow

COUNT = 17
LEAVING = 600.0  # seconds for which a server that was asked to leave serves on: until the test ends it
Ask = Callable[..., dict[str, str]]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """What becomes of each operation of a client, against a server that stays or one that is about to leave.

    Each client runs once, and once more where it is given a case whose scores are wrong.
    """
    folder = tmp_path_factory.mktemp("clients")
    package = scorecard(folder / "package").folder
    with (
        serve(package, folder, MODEL) as staying,
        serve(package, folder, MODEL, drain_seconds=LEAVING) as leaving,
    ):
        ask_to_leave(leaving)

        @cache
        def of(client: str, *, wrong: bool = False) -> dict[str, str]:
            case = case_of((leaving if client.endswith("leaving") else staying).url)
            scores = [score / 2 for score in case.score]
            return ask(client, replace(case, score=scores) if wrong else case)

        yield of


def ask_to_leave(server: Server) -> None:
    """SIGTERM, and wait until it is not ready."""
    server.process.terminate()
    end = time.monotonic() + 20
    while httpx.get(f"{server.url}/v2/health/ready", trust_env=False).status_code != 503:
        assert time.monotonic() < end, "it is still ready"
        time.sleep(0.02)


@pytest.mark.parametrize(("name", "operation"), [(name, one) for name in CLIENTS for one in CLIENTS[name].operations])
def test_every_operation_of_every_client_is_served(asked, name, operation):
    assert asked(name)[operation] == OK


@pytest.mark.parametrize("name", CLIENTS)
def test_no_client_does_what_the_list_leaves_out(asked, name):
    assert sorted(asked(name)) == sorted(CLIENTS[name].operations)


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_that_was_told_other_scores_says_so(asked, name):
    client, outcomes = CLIENTS[name], asked(name, wrong=True)
    assert [one for one in client.inferences if not outcomes[one].startswith("Wrong: score is ")] == []
    assert [one for one in client.questions if outcomes[one] != asked(name)[one]] == []


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
    contributions = result.as_numpy("contributions")
    assert (contributions is None) == (wanted is None)  # they come when they are named
    assert contributions is None or contributions.shape == (COUNT, 4)
    decisions = [text.decode() if isinstance(text, bytes) else text for text in result.as_numpy("decision")]
    assert decisions == ["1" if value >= 0.5 else "0" for value in score]


@pytest.mark.parametrize(
    ("model", "left_out", "message"),
    [("other", 0, "of models this server has loan in version 1"), ("loan", 1, "lacks purpose")],
)
def test_triton_understands_a_refusal(client, made, model, left_out, message):
    inputs = inputs_of(made, triton, in_binary=True)[: len(made.serving.inputs) - left_out]
    with pytest.raises(triton.InferenceServerException, match=message):
        client.infer(model, inputs)


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
