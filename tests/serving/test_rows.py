"""The protocols whose requests are rows, called in process: every form of a row, and what is refused."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trivet.core.errors import ConfigError
from trivet.serving.config import ServerConfig
from trivet.serving.engine import Engine
from trivet.serving.http.app import App
from trivet.serving.log import Log
from trivet.serving.service import Service

from .inprocess import Response, exchange

V1, VERTEX, AZURE, SAGEMAKER = "/v1/models/loan:predict", "/predict", "/score", "/invocations"
COLUMNS = ["amount", "income", "term", "purpose"]
CSV, LINES, JSON = "text/csv", "application/jsonlines", "application/json"
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


@pytest.fixture(scope="module")
def app(made) -> App:
    models = [{"name": "loan", "version": "1", "package": made.folder}]
    app = App(ServerConfig.parse({"models": models, "endpoint": "loans", "port": 0}, "the test"), Log("error"))
    app.publish(Service(Engine.open(made.folder), "loan", "1"))
    return app


@pytest.fixture(scope="module")
def post(app):
    """Send a body to a route."""

    def send(path: str, body: Any, kind: str = JSON, **headers: str) -> Response:
        data = body if isinstance(body, (bytes, dict)) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return exchange(app, "POST", path, data, {"Content-Type": kind, **named})

    return send


def lists(rows: list[dict[str, Any]]) -> list[list[Any]]:
    """Rows in the order of the model's inputs."""
    return [[row[name] for name in COLUMNS] for row in rows]


def table(rows: list[dict[str, Any]]) -> bytes:
    """Rows as CSV without a header, an empty cell for a missing value."""
    out = io.StringIO()
    csv.writer(out).writerows(lists(rows))
    return out.getvalue().encode()


def scores(response: Response) -> list[float]:
    """Of an answer in JSON."""
    assert response.status == 200, response.body
    return [one["score"] for one in response.json["predictions"]]


def forms(rows: list[dict[str, Any]]) -> list[tuple[str, Any, str]]:
    """The same rows on every route in every form."""
    objects, arrays = rows, lists(rows)
    split = {"columns": COLUMNS[::-1], "data": [row[::-1] for row in arrays], "index": list(range(len(rows)))}
    every = [{"instances": objects}, {"instances": arrays}]
    many = [
        *every,
        {"inputs": arrays},
        {"data": objects},
        {"input_data": arrays},
        {"input_data": split},
        {"dataframe_split": split},
        {"dataframe_records": objects},
        objects,
        arrays,
    ]
    return [
        *((path, body, JSON) for path in (V1, VERTEX) for body in every),
        *((path, body, JSON) for path in (AZURE, SAGEMAKER) for body in many),
        (SAGEMAKER, "\n".join(map(json.dumps, objects)).encode() + b"\n\n", LINES),
        (SAGEMAKER, "\r\n".join(map(json.dumps, arrays)).encode(), "application/x-ndjson; charset=utf-8"),
        (SAGEMAKER, table(rows), CSV),
        (SAGEMAKER, b"\xef\xbb\xbf" + table(rows), "TEXT/CSV"),
    ]


def test_every_form_of_the_same_rows_has_the_same_answer(post, made):
    rows = made.rows(30)
    assert any(row["income"] is None for row in rows), "no row has a missing income"
    expected = scores(post(V1, {"instances": rows}))
    for path, body, kind in forms(rows):
        assert scores(post(path, body, kind)) == expected, (path, kind, body)
    v2 = post("/v2/models/loan/infer", made.request(30)).json["outputs"]
    assert next(one["data"] for one in v2 if one["name"] == "score") == expected


def test_an_answer_names_its_model_and_its_records(post, made):
    response = post(V1, {"instances": made.rows(2), "id": "r-1"})
    assert (response.json["model_name"], response.json["model_version"]) == ("loan", "1")
    assert response.json["package"] == response.headers["trivet-package"] == made.digest
    assert response.headers["trivet-model"] == "loan/1"
    assert [one["id"] for one in response.json["predictions"]] == ["r-1#0", "r-1#1"]
    assert "contributions" not in response.json["predictions"][0]


def test_contributions_come_when_asked_for(post, made):
    body = {"instances": made.rows(2), "parameters": {"contributions": True}}
    for path in (V1, VERTEX, AZURE, SAGEMAKER):
        first = post(path, body).json["predictions"][0]
        assert list(first["contributions"]) == COLUMNS
    told = post(SAGEMAKER, table(made.rows(2)), CSV, X_Amzn_SageMaker_Custom_Attributes="contributions=true")
    assert told.json["predictions"][0]["contributions"] == first["contributions"]


