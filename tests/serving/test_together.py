"""Requests that come together share a call of the model: nobody's answer, record or deadline may tell."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper

from trivet.core.modelpackage import GOLDEN, Golden, seal
from trivet.core.records import read_records
from trivet.serving.engine import Engine
from trivet.serving.errors import BadInput
from trivet.serving.scribe import Scribe, render
from trivet.serving.service import Call, Done, Service
from trivet.serving.wire import rows, sagemaker, v2

from .conftest import graph_of, handmade
from .rawhttp import LIVE, Answer, get, places_taken, post, read

CROWD = 48


@pytest.fixture(scope="module")
def service(made) -> Service:
    engine = Engine.open(made.folder)
    return Service(engine, "loan", "3", Scribe(engine, "loans", "loan", "3"), max_rows=50)


@pytest.fixture(scope="module")
def lazy(made) -> Service:
    """Works out the reasons when it renders the records."""
    engine = Engine.open(made.folder)
    return Service(engine, "loan", "3", Scribe(engine, "loans", "loan", "3", lazy=True), max_rows=50)


# --- one service


def call_of(made: Any, kind: str, start: int, count: int, request_id: str) -> Call:
    """A request in one of the protocols."""
    some = made.rows(count, start)
    if kind == "columns":
        return Call(v2.WIRE, json.dumps(made.request(count, start)).encode(), {}, request_id)
    if kind == "few outputs":
        body = made.request(count, start) | {"outputs": [{"name": "decision"}]}
        return Call(v2.WIRE, json.dumps(body).encode(), {}, request_id)
    if kind == "arrays":
        return Call(
            rows.INSTANCES, json.dumps({"instances": [list(one.values()) for one in some]}).encode(), {}, request_id
        )
    if kind == "reasons":
        body = {"instances": some, "parameters": {"contributions": True}, "id": f"own {start}"}
        return Call(rows.INSTANCES, json.dumps(body).encode(), {}, request_id)
    if kind == "csv":
        cells = "\n".join(",".join("" if value is None else str(value) for value in one.values()) for one in some)
        return Call(sagemaker.WIRE, cells.encode(), {b"content-type": b"text/csv"}, request_id)
    wrong: dict[str, bytes] = {
        "no json": b"{",
        "unknown output": b'{"inputs": [], "outputs": [{"name": "x"}]}',
        "out of bounds": json.dumps({"instances": [some[0] | {"amount": -1}]}).encode(),
        "a flag": json.dumps({"instances": [some[0] | {"amount": True}]}).encode(),
        "too many": json.dumps({"instances": some[:1] * 51}).encode(),
    }
    return Call(v2.WIRE if kind == "unknown output" else rows.INSTANCES, wrong[kind], {}, request_id)


GOOD = ("columns", "few outputs", "arrays", "reasons", "csv")
WRONG = ("no json", "unknown output", "out of bounds", "a flag", "too many")
CALLS = st.lists(
    st.tuples(st.sampled_from(GOOD * 3 + WRONG), st.integers(0, 300), st.sampled_from([1, 1, 1, 2, 5, 32])),
    min_size=1,
    max_size=24,
)


def parts_of(lines: bytes) -> list[dict[str, Any]]:
    """Records without their time."""
    return [{**json.loads(line), "time": None} for line in lines.splitlines()]


@given(drawn=CALLS)
@settings(max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
def test_together_says_to_each_what_it_is_told_alone(made, service, lazy, drawn):
    calls = [call_of(made, *one, f"r{number}") for number, one in enumerate(drawn)]
    together = service.infer(calls)
    alone = [service.infer([call]) for call in calls]
    for (kind, _, count), said, (only,) in zip(drawn, together.each, (one.each for one in alone), strict=True):
        assert isinstance(said, Done) == (kind in GOOD)
        if isinstance(said, Done):
            assert said == only
            assert said.rows == count
        else:
            assert isinstance(said, BadInput)
            assert str(said) == str(only)
    recorded = [record for one in alone for record in parts_of(render(one.records))]
    assert parts_of(render(together.records)) == recorded
    assert parts_of(render([decided for one in alone for decided in one.records])) == recorded
    lazily = lazy.infer(calls)
    assert [one for one in lazily.each if isinstance(one, Done)] == [
        one for one in together.each if isinstance(one, Done)
    ]
    assert parts_of(render(lazily.records)) == recorded


def test_what_many_ask_is_one_call_of_the_model(made, service, monkeypatch):
    asked: list[int] = []
    predict = Engine.predict

    def counted(engine: Engine, batch: Any, **how: Any) -> Any:
        asked.append(batch.rows)
        return predict(engine, batch, **how)

    monkeypatch.setattr(Engine, "predict", counted)
    calls = [call_of(made, "arrays", number, 1 + number % 3, "r") for number in range(20)]
    assert all(isinstance(one, Done) for one in service.infer(calls).each)
    assert asked == [sum(1 + number % 3 for number in range(20))]


def test_nothing_is_read_twice(made, service, monkeypatch):
    """However few rows may share a call, and however many are wrong."""
    read: list[bytes] = []
    monkeypatch.setattr(service.engine, "most_together", 33)

    def decode(body: bytes, fields: Any) -> Any:
        read.append(body)
        return rows.INSTANCES.decode(body, fields)

    calls = [call_of(made, ("arrays", "out of bounds")[number % 2], number, 20, "r") for number in range(32)]
    wire = rows.INSTANCES._replace(decode=decode)
    outcome = service.infer([call._replace(wire=wire) for call in calls])
    assert [isinstance(one, Done) for one in outcome.each] == [True, False] * 16
    assert len(read) == 32


def test_a_row_scores_the_same_to_the_last_bit_in_any_company(made, service):
    """Also of a request of its own, with many rows."""
    engine = service.engine
    batch = engine.check.batch([engine.check.rows(made.rows(300))])
    whole = engine.predict(batch, contributions=True)
    for row in range(300):
        alone = engine.predict(batch.only(np.array([row])), contributions=True)
        assert alone.score[0] == whole.score[row]
        assert np.array_equal(alone.contributions[0], whole.contributions[row])


def company_graph() -> Any:
    """``score`` says how the amount compares to the largest in the same call."""
    nodes = [
        helper.make_node("ReduceMax", ["amount"], ["most"], keepdims=1),
        helper.make_node("Div", ["amount", "most"], ["share"]),
        helper.make_node("Reshape", ["share", "flat"], ["score"]),
    ]
    return graph_of(nodes, {"flat": np.array([-1])}, "score", [None])


@pytest.mark.parametrize("golden", [1, 2])
def test_a_model_that_looks_at_its_company_never_has_any(tmp_path, key, golden):
    graded = handmade(tmp_path / "graded", company_graph(), 1.0, key)
    if golden == 2:
        [row] = Golden.read(graded.folder / GOLDEN).rows
        both = Golden(rows=(row | {"amount": 1.0}, row | {"amount": 4.0}), scores=(0.25, 1.0))
        (graded.folder / GOLDEN).write_bytes(both.canonical())
        seal(graded.folder)
    service = Service(Engine.open(graded.folder), "loan", "1")
    bodies = [json.dumps({"instances": [[amount, 1, 12, "car"]]}).encode() for amount in (1, 4, 2)]
    outcome = service.infer([Call(rows.INSTANCES, body, {}, "r") for body in bodies])
    said = [json.loads(done.body)["predictions"][0]["score"] for done in outcome.each if isinstance(done, Done)]
    assert said == [1.0, 1.0, 1.0]


def test_a_slow_model_is_not_tried_for_long(slow):
    engine = Engine.open(slow.folder)
    begun = time.thread_time()
    engine.prove_together(range(2, 2000), 0.01)
    assert engine.most_together == 1
    assert time.thread_time() - begun < 2


# --- one server


def bodies_of(made: Any, count: int) -> list[bytes]:
    return [json.dumps(made.request(1, number, f"id-{number}")).encode() for number in range(count)]


def send_at_once(server: Any, bodies: list[bytes]) -> list[Answer]:
    """Each on a connection of its own, all there before the server reads any."""
    with ExitStack() as stack:
        address = server.listener.getsockname()
        connections = [stack.enter_context(socket.create_connection(address)) for _ in bodies]
        for connection in connections:
            connection.sendall(get(LIVE))
            assert read(connection, count=1).statuses == [200]
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            for connection, body in zip(connections, bodies, strict=True):
                connection.sendall(post(body))
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        return [answer for connection in connections for answer in read(connection, count=1).answers]


@pytest.mark.parametrize("mode", [None, "sampled", "complete"])
def test_a_crowd_at_once_has_each_its_own_answer(start, made, tmp_path, mode):
    records = tmp_path / "records"
    server = start(made, **({"records": str(records), "records_mode": mode} if mode else {}))
    bodies = bodies_of(made, CROWD)
    bodies[7], bodies[30] = b"{", json.dumps(made.request(1) | {"outputs": [{"name": "x"}]}).encode()
    answers = send_at_once(server, bodies)
    assert [answer.status for answer in answers] == [400 if number in (7, 30) else 200 for number in range(CROWD)]
    expected = made.scores(CROWD)
    for number, answer in enumerate(answers):
        if answer.status == 200:
            said = json.loads(answer.body)
            assert said["id"] == f"id-{number}"
            assert said["outputs"][0]["data"][0] == pytest.approx(expected[number], abs=1e-5)
    assert places_taken(server) == 0
    server.stop()
    assert sum(line["method"] == "POST" for line in server.lines("request")) == CROWD
    if mode is not None:
        told = [record.id for record in read_records(records, "prediction")]
        assert sorted(told) == sorted(f"id-{number}" for number in range(CROWD) if number not in (7, 30))


@pytest.mark.parametrize(("mode", "told"), [("sampled", {200}), ("complete", {200, 429})])
def test_more_than_there_are_places_for(start, made, tmp_path, mode, told):
    """What is over at once needs one place after the other; what waits for its record holds its own."""
    server = start(made, max_concurrency=2, max_queue=3, records=str(tmp_path / "records"), records_mode=mode)
    statuses = [answer.status for answer in send_at_once(server, bodies_of(made, CROWD))]
    assert statuses.count(200) >= 5
    assert set(statuses) == told
    assert places_taken(server) == 0
