"""The Open Inference Protocol v2, called in process: every field both ways, and nonsense of every kind."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trivet import __version__
from trivet.serving.config import ServerConfig
from trivet.serving.engine import Engine
from trivet.serving.http.app import App
from trivet.serving.log import Log
from trivet.serving.service import Service

from .inprocess import Response, exchange

INFER = "/v2/models/loan/infer"


Call = Callable[..., Response]


@pytest.fixture(scope="module")
def config(made) -> ServerConfig:
    models = ({"name": "loan", "version": "1", "package": made.folder},)
    return ServerConfig.parse({"models": models, "endpoint": "loans", "port": 0, "max_body_bytes": 50_000}, "the test")


@pytest.fixture(scope="module")
def service(made) -> Service:
    return Service(Engine.open(made.folder), "loan", "1")


@pytest.fixture(scope="module")
def call(config, service) -> Call:
    """One request to a ready application, without a socket."""

    def run(method: str, path: str, body: bytes | dict = b"", headers: dict[str, str] | None = None) -> Response:
        app = App(config, Log("error"))
        app.publish(service)
        return exchange(app, method, path, body, headers or {})

    return run


def outputs(response: Response) -> dict[str, list[Any]]:
    """Data of a response by output."""
    assert response.status == 200, response.body
    return {output["name"]: output["data"] for output in response.json["outputs"]}


@pytest.mark.parametrize("path", [INFER, "/v2/models/loan/versions/1/infer"])
def test_infer(call, made, path):
    response = call("POST", path, made.request(3, request_id="abc"))
    assert response.json["model_name"] == "loan"
    assert response.json["model_version"] == "1"
    assert response.json["id"] == "abc"
    assert response.json["parameters"] == {"package": made.digest}
    by_name = {output["name"]: output for output in response.json["outputs"]}
    assert by_name["score"]["datatype"] == "FP32"
    assert by_name["score"]["shape"] == [3]
    assert by_name["decision"]["datatype"] == "BYTES"
    assert by_name["contributions"]["shape"] == [3, 4]
    assert np.abs(np.array(by_name["score"]["data"]) - made.scores(3)).max() < 1e-5


def test_an_id_is_made_where_none_is_given(call, made):
    first, second = (call("POST", INFER, made.request()) for _ in range(2))
    assert first.json["id"] != second.json["id"]
    assert first.headers["x-request-id"] == first.json["id"]


def test_the_callers_request_id_is_taken_over(call, made):
    response = call("POST", INFER, made.request(), {"X-Request-ID": "trace-7"})
    assert response.json["id"] == response.headers["x-request-id"] == "trace-7"


def test_an_id_in_the_body_may_be_any_string_and_never_becomes_a_header(call, made):
    response = call("POST", INFER, made.request(request_id="a\r\nSet-Cookie: b ü"))
    assert response.json["id"] == "a\r\nSet-Cookie: b ü"
    assert response.headers["x-request-id"].isalnum()


def test_a_request_id_that_could_break_a_header_or_a_log_is_not(call, made):
    assert call("POST", INFER, made.request(), {"X-Request-ID": "a b"}).headers["x-request-id"] != "a b"


def test_requested_outputs_are_honoured_in_order(call, made):
    request = made.request(2) | {"outputs": [{"name": "decision"}, {"name": "score"}]}
    assert list(outputs(call("POST", INFER, request))) == ["decision", "score"]


def test_nested_data_is_row_major(call, made):
    request = made.request(3)
    flat = outputs(call("POST", INFER, request))
    for tensor in request["inputs"]:
        tensor["data"] = [[value] for value in tensor["data"]]
    assert outputs(call("POST", INFER, request)) == flat


def test_fields_that_other_clients_add_are_ignored(call, made):
    request = made.request() | {"model_name": "loan", "parameters": {"content_type": "pd"}}
    request["inputs"][0]["parameters"] = {"content_type": "np"}
    assert call("POST", INFER, request).status == 200


def binary_request(made, count: int) -> tuple[bytes, int]:
    """The same request with all its data in binary."""
    request = made.request(count)
    tail = b""
    for tensor in request["inputs"]:
        data = tensor.pop("data")
        if tensor["datatype"] == "FP32":
            raw = np.array(data, dtype="<f4").tobytes()
        else:
            raw = b"".join(struct.pack("<I", len(text)) + text.encode() for text in data)
        tensor["parameters"] = {"binary_data_size": len(raw)}
        tail += raw
    head = json.dumps(request | {"parameters": {"binary_data_output": True}}).encode()
    return head + tail, len(head)


def test_binary_tensors_say_the_same_as_json(call, made):
    count = 40
    expected = outputs(call("POST", INFER, made.request(count)))
    body, length = binary_request(made, count)
    response = call("POST", INFER, body, {"Inference-Header-Content-Length": str(length)})
    assert response.status == 200
    assert response.headers["content-type"] == "application/octet-stream"
    split = int(response.headers["inference-header-content-length"])
    head, rest = json.loads(response.body[:split]), response.body[split:]
    sizes = {output["name"]: output["parameters"]["binary_data_size"] for output in head["outputs"]}
    score = np.frombuffer(rest[: sizes["score"]], dtype="<f4")
    assert score.tolist() == np.array(expected["score"], dtype=np.float32).tolist()
    texts = rest[sizes["score"] : sizes["score"] + sizes["decision"]]
    assert texts == b"".join(struct.pack("<I", len(text)) + text.encode() for text in expected["decision"])
    assert len(rest) == sum(sizes.values())


@pytest.mark.parametrize(
    ("length", "cut", "message"),
    [(10**6, None, "no number of bytes of this body"), (None, -1, "ends before"), (None, 10**6, "belong to no input")],
)
def test_binary_tensors_that_do_not_fit_are_refused(call, made, length, cut, message):
    body, right = binary_request(made, 1)
    body = body + b"\0" if cut and cut > 0 else body[:cut]
    response = call("POST", INFER, body, {"Inference-Header-Content-Length": str(length or right)})
    assert response.status == 400
    assert message in response.json["error"]


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_infinity_in_binary_is_refused(call, made, value):
    request = made.request(1)
    request["inputs"][1].pop("data")
    request["inputs"][1]["parameters"] = {"binary_data_size": 4}
    head = json.dumps(request).encode()
    length = {"Inference-Header-Content-Length": str(len(head))}
    assert call("POST", INFER, head + struct.pack("<f", value), length).status == 400
    assert call("POST", INFER, head + struct.pack("<f", math.nan), length).status == 200


def test_metadata(call, made):
    server = call("GET", "/v2").json
    assert server == {
        "name": "trivet",
        "version": __version__,
        "extensions": ["binary_tensor_data", "model_repository"],
    }
    for path in ("/v2/models/loan", "/v2/models/loan/versions/1"):
        model = call("GET", path).json
        assert (model["name"], model["versions"], model["platform"]) == ("loan", ["1"], "onnxruntime_onnx")
        assert model["parameters"] == {"package": made.digest}
        assert model["inputs"][3] == {"name": "purpose", "datatype": "BYTES", "shape": [-1, 1]}
        assert {put["name"]: put["shape"] for put in model["outputs"]} == {
            "score": [-1],
            "decision": [-1],
            "contributions": [-1, 4],
        }


@pytest.mark.parametrize(
    "path", ["/v2/health/live", "/v2/health/ready", "/v2/models/loan/ready", "/v2/models/loan/versions/1/ready"]
)
def test_health(call, path):
    assert call("GET", path).status == 200


def test_empty_and_draining_are_alive_but_not_ready(config, service, made):
    app = App(config, Log("error"))
    for path in ("/v2/health/ready", "/v2/models/loan/ready"):
        assert exchange(app, "GET", path, b"", {}).status == 503
    empty = exchange(app, "POST", INFER, made.request(), {})
    assert empty.status == 503
    assert empty.headers["retry-after"] == "1"
    assert exchange(app, "GET", "/v2/models/loan", b"", {}).status == 503
    assert exchange(app, "GET", "/v2/health/live", b"", {}).status == 200
    app.publish(service)
    assert exchange(app, "GET", "/v2/health/ready", b"", {}).status == 200
    app.drain()
    assert exchange(app, "GET", "/v2/health/ready", b"", {}).status == 503
    served = exchange(app, "POST", INFER, made.request(), {})
    assert served.status == 200
    assert served.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v2/models", 404),
        ("GET", "/v2/models/other", 404),
        ("POST", "/v2/models/other/infer", 404),
        ("POST", "/v2/models/loan/versions/2/infer", 404),
        ("GET", "/v2/models/../models/loan", 404),
        ("GET", INFER, 405),
        ("DELETE", "/v2", 405),
    ],
)
def test_wrong_routes(call, method, path, status):
    response = call(method, path)
    assert response.status == status
    assert list(response.json) == ["error"]
    assert ("allow" in response.headers) == (status == 405)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Content-Type": "Application/JSON"}, 200),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Encoding": "br"}, 415),
        ({"Content-Encoding": "gzip"}, 400),
        ({"Content-Encoding": "identity"}, 200),
        ({"Inference-Header-Content-Length": "-1"}, 400),
        ({"Inference-Header-Content-Length": "1" * 5000}, 400),
        ({"Inference-Header-Content-Length": "ten"}, 400),
    ],
)
def test_headers(call, made, headers, status):
    response = call("POST", INFER, made.request(), headers)
    assert response.status == status
    assert status == 200 or list(response.json) == ["error"]


def change(request: dict, **fields: Any) -> dict:
    """A request whose first input differs."""
    first = {name: value for name, value in (request["inputs"][0] | fields).items() if value is not ...}
    return request | {"inputs": [first, *request["inputs"][1:]]}


BAD: dict[str, Callable[[dict], Any]] = {
    "no JSON": lambda r: b"{",
    "NaN": lambda r: json.dumps(change(r, data=[math.nan])).encode(),
    "infinity": lambda r: json.dumps(change(r, data=[math.inf])).encode(),
    "a number beyond a double": lambda r: json.dumps(change(r, data=["HERE"])).replace('"HERE"', "1e999").encode(),
    "a list": lambda r: [r],
    "null": lambda r: b"null",
    "no inputs": lambda r: {"inputs": []},
    "inputs of text": lambda r: {"inputs": "amount"},
    "an input of text": lambda r: {"inputs": ["amount"]},
    "no name": lambda r: change(r, name=...),
    "a number as name": lambda r: change(r, name=1),
    "a list as name": lambda r: change(r, name=["amount"]),
    "a long name": lambda r: change(r, name="a" * 10_000),
    "no shape": lambda r: change(r, shape=...),
    "a shape of floats": lambda r: change(r, shape=[1.0, 1]),
    "a shape of booleans": lambda r: change(r, shape=[True, True]),
    "no data": lambda r: change(r, data=...),
    "data of an object": lambda r: change(r, data={"0": 1}),
    "ragged data": lambda r: change(r, data=[[1, 2]]),
    "data nested too deep": lambda r: change(r, data=[[[1]]]),
    "deep nesting": lambda r: b"[" * 40_000,
    "deep data": lambda r: json.dumps(change(r, data="HERE")).replace('"HERE"', "[" * 900 + "]" * 900).encode(),
    "binary size without bytes": lambda r: change(r, data=..., parameters={"binary_data_size": 4}),
    "a negative binary size": lambda r: change(r, data=..., parameters={"binary_data_size": -4}),
    "parameters of text": lambda r: change(r, data=..., parameters="x"),
    "shared memory": lambda r: change(r, data=..., parameters={"shared_memory_region": "x"}),
    "an unknown output": lambda r: r | {"outputs": [{"name": "gender"}]},
    "an output of text": lambda r: r | {"outputs": ["score"]},
    "outputs of text": lambda r: r | {"outputs": "score"},
    "classification": lambda r: r | {"outputs": [{"name": "score", "parameters": {"classification": 2}}]},
    "an id that is a number": lambda r: r | {"id": 7},
    "a long id": lambda r: r | {"id": "a" * 129},
    "request parameters of text": lambda r: r | {"parameters": "x"},
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_told_so(call, made, name):
    response = call("POST", INFER, BAD[name](made.request()))
    assert response.status == 400
    assert list(response.json) == ["error"]
    assert 0 < len(response.json["error"]) < 1000


def test_a_model_that_fails_says_nothing_about_itself(config, infinite):
    app = App(config, Log("error"))
    app.publish(Service(Engine.open(infinite.folder), "loan", "1"))
    row = {"amount": 0.0, "income": None, "term": 12, "purpose": "car"}
    from trivet.core.inference import request_of

    response = exchange(app, "POST", INFER, request_of([row], infinite.serving, "r-1"), {"X-Request-ID": "trace-8"})
    assert response.status == 500
    assert response.json == {"error": "The server failed; the request id is trace-8."}


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
SLOTS = [
    ("inputs",),
    ("outputs",),
    ("id",),
    ("parameters",),
    *[("inputs", 0, field) for field in ("name", "datatype", "shape", "data", "parameters")],
    *[("inputs", at, "data", 0) for at in range(4)],
    ("inputs", 0, "shape", 0),
    ("inputs", 3),
]


def put(request: dict, slot: tuple, value: Any) -> dict:
    """The request with something else in one place."""
    changed = json.loads(json.dumps(request))
    target: Any = changed
    for key in slot[:-1]:
        target = target[key]
    target[slot[-1]] = value
    return changed


def check(response: Response) -> None:
    """A decision with finite numbers, or a refusal in the protocol's form."""
    assert response.status in (200, 400, 413)
    if response.status == 200:
        for output in response.json["outputs"]:
            assert all(isinstance(value, str) or math.isfinite(value) for value in output["data"])
    else:
        assert list(response.json) == ["error"]