def test_what_comes_out_is_what_the_client_accepts(post, made):
    rows = made.rows(3)
    expected = post(SAGEMAKER, {"instances": rows}).json["predictions"]
    usual = ("", "*/*", "application/*;q=0.3, text/plain", "application/json", "text/html, application/json;q=0.1")
    for accept in usual:
        assert post(SAGEMAKER, {"instances": rows}, Accept=accept).headers["content-type"] == JSON
    lines = post(SAGEMAKER, {"instances": rows}, Accept="application/json;q=0.2, application/jsonlines")
    assert lines.headers["content-type"] == LINES
    found = [json.loads(line) for line in lines.body.splitlines()]
    assert [one | {"id": ""} for one in found] == [one | {"id": ""} for one in expected]
    cells = list(csv.reader(io.StringIO(post(SAGEMAKER, {"instances": rows}, Accept=CSV).body.decode())))
    assert [(float(score), decision) for score, decision in cells] == [
        (one["score"], one["decision"]) for one in expected
    ]
    for refused in ("application/x-npy", "application/json;q=0"):
        told = post(SAGEMAKER, {"instances": rows}, Accept=refused)
        assert told.status == 406
        assert list(told.json) == ["error"]


def test_sagemaker_is_told_which_model_answered_by_what_it_passes_on(post, made):
    response = post(SAGEMAKER, {"instances": made.rows(1)}, X_Amzn_SageMaker_Inference_Id="mine-7")
    assert response.headers[ATTRIBUTES.lower()] == f"model=loan/1;package={made.digest}"
    assert response.headers["x-request-id"] == response.json["predictions"][0]["id"] == "mine-7"
    named = post(SAGEMAKER, {"instances": made.rows(1)}, X_Amzn_SageMaker_Target_Model="other")
    assert named.status == 404


