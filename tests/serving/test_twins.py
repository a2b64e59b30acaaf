"""An object that names a member twice can be read in two ways: it is refused on every front, wherever it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.serving.config import ServerConfig
from trivet.serving.engine import Engine
from trivet.serving.errors import BadInput
from trivet.serving.http.app import App
from trivet.serving.log import Log
from trivet.serving.service import Service
from trivet.serving.wire import rows, sagemaker, v2
from trivet.serving.wire.base import Wire

from .exact import NUMBERS, ROWS, scorecard
from .inprocess import exchange

V2, V1, SAGEMAKER, AZURE = "/v2/models/loan/infer", "/v1/models/loan:predict", "/invocations", "/score"
ROW = json.dumps(ROWS[0])
LINES = {"content-type": "application/jsonlines"}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    """A ready application."""
    made = scorecard(tmp_path_factory.mktemp("packages") / "loan")
    app = App(ServerConfig.parse({"endpoint": "loans", "port": 0}, "the test"), Log("error"))
    app.publish(Service(Engine.open(made.folder), "loan", "1"))
    return app


def infer(row: dict[str, Any]) -> str:
    """A v2 request for a row, as text."""
    inputs = [
        {"name": name, "datatype": "BYTES" if type(value) is str else "FP32", "shape": [1, 1], "data": [value]}
        for name, value in row.items()
    ]
    return json.dumps({"inputs": inputs})


TWINS = {
    "a value of a row": (V1, f'{{"instances": [{ROW[:-1]}, "amount": 1}}]}}'),
    "the same value": (V1, f'{{"instances": [{ROW[:-1]}, "amount": {ROWS[0]["amount"]}}}]}}'),
    "one row of many": (V1, f'{{"instances": [{ROW}, {ROW}, {ROW[:-1]}, "amount": 1}}, {ROW}]}}'),
    "beside a row in an array": (V1, f'{{"instances": [{json.dumps([*ROWS[0].values()])}, {ROW[:-1]}, "term": 1}}]}}'),
    "the rows": (V1, f'{{"instances": [], "instances": [{ROW}]}}'),
    "spelled otherwise": (V1, f'{{"instances": [{ROW[:-1]}, "\\u0061mount" \n : 1}}]}}'),
    "hidden by a string": (V1, f'{{"id": "\\u003a", "instances": [{ROW[:-1]}, "amount" : 1}}]}}'),
    "the parameters": (V1, f'{{"instances": [{ROW}], "parameters": {{}}, "parameters": {{"contributions": true}}}}'),
    "a parameter": (V1, f'{{"instances": [{ROW}], "parameters": {{"contributions": true, "contributions": false}}}}'),
    "a bare list": (AZURE, f'[{ROW[:-1]}, "amount": 1}}]'),
    "data of Azure": (AZURE, f'{{"data": [{ROW}], "data": [{ROW}]}}'),
    "a table": (SAGEMAKER, json.dumps({"dataframe_split": {"columns": [*ROWS[0]], "data": [[*ROWS[0].values()]]}})),
    "a line": (SAGEMAKER, f'{ROW}\n{ROW[:-1]}, "amount": 1}}\n'),
    "the data of a tensor": (V2, infer(ROWS[0]).replace('"data":', '"data": [1], "data":', 1)),
    "the name of a tensor": (V2, infer(ROWS[0]).replace('"name":', '"name": "x", "name":', 1)),
    "the inputs": (V2, infer(ROWS[0])[:-1] + ', "inputs": ' + json.dumps(json.loads(infer(ROWS[0]))["inputs"]) + "}"),
    "an output": (V2, infer(ROWS[0])[:-1] + ', "outputs": [{"name": "decision", "name": "score"}]}'),
    "the id": (V2, infer(ROWS[0])[:-1] + ', "id": "a", "id": "b"}'),
    "what nobody reads": (V2, infer(ROWS[0])[:-1] + ', "x": {"y": [{"z": 1, "z": 2}]}}'),
}
TWINS["a table"] = (SAGEMAKER, TWINS["a table"][1].replace('"data":', '"data": [], "data":'))


@pytest.mark.parametrize(("path", "body"), TWINS.values(), ids=TWINS)
def test_a_member_that_is_named_twice_is_refused(app, path, body):
    fields = LINES if "\n{" in body else {}
    response = exchange(app, "POST", path, body.encode(), fields)
    assert response.status == 400, response.body
    assert "twice" in response.json["error"]


def test_whoever_repeats_no_member_is_answered(app):
    """Whatever its strings hold: colons, quotes, spaces; what has few members and many colons; and a thousand rows."""
    odd = {"id": 'a:b " : "c": d', "parameters": {"contributions": None, "x:y": {"z": ":"}}}
    for path, body in (
        (V1, {"instances": [ROWS[0], [*ROWS[0].values()]], **odd}),
        (V1, {"instances": ROWS * 200, **odd}),
        (V2, json.loads(infer(ROWS[0])) | {"id": ":" * 100, "parameters": {"x": {"y": ":"}}}),
        (V2, json.loads(infer(ROWS[0])) | {"outputs": [{"name": "score", "parameters": {"binary_data": False}}]}),
    ):
        for text in (json.dumps(body), json.dumps(body, indent=1), orjson.dumps(body).decode()):
            assert exchange(app, "POST", path, text.encode(), {}).status == 200


NAMES = st.sampled_from(["a", "b", ":", 'a":', " :", "instances", "inputs", "data", "parameters", "name"])
SCALARS = st.one_of(st.none(), st.integers(0, 9), st.sampled_from(["", ":", '"', '":', " : ", "\\u003a", "a:b"]))
TEXTS = st.recursive(
    st.one_of(SCALARS.map(json.dumps), st.just('"\\u003a"')),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]"),
        st.lists(st.tuples(NAMES, st.sampled_from([":", " : ", "\n:"]), inner), max_size=4).map(
            lambda items: "{" + ",".join(json.dumps(name) + colon + value for name, colon, value in items) + "}"
        ),
    ),
    max_leaves=12,
)


def has_twins(text: str) -> bool:
    """What a slow and plain reader says."""
    found: list[bool] = []

    def look(members: list[tuple[str, Any]]) -> dict[str, Any]:
        found.append(len(dict(members)) != len(members))
        return dict(members)

    json.loads(text, object_pairs_hook=look)
    return any(found)


def documents() -> Iterator[tuple[Wire, dict[bytes, bytes], str]]:
    """Requests in whose midst anything can stand."""
    yield rows.INSTANCES, {}, '{"instances": [%s, {"a": 1}], "x": %s}'
    yield rows.ANY_ROWS, {}, "[%s, [%s]]"
    yield rows.ANY_ROWS, {}, '{"input_data": {"columns": ["a"], "data": [[%s]], "index": %s}}'
    yield sagemaker.WIRE, {b"content-type": b"application/jsonlines"}, "%s\n%s"
    yield v2.WIRE, {}, '{"inputs": [{"name": "a", "datatype": "FP32", "shape": [1], "data": [%s], "x": %s}]}'
    tensor = '{"name": "a", "datatype": "FP32", "shape": [1], "data": [1]}'
    yield v2.WIRE, {}, f'{{"inputs": [{tensor}], "parameters": {{"x": %s}}, "outputs": [{{"name": "a", "x": %s}}]}}'


@given(st.sampled_from([*documents()]), TEXTS, TEXTS)
@settings(max_examples=1500, deadline=None)
def test_none_is_overlooked_and_none_is_made_up(document, one, other):
    wire, fields, text = document
    if b"jsonlines" in fields.get(b"content-type", b""):
        one, other = one.replace("\n", " "), other.replace("\n", " ")
    body = text % (one, other)
    parts = body.split("\n") if fields else [body]
    try:
        wire.decode(body.encode(), fields)
        refused = ""
    except BadInput as error:
        refused = error.message
    if any(has_twins(part) for part in parts):
        assert refused
    else:
        assert "twice" not in refused


def test_models_of_numbers_take_a_matrix_and_refuse_its_twin(tmp_path):
    made = scorecard(tmp_path / "numbers", NUMBERS)
    app = App(ServerConfig.parse({"endpoint": "loans", "port": 0}, "the test"), Log("error"))
    app.publish(Service(Engine.open(made.folder), "loan", "1"))
    values = [row[name.name] for row in ROWS[:1] for name in NUMBERS]
    tensor = {"name": "rows", "shape": [1, len(values)], "datatype": "FP64", "data": [value or 1 for value in values]}
    body = json.dumps({"inputs": [tensor]})
    assert exchange(app, "POST", V2, body.encode(), {}).status == 200
    twin = body.replace('"data":', '"data": [], "data":')
    assert exchange(app, "POST", V2, twin.encode(), {}).status == 400