FUZZ = settings(max_examples=500, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])


@FUZZ
@given(body=st.binary(max_size=200))
def test_any_bytes(call, body):
    check(call("POST", INFER, body))


@FUZZ
@given(slot=st.sampled_from(SLOTS), value=ANY)
def test_anything_in_any_place(call, made, slot, value):
    check(call("POST", INFER, put(made.request(), slot, value)))


@FUZZ
@given(length=st.integers(min_value=0, max_value=400), body=st.binary(max_size=40), size=ANY)
def test_any_binary_tensor(call, made, length, body, size):
    request = change(made.request(), data=..., parameters={"binary_data_size": size})
    head = json.dumps(request).encode()
    for split in (length, len(head)):
        check(call("POST", INFER, head + body, {"Inference-Header-Content-Length": str(split)}))


@FUZZ
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "amount": st.floats(0, 1000),
                "income": st.none() | st.floats(-1e30, 1e30),
                "term": st.integers(1, 480),
                "purpose": st.sampled_from(["car", "house", "other"]),
            }
        ),
        min_size=1,
        max_size=5,
    )
)
def test_rows_are_decided_each_on_its_own(call, made, rows):
    from trivet.core.inference import request_of

    whole = outputs(call("POST", INFER, request_of(rows, made.serving)))
    for at, row in enumerate(rows):
        alone = outputs(call("POST", INFER, request_of([row], made.serving)))
        assert alone["score"][0] == pytest.approx(whole["score"][at], abs=1e-6)