GOOD = {"amount": 120.0, "income": 31.0, "term": 12, "purpose": "car"}


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ({}, JSON, "no rows"),
        ({"instances": [GOOD], "inputs": [GOOD]}, JSON, "instances and inputs"),
        ({"instances": []}, JSON, "no rows"),
        ([], JSON, "no rows"),
        ({"instances": GOOD}, JSON, "no JSON array"),
        ({"instances": [1]}, JSON, "Row 0 is neither"),
        ({"instances": [GOOD, [1, 2, 3]]}, JSON, "Row 1 has 3 values, not the 4"),
        ({"instances": [GOOD, {**GOOD, "creed": 1}]}, JSON, "Row 1 has 'creed'"),
        ({"instances": [{"amount": 1}]}, JSON, "Row 0 lacks income, term, purpose"),
        ({"instances": [{**GOOD, "amount": "1"}]}, JSON, "amount takes numbers only"),
        ({"instances": [{**GOOD, "amount": True}]}, JSON, "amount takes numbers only"),
        ({"instances": [{**GOOD, "amount": None}]}, JSON, "amount has no value"),
        ({"instances": [{**GOOD, "purpose": 1}]}, JSON, "purpose takes strings only"),
        ({"instances": [{**GOOD, "purpose": "boat"}]}, JSON, "not among those allowed"),
        ({"instances": [{**GOOD, "term": 1.5}]}, JSON, "no whole number"),
        ({"instances": [GOOD], "parameters": 7}, JSON, "parameters is no JSON object"),
        ({"instances": [GOOD], "id": 7}, JSON, "id of a request"),
        ({"input_data": {"columns": ["amount"], "data": [[1, 2]]}}, JSON, "does not have a value for each"),
        ({"input_data": {"columns": ["amount", "amount"], "data": []}}, JSON, "each of them once"),
        ({"input_data": {"data": []}}, JSON, "columns is no JSON array"),
        (b'{"instances": [{"amount": NaN}]}', JSON, "no JSON"),
        (b'{"instances": [[1e999, 1, 1, "car"]]}', JSON, "no JSON"),
        (b"", CSV, "no rows"),
        (b"1,2,3\n", CSV, "Row 0 has 3 cells, not the 4"),
        (b"1,2,x,car\n", CSV, "no number"),
        (b"nan,2,1,car\n", CSV, "amount has no value"),
        (b"inf,2,1,car\n", CSV, "no number"),
        (b"1_0,2,1,car\n", CSV, "no number"),
        (b"1e999,2,1,car\n", CSV, "above the maximum"),
        (b'1,2,1,"car\n', CSV, "no CSV"),
        (b"1,2,1,c\xff\n", CSV, "no CSV in UTF-8"),
        (b"{}\n[", LINES, "no JSON"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(post, body, kind, message):
    response = post(SAGEMAKER, body, kind)
    assert response.status == 400, response.body
    assert list(response.json) == ["error"]
    assert message in response.json["error"]


@pytest.mark.parametrize("kind", ["application/x-npy", "text/plain", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("path", [V1, VERTEX, AZURE, SAGEMAKER])
def test_other_content_types_are_refused(post, path, kind):
    assert post(path, b"1", kind).status == 415


@given(body=st.binary(max_size=300), kind=st.sampled_from([JSON, CSV, LINES]))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_answered(post, body, kind):
    assert post(SAGEMAKER, body, kind).status in (200, 400)


CELLS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())


@given(rows=st.lists(st.one_of(CELLS, st.lists(CELLS, max_size=5), st.dictionaries(st.sampled_from(COLUMNS), CELLS))))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_rows_are_answered(post, rows):
    assert post(AZURE, rows).status in (200, 400)


def test_health_in_the_words_of_each_cloud(app, made):
    for path in ("/ping", "/health", "/", "/score", "/v1/models/loan"):
        assert exchange(app, "GET", path, b"", {}).status == 200
    assert exchange(app, "GET", "/v1/models", b"", {}).json == {"models": ["loan"]}
    models = [{"name": "loan", "version": "1", "package": made.folder}]
    empty = App(ServerConfig.parse({"models": models, "endpoint": "loans", "port": 0}, "the test"), Log("error"))
    for path in ("/ping", "/health", "/v1/models/loan"):
        assert exchange(empty, "GET", path, b"", {}).status == 503
    for path in ("/", "/score"):
        assert exchange(empty, "GET", path, b"", {}).status == 200


def test_only_the_fronts_that_are_on_are_there(made):
    settings = {"models": [], "endpoint": "loans", "port": 0, "fronts": ["vertex"], "docs": False}
    routes = {"health": "/v1/endpoints/7/health", "predict": "/v1/endpoints/7:predict"}
    app = App(ServerConfig.parse({**settings, "vertex": routes}, "the test"), Log("error"))
    app.publish(Service(Engine.open(made.folder), "loan", "1"))
    assert exchange(app, "GET", routes["health"], b"", {}).status == 200
    answer = exchange(app, "POST", routes["predict"], {"instances": made.rows(1)}, {})
    assert answer.status == 200
    for method, path in (("GET", "/ping"), ("POST", SAGEMAKER), ("POST", V1), ("GET", "/v2"), ("GET", "/docs")):
        assert exchange(app, method, path, b"", {}).status == 404


TAKEN = [
    *(("sagemaker", "health", "/ping"), ("sagemaker", "predict", "/invocations")),
    *(("azure", "predict", "/score"), ("azure", "health", "/score"), ("azure", "health", "/")),
    *(("v1", "health", "/"), ("v1", "health", "/v1/models"), ("v1", "health", "/v1/models/loan")),
    *(("v1", "predict", "/v1/models/loan:predict"), ("v1", "predict", "/v1/models/loaded-later:predict")),
    *(("v2", "health", "/v2/health/ready"), ("v2", "health", "/v2"), ("v2", "predict", "/v2/models/loan/infer")),
    *(("v2", "health", "/v2/models/loan/ready"), ("v2", "predict", "/v2/models/a/versions/3/infer")),
]
ALWAYS = [("vertex", "health", path) for path in ("/metrics", "/openapi.json", "/docs", "/docs/page.js")]


@pytest.mark.parametrize(("front", "name", "route"), TAKEN + ALWAYS)
def test_a_route_has_one_meaning(made, front, name, route):
    """Where Vertex AI's is another's, the server does not start; where that front is off, it may have it."""
    models = [{"name": "loan", "version": "1", "package": made.folder}]
    fields = {"models": models, "endpoint": "loans", "port": 0, "vertex": {name: route}}
    with pytest.raises(ConfigError, match=f"vertex.{name} cannot be {route}") as refused:
        App(ServerConfig.parse({**fields, "fronts": [front, "vertex"]}, "the test"), Log("error"))
    assert "\n" not in refused.value.message
    if front != "vertex":
        App(ServerConfig.parse({**fields, "fronts": ["vertex"]}, "the test"), Log("error"))


def test_a_route_that_nobody_else_can_have_is_vertex_s(made):
    fronts = ["v2", "v1", "sagemaker", "vertex", "azure"]
    for routes in (
        {"health": "/v1/models/loan/health", "predict": "/v1/endpoints/7/deployedModels/8:predict"},
        {"health": "/invocations", "predict": "/ping"},
        {"health": "/vertex", "predict": "/vertex"},
    ):
        settings = {"endpoint": "loans", "port": 0, "fronts": fronts, "vertex": routes}
        app = App(ServerConfig.parse(settings, "the test"), Log("error"))
        app.publish(Service(Engine.open(made.folder), "loan", "1"))
        assert exchange(app, "GET", routes["health"], b"", {}).status == 200
        assert exchange(app, "POST", routes["predict"], {"instances": made.rows(1)}, {}).status == 200


def test_a_route_that_names_no_model_needs_an_only_one(made, other):
    app = App(ServerConfig.parse({"endpoint": "loans", "port": 0}, "the test"), Log("error"))
    body = {"instances": made.rows(1)}
    assert exchange(app, "POST", SAGEMAKER, body, {}).status == 503
    app.publish(Service(Engine.open(made.folder), "loan", "1"))
    app.publish(Service(Engine.open(other.folder), "card", "2"))
    refused = exchange(app, "POST", SAGEMAKER, body, {})
    assert refused.status == 404
    assert "card, loan" in refused.json["error"]
    named = exchange(app, "POST", SAGEMAKER, body, {"X-Amzn-SageMaker-Target-Model": "card"})
    assert named.headers["trivet-model"] == "card/2"
    app.withdraw("card")
    assert exchange(app, "POST", SAGEMAKER, body, {}).headers["trivet-model"] == "loan/1"
    index = exchange(app, "POST", "/v2/repository/index", b"", {}).json
    assert index == [{"name": "loan", "version": "1", "state": "READY", "reason": ""}]
