"""One row, every front: the files of ``wire/`` against a real server."""

from __future__ import annotations

import csv
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from .clients.servers import serve
from .exact import INPUTS, NUMBERS, ROWS, scorecard, truth

FOLDER = Path(__file__).parent / "wire"
EXCHANGES: dict[str, dict[str, Any]] = json.loads((FOLDER / "exchanges.json").read_text())
FRONTS = {"v2", "v1", "vertex", "azure", "sagemaker"}
Prediction = tuple[float, str]


class Replayed:
    """What the server answered to every exchange."""

    def __init__(self, urls: dict[str, str], digests: dict[str, str]) -> None:
        self.digests = digests
        with httpx.Client(trust_env=False, timeout=30) as client:
            self.answers = {name: send(client, urls[one["model"]], one) for name, one in EXCHANGES.items()}

    def wanted(self, name: str, what: str | bytes) -> str | bytes:
        """What a file says, for the package that is served."""
        digest = self.digests[EXCHANGES[name]["model"]]
        if isinstance(what, bytes):
            return what.replace(b"{package}", digest.encode())
        return what.replace("{package}", digest)

    def predictions(self, name: str) -> list[Prediction]:
        """Scores and decisions of an answer."""
        answer = self.answers[name]
        assert answer.status_code == 200, answer.text
        return predictions(EXCHANGES[name], answer)


def send(client: httpx.Client, url: str, exchange: dict[str, Any]) -> httpx.Response:
    """One request as its files say."""
    method, path = exchange["route"].split()
    body = (FOLDER / exchange["request"]).read_bytes()
    return client.request(method, url + path, content=body, headers=exchange["headers"])


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayed]:
    """Every exchange with two servers: one per model, as fronts that name no model serve the only one."""
    folder = tmp_path_factory.mktemp("wire")
    loan, numbers = scorecard(folder / "loan", INPUTS), scorecard(folder / "numbers", NUMBERS)
    with serve(loan.folder, folder, "loan") as one, serve(numbers.folder, folder, "numbers") as other:
        yield Replayed({"loan": one.url, "numbers": other.url}, {"loan": loan.digest, "numbers": numbers.digest})


@pytest.mark.parametrize("name", EXCHANGES)
def test_every_front_answers_as_its_file_says(replayed, name):
    exchange, answer = EXCHANGES[name], replayed.answers[name]
    body = replayed.wanted(name, (FOLDER / exchange["response"]).read_bytes())
    assert answer.status_code == 200, answer.text
    for field, value in exchange["answer"].items():
        assert answer.headers.get(field) == replayed.wanted(name, value), field
    assert comparable(exchange["response"], answer.content) == comparable(exchange["response"], body)


@pytest.mark.parametrize("name", EXCHANGES)
def test_every_front_says_the_same_of_the_same_row(replayed, name):
    said = [(truth(ROWS[row]).score, truth(ROWS[row]).decision) for row in EXCHANGES[name]["rows"]]
    assert replayed.predictions(name) == said


def test_no_two_fronts_differ(replayed):
    found: dict[int, set[Prediction]] = {}
    fronts: dict[int, set[str]] = {}
    for name, exchange in EXCHANGES.items():
        for row, prediction in zip(exchange["rows"], replayed.predictions(name), strict=True):
            found.setdefault(row, set()).add(prediction)
            fronts.setdefault(row, set()).add(exchange["front"])
    assert fronts == dict.fromkeys(range(len(ROWS)), FRONTS)
    assert [row for row, different in found.items() if len(different) != 1] == []


def test_the_files_hold_the_truth_and_no_file_lies_about_unused():
    told = json.loads((FOLDER / "rows.json").read_text())
    assert [one["row"] for one in told] == list(ROWS)
    for one in told:
        wanted = truth(one["row"])
        assert (one["score"], one["decision"]) == (wanted.score, wanted.decision)
        assert tuple(one["contributions"].values()) == wanted.contributions
    used = {file for one in EXCHANGES.values() for file in (one["request"], one["response"])}
    there = {path.name for path in FOLDER.iterdir() if path.suffix in (".json", ".jsonl", ".csv", ".bin")}
    assert there == used | {"rows.json", "exchanges.json"}


def comparable(file: str, body: bytes) -> Any:
    """A body in the form in which it is compared."""
    if file.endswith(".json"):
        return json.loads(body)
    if file.endswith(".jsonl"):
        return [json.loads(line) for line in body.splitlines()]
    if file.endswith(".bin"):
        head, tail = split(body)
        return json.loads(head), tail
    return body


def predictions(exchange: dict[str, Any], answer: httpx.Response) -> list[Prediction]:
    """Scores and decisions of an answer, in whichever form it came."""
    body = answer.content
    if exchange["response"].endswith(".csv"):
        return [(float(row[0]), row[1]) for row in csv.reader(body.decode().splitlines())]
    if exchange["response"].endswith(".jsonl"):
        return [(one["score"], one["decision"]) for one in comparable(exchange["response"], body)]
    if exchange["response"].endswith(".bin"):
        return of_binary(body)
    document = json.loads(body)
    if "predictions" in document:
        return [(one["score"], one["decision"]) for one in document["predictions"]]
    outputs = {output["name"]: output["data"] for output in document["outputs"]}
    return list(zip(outputs["score"], outputs["decision"], strict=True))


def of_binary(body: bytes) -> list[Prediction]:
    """The same of binary tensors, read as the protocol's text says and not by any code of the server."""
    head, tail = split(body)
    score, decision = json.loads(head)["outputs"]
    size = score["parameters"]["binary_data_size"]
    scores = [shortest(value) for (value,) in struct.iter_unpack("<f", tail[:size])]
    texts, at = [], size
    while at < len(tail):
        [length] = struct.unpack_from("<I", tail, at)
        texts.append(tail[at + 4 : at + 4 + length].decode())
        at += 4 + length
    assert decision["parameters"]["binary_data_size"] == at - size
    return list(zip(scores, texts, strict=True))


def shortest(value: float) -> float:
    """The shortest decimal that is this float32."""
    raw = struct.pack("<f", value)
    return next(short for digits in range(1, 10) if struct.pack("<f", short := float(f"{value:.{digits}g}")) == raw)


def split(body: bytes) -> tuple[bytes, bytes]:
    """JSON, and the tensors behind it."""
    end = json.JSONDecoder().raw_decode(body.decode("latin-1"))[1]
    return body[:end], body[end:]
