"""The OpenAPI document: true to the routes, to the models and to what the server really answers."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from trivet.core.modelpackage import Decision, Golden, Input, Serving
from trivet.serving import openapi
from trivet.serving.config import ServerConfig
from trivet.serving.engine import Engine
from trivet.serving.http import page
from trivet.serving.http.app import App
from trivet.serving.http.message import Request
from trivet.serving.log import Log
from trivet.serving.openapi import describe
from trivet.serving.schemas import Json, schemas_of
from trivet.serving.service import Service

from .exact import INPUTS, NUMBERS, ROWS, scorecard, truth
from .inprocess import Response, exchange

FRONTS = ("v2", "v1", "sagemaker", "azure", "vertex")


class Card(NamedTuple):
    """A served model, without a server."""

    folder: Path
    service: Service


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Card]:
    """One model with a category among its inputs, one of numbers only."""
    folder = tmp_path_factory.mktemp("packages")
    return {
        name: Card(made.folder, Service(Engine.open(made.folder), name, "1"))
        for name, made in (
            ("loan", scorecard(folder / "loan")),
            ("numbers", scorecard(folder / "numbers", NUMBERS)),
        )
    }


def app_of(cards: Sequence[Card], **changed: Any) -> App:
    """A ready application."""
    models = [{"name": one.service.model, "version": "1", "package": one.folder} for one in cards]
    fields: Any = {"models": models, "endpoint": "loans", "port": 0} | changed
    app = App(ServerConfig.parse(fields, "the test"), Log("error"))
    for one in cards:
        app.publish(one.service)
    return app


def document_of(app: App) -> Json:
    """What it serves at /openapi.json."""
    response = exchange(app, "GET", "/openapi.json", b"", {})
    assert response.status == 200
    return response.json


def validator(document: Json, schema: Json) -> Draft202012Validator:
    """A judge of values, for a schema that may refer to others of the document."""
    return Draft202012Validator({**schema, "components": document["components"]})


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Every method and path, with its operation."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


@pytest.mark.parametrize("named", [(), ("loan",), ("numbers",), ("loan", "numbers")])
@pytest.mark.parametrize("fronts", [FRONTS, *[(front,) for front in FRONTS]])
def test_the_document_is_valid_openapi(cards, named, fronts):
    document = document_of(app_of([cards[name] for name in named], fronts=fronts))
    validate(document)
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    told = {tag["name"] for tag in document["tags"]}
    assert {tag for _, _, operation in operations(document) for tag in operation["tags"]} <= told


def test_a_batch_is_described_as_it_answers(cards):
    app = app_of([cards["loan"]], fronts=("sagemaker",), batch=True)
    document = document_of(app)
    validate(document)
    listed = {(method, path) for method, path, _ in operations(document) if not path.startswith("/docs")}
    assert listed >= {("GET", "/ping"), ("GET", "/execution-parameters"), ("POST", "/invocations")}
    content = document["paths"]["/invocations"]["post"]["requestBody"]["content"]
    for kind, said in content.items():
        body = said["examples"]["rows"]["value"].encode()
        response = exchange(app, "POST", "/invocations", body, {"content-type": kind})
        assert response.status == 200
        assert [line.keys() >= {"score", "decision"} for line in map(json.loads, response.body.splitlines())] == [
            True
        ] * body.count(b"\n")
    assert exchange(app, "GET", "/execution-parameters", b"", {}).json["BatchStrategy"] == "MULTI_RECORD"


@pytest.mark.parametrize("docs", [True, False])
@pytest.mark.parametrize("vertex", [{}, {"vertex": {"health": "/alive", "predict": "/v1/endpoints/7:predict"}}])
@pytest.mark.parametrize("fronts", [FRONTS, ("v2",), ("sagemaker", "azure")])
def test_it_lists_exactly_the_routes_that_there_are(cards, fronts, vertex, docs):
    app = app_of([cards["loan"]], fronts=fronts, docs=docs, **vertex)
    listed = {(method, path) for method, path, _ in operations(document_of(app))}
    asked = {path for _, path in listed} | set(page.PATHS)
    served = {(method, path) for path in asked for method in app.methods(path)}
    assets = {("GET", path) for path in page.PATHS[1:]} if docs else set()
    assert listed == served - assets
    assert len(served) == sum(len(app.methods(path)) for path in app._targets)


def test_a_route_that_names_no_model_is_listed_only_where_it_can_serve(cards):
    both = document_of(app_of(list(cards.values())))["paths"]
    assert "post" not in both["/score"]
    assert "/predict" not in both
    fields = {one["name"]: one for one in both["/invocations"]["post"]["parameters"]}
    assert fields["X-Amzn-SageMaker-Target-Model"]["required"]
    assert fields["X-Amzn-SageMaker-Target-Model"]["schema"] == {"enum": ["loan", "numbers"]}


@pytest.mark.parametrize("name", ["loan", "numbers"])
def test_every_example_is_answered_as_the_document_says(cards, name):
    app = app_of([cards[name]])
    document = document_of(app)
    scores = [truth(row).score for row in ROWS[:2]]
    sent = 0
    for method, path, operation in operations(document):
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            for example in content.get("examples", {}).values():
                value = example["value"]
                if kind == "application/json":
                    assert validator(document, content["schema"]).is_valid(value)
                body = value if isinstance(value, str) else json.dumps(value)
                response = exchange(app, method, path, body.encode(), {"Content-Type": kind})
                check_answer(document, operation, response)
                assert scores_in(response, name) == pytest.approx(scores if name == "loan" else scores_of_cars())
                sent += 1
    assert sent == {"loan": 15, "numbers": 17}[name]


def scores_of_cars() -> list[float]:
    """What the model of numbers says of the first rows."""
    return [truth({**row, "purpose": "car"}).score for row in ROWS[:2]]


def scores_in(response: Response, name: str) -> list[float]:
    """The scores of an answer in JSON."""
    answer = response.json
    assert answer["model_name"] == name
    if "outputs" in answer:
        return next(output["data"] for output in answer["outputs"] if output["name"] == "score")
    return [one["score"] for one in answer["predictions"]]


def check_answer(document: Json, operation: Json, response: Response) -> None:
    """Status, content type, header fields and body are documented."""
    assert response.status == 200, response.body
    said = operation["responses"]["200"]
    fields = {name.lower() for name in response.headers}
    for name, header in said["headers"].items():
        part = document["components"]["headers"][header["$ref"].rsplit("/", 1)[1]]
        assert name in fields or not part.get("required"), name
    content = said["content"][response.headers["content-type"]]
    validator(document, content["schema"]).validate(response.json)


def test_a_table_in_csv_is_answered_in_csv_where_that_is_accepted(cards):
    app = app_of([cards["loan"]])
    content = document_of(app)["paths"]["/invocations"]["post"]["requestBody"]["content"]
    for kind in ("text/csv", "application/jsonlines"):
        body = content[kind]["examples"]["rows"]["value"].encode()
        response = exchange(app, "POST", "/invocations", body, {"Content-Type": kind, "Accept": kind})
        assert response.status == 200
        assert response.headers["content-type"] == kind
        assert len(response.body.splitlines()) == 2


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 1100),
    st.floats(-2, 1100),
    st.sampled_from([1e39, -1e39, 3.4e38, 12.0]),
    st.sampled_from(["car", "house", "", "CAR"]),
    st.just([]),
    st.just({}),
)


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(st.data())
def test_the_schema_of_a_row_takes_what_the_server_takes(cards, data):
    app = app_of([cards["loan"]])
    document = describe(app.config, [cards["loan"].service])
    row = dict(data.draw(st.sampled_from(ROWS)))
    changed = data.draw(st.dictionaries(st.sampled_from([*row, "other"]), VALUES, max_size=2))
    row = {name: value for name, value in (row | changed).items() if value != {}}
    sent = data.draw(st.sampled_from([row, list(row.values())]))
    valid = validator(document, {"$ref": "#/components/schemas/loan.Instances"}).is_valid({"instances": [sent]})
    response = exchange(app, "POST", "/v1/models/loan:predict", {"instances": [sent]}, {})
    assert response.status == (200 if valid else 400), response.body


def test_another_version_makes_another_document(cards):
    app = app_of([cards["loan"]])
    assert "/v2/models/loan/versions/1" in document_of(app)["paths"]
    app.publish(Service(cards["loan"].service.engine, "loan", "2"))
    document = document_of(app)
    assert "/v2/models/loan/versions/1" not in document["paths"]
    assert document["x-trivet"]["models"][0]["version"] == "2"
    app.withdraw("loan")
    assert document_of(app)["x-trivet"]["models"] == []


def test_a_model_is_described_once_and_never_in_the_event_loop(cards, monkeypatch):
    """With a hundred models it would keep every request waiting: at each exchange of one of them, and each time that
    somebody asks."""
    seen: list[tuple[str, str]] = []

    def spy(service: Service) -> Json:
        assert threading.current_thread() is not threading.main_thread()
        seen.append((service.model, service.version))
        return schemas_of(service)

    app = app_of(list(cards.values()))
    at_once = json.loads(json.dumps(describe(app.config, [one.service for one in cards.values()])))
    monkeypatch.setattr(openapi, "schemas_of", spy)
    first = document_of(app)
    assert document_of(app) == first == at_once
    app.publish(Service(cards["loan"].service.engine, "loan", "2"))
    assert document_of(app) != first
    assert seen == [("loan", "1"), ("numbers", "1"), ("loan", "2")]


def test_a_document_is_never_of_models_that_were(cards):
    """Not even where they change while it is rendered; and whoever asks meanwhile waits for the same one."""
    app = app_of([cards["loan"]])

    async def ask() -> list[Json]:
        requests = [Request("GET", "/openapi.json", {}) for _ in range(3)]
        app.answer(requests)
        await asyncio.sleep(0)
        app.publish(Service(cards["loan"].service.engine, "loan", "2"))
        return [json.loads((await wanted).body) for one in requests if isinstance(wanted := one.answer, asyncio.Future)]

    documents = asyncio.run(ask())
    assert [one["x-trivet"]["models"][0]["version"] for one in documents] == ["2"] * 3


def test_a_document_that_fails_is_rendered_anew(cards, monkeypatch):
    app = app_of([cards["loan"]])
    with monkeypatch.context() as broken:
        broken.setattr(openapi, "schemas_of", lambda _: 1 / 0)
        assert exchange(app, "GET", "/openapi.json", b"", {}).status == 500
    assert "/v2/models/loan/versions/1" in document_of(app)["paths"]


class StandIn:
    """What is described of a model, without a model."""

    def __init__(self, serving: Serving, golden: Golden) -> None:
        self.model, self.version = serving.name, "7"
        self.engine = self
        self.serving, self.golden, self.digest = serving, golden, f"sha256:{0:064}"


def test_names_and_values_of_any_kind_stay_what_they_are():
    odd = 'a/b~c "ü" {x}, 1'
    inputs = (
        Input(name=odd, type="category", nullable=True, allowed=('say "yes", please', "ü", 1.0)),
        Input(name="code", type="integer", allowed=(0, 1, 6.0)),
        Input(name="free", type="category"),
    )
    row = {odd: 'say "yes", please', "code": 6.0, "free": "line\nbreak"}
    serving = Serving(name="odd.Row", inputs=inputs, decision=Decision(threshold=0.5, positive="yes", negative="no"))
    config = ServerConfig.parse({"endpoint": "odd", "port": 0}, "the test")
    document = json.loads(json.dumps(describe(config, [StandIn(serving, Golden(rows=(row,), scores=(0.5,)))])))
    validate(document)
    schema = document["components"]["schemas"]["odd.Row.Row"]
    assert schema["properties"][odd] == {
        "type": ["string", "null"],
        "enum": ['say "yes", please', "ü", "1.0", None],
    }
    assert schema["properties"]["code"]["enum"] == [0, 1, 6]
    csv = document["paths"]["/invocations"]["post"]["requestBody"]["content"]["text/csv"]["examples"]["rows"]["value"]
    assert csv == '"say ""yes"", please",6.0,"line\nbreak"\n'
    assert {one["name"] for one in document["x-trivet"]["models"]} == {"odd.Row"}


def test_inputs_without_bounds_are_as_large_as_the_model_takes_them(cards):
    schema = describe(app_of([]).config, [cards["loan"].service])["components"]["schemas"]["loan.Row"]
    assert schema["required"] == [column.name for column in INPUTS]
    assert schema["properties"]["income"]["type"] == ["number", "null"]
    assert schema["properties"]["income"]["maximum"] == pytest.approx(3.4028235e38)
    assert schema["properties"]["term"] == {"type": "integer", "minimum": 1, "maximum": 480}
