"""Azure ML's own scoring server and ours over the same graph: the same requests, and where the answers differ, why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from .clients.matrix import python_of
from .clients.operations import single
from .clients.servers import other, script, serve
from .exact import INPUTS, ROWS, scorecard, truth

JSON = {"content-type": "application/json"}
ROWS_AS_ARRAYS = [[row[column.name] for column in INPUTS] for row in ROWS]
GOOD = json.dumps({"data": ROWS_AS_ARRAYS})
ONE = json.dumps({"data": ROWS_AS_ARRAYS[3:4]})


class Ask(NamedTuple):
    """A request, and, where the two answer it differently by design, both statuses and the reason for ours."""

    method: str
    path: str
    body: str | bytes = b""
    headers: dict[str, str] = {}
    reference: int = 0
    ours: int = 0
    reason: str = ""


ALIKE = {
    "alive": Ask("GET", "/"),
    "rows, one of them without an income": Ask("POST", "/score", GOOD, JSON),
    "one row": Ask("POST", "/score", ONE, JSON),
    "rows without a content type": Ask("POST", "/score", GOOD),
    "bytes that are no text": Ask("POST", "/score", b"\xff\xfe{}", JSON),
    "another method": Ask("PUT", "/score", GOOD, JSON),
    "a row for the health route": Ask("POST", "/", GOOD, JSON),
    "the document": Ask("GET", "/swagger.json"),
    "no such route": Ask("GET", "/nowhere"),
    "a slash too many": Ask("POST", "/score/", GOOD, JSON),
}
CLIENTS_MISTAKE = "what is wrong with the request is the client's to mend; there it fails in the user's own code"
DIFFERENT = {
    "a body that is no JSON": Ask("POST", "/score", "{", JSON, 500, 400, CLIENTS_MISTAKE),
    "no body": Ask("POST", "/score", "", JSON, 500, 400, CLIENTS_MISTAKE),
    "no rows": Ask("POST", "/score", "{}", JSON, 500, 400, CLIENTS_MISTAKE),
    "a row that lacks a value": Ask("POST", "/score", '{"data": [[1, 50]]}', JSON, 500, 400, CLIENTS_MISTAKE),
    "a text for a number": Ask("POST", "/score", '{"data": [["x", 50, 12, "car"]]}', JSON, 500, 400, CLIENTS_MISTAKE),
    "an amount out of bounds": Ask(
        "POST",
        "/score",
        '{"data": [[-1, 50, 12, "car"]]}',
        JSON,
        200,
        400,
        "the package says what the model was made for",
    ),
    "a term that is not whole": Ask(
        "POST",
        "/score",
        '{"data": [[1, 50, 1.5, "car"]]}',
        JSON,
        200,
        400,
        "the package says what the model was made for",
    ),
    "rows as a text": Ask(
        "POST", "/score", GOOD, {"content-type": "text/plain"}, 200, 415, "a body is read as what it says that it is"
    ),
    "GET on the scoring route": Ask(
        "GET",
        "/score",
        b"",
        {},
        500,
        200,
        "rows in a URL end up in logs, so it is a probe; there it calls run() without rows",
    ),
    "OPTIONS": Ask("OPTIONS", "/score", b"", {}, 200, 405, "no browser of another origin is let in, so none may ask"),
}
ASKED = ALIKE | DIFFERENT


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[httpx.Response, httpx.Response]]]:
    """What the reference and what our server answered to each request."""
    folder = tmp_path_factory.mktemp("azure")
    package = scorecard(folder / "package").folder
    command = [str(python_of("azureml")), "-m", "gunicorn", "--bind", "fd://{fd}", "--workers", "1"]
    command += ["--worker-tmp-dir", str(folder), "azureml_inference_server_http.server.entry:app"]
    env = {
        "AZUREML_ENTRY_SCRIPT": script("azureml_score"),
        "AZUREML_MODEL_DIR": str(package),
        "AML_APP_ROOT": str(folder),
    }
    with (
        other("azureml-inference-server-http", command, folder, "/", env) as reference,
        serve(package, folder, "loan", fronts=["azure"]) as ours,
        httpx.Client(trust_env=False, timeout=30) as client,
    ):
        yield {name: (send(client, reference.url, ask), send(client, ours.url, ask)) for name, ask in ASKED.items()}


def send(client: httpx.Client, url: str, ask: Ask) -> httpx.Response:
    return client.request(ask.method, url + ask.path, content=ask.body, headers={**ask.headers, "x-request-id": "r-1"})


@pytest.mark.parametrize("name", ALIKE)
def test_both_answer_alike(answers, name):
    reference, ours = answers[name]
    assert ours.status_code // 100 == reference.status_code // 100, (reference.text, ours.text)


@pytest.mark.parametrize("name", DIFFERENT)
def test_where_they_differ_it_is_by_design(answers, name):
    ask = DIFFERENT[name]
    reference, ours = answers[name]
    assert (reference.status_code, ours.status_code) == (ask.reference, ask.ours), (reference.text, ours.text)
    assert ask.reference // 100 != ask.ours // 100
    assert ask.reason


@pytest.mark.parametrize("name", ["rows, one of them without an income", "one row", "rows without a content type"])
def test_both_give_the_same_predictions(answers, name):
    reference, ours = (scores(answer) for answer in answers[name])
    assert ours == reference
    assert ours == [single(truth(row).score) for row in (ROWS[3:4] if name == "one row" else ROWS)]


@pytest.mark.parametrize("name", ASKED)
def test_both_keep_the_request_id_and_none_of_ours_is_a_failure(answers, name):
    reference, ours = answers[name]
    assert ours.headers["x-request-id"] == "r-1"
    assert ours.status_code < 500
    if reference.status_code < 400:
        assert reference.headers["x-request-id"] == "r-1"


def scores(answer: httpx.Response) -> list[float]:
    document: dict[str, Any] = answer.json()
    return [single(one["score"]) for one in document["predictions"]]
