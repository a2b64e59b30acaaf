"""Records: what they hold, when they are durable, and what happens when they cannot be written."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.core.canonical import digest_json
from trivet.core.errors import ConfigError
from trivet.core.inference import record_id
from trivet.core.modelpackage import PROFILE, Decision, Input, Profile, Serving, seal
from trivet.core.records import Prediction, read_records
from trivet.serving.appender import DELAY, LIMIT, Appender
from trivet.serving.capture import Recorder
from trivet.serving.engine import Answer, Engine
from trivet.serving.errors import ModelFailed, NotRecorded
from trivet.serving.scribe import Decided, Scribe, render
from trivet.serving.segments import Segments
from trivet.serving.service import Call, Done, Service
from trivet.serving.spelling import spelled_ids
from trivet.serving.tensors import Batch, Checker
from trivet.serving.wire import rows, v2

from .rawhttp import wait_for

NO_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def predictions(folder: Path) -> list[Prediction]:
    """Every prediction of a folder, read as monitoring reads it."""
    return [record for record in read_records(folder, "prediction") if isinstance(record, Prediction)]


def answered(service: Service, rows: dict[str, Any], request_id: str) -> tuple[Done, bytes]:
    """The response to a request, and its records."""
    outcome = service.infer([Call(v2.WIRE, json.dumps(rows).encode(), {}, request_id)])
    [done] = outcome.each
    assert isinstance(done, Done)
    return done, render(outcome.records)


def test_a_record_says_what_was_decided_and_not_who_was(made):
    engine = Engine.open(made.folder)
    service = Service(engine, "loan", "3", Scribe(engine, "loans", "loan", "3"))
    asked = made.rows(40)
    done, lines = answered(service, made.request(40), "r-1")
    records = [Prediction.model_validate_json(line) for line in lines.splitlines()]
    response = {output["name"]: output["data"] for output in json.loads(done.body)["outputs"]}
    [profile] = [one for one in Profile.read(made.folder / PROFILE).features if one.name == "income"]
    for at, (record, row) in enumerate(zip(records, asked, strict=True)):
        assert record.id == f"r-1#{at}"
        assert (record.endpoint, record.model, record.version, record.package) == ("loans", "loan", "3", made.digest)
        assert record.inputs == row | {"income": {"bin": profile.bin_of(row["income"])}}
        assert record.score == response["score"][at]
        assert record.decision == response["decision"][at]
        as_floats = {name: float(value) if isinstance(value, int) else value for name, value in row.items()}
        assert record.input_digest == digest_json(as_floats)
        parts = dict(zip(engine.features, response["contributions"][4 * at : 4 * at + 4], strict=True))
        against = sorted((value, name) for name, value in parts.items() if value < 0)
        assert list(record.reasons) == [(name, value) for value, name in against]
    assert any(row["income"] is None for row in asked), "no row has a missing income"


NUMBER = st.one_of(
    st.floats(-1e3, 1e3),
    st.floats(1e-7, 1e-3),
    st.floats(-1e30, 1e30),
    st.sampled_from([0.0, -0.0, 5e-324, 1e16, 1e22]),
)


STRANGE = st.sampled_from([chr(34), "},{", "%b", chr(92)])
TEXT = st.one_of(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), STRANGE)
OF_TYPE = {"number": st.one_of(st.none(), NUMBER), "category": st.one_of(st.none(), TEXT)}


@pytest.mark.parametrize(
    "columns",
    [
        {"b": "number", "a": "number"},
        {"fee": "number", "amount": "number", "level": "number"},
        {"only": "category"},
        {"z": "category", "50%": "number", "m": "category", "a%b": "number"},
    ],
)
@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_the_digest_of_a_row_is_that_of_its_canonical_json(columns, data):
    """However its numbers are spelled, and whatever its texts and the names of its columns hold."""
    serving = Serving(
        name="loan",
        inputs=tuple(Input(name=name, type=kind, nullable=True) for name, kind in columns.items()),
        decision=Decision(threshold=0.5),
    )
    row = {name: data.draw(OF_TYPE[kind]) for name, kind in columns.items()}
    none = {"profile": None, "contributions": lambda _: None}
    engine = SimpleNamespace(serving=serving, digest="sha256:" + "0" * 64, **none)
    answer = Answer(np.array([0.5], dtype=np.float32), [b"0.5"], ["1"], [b'"1"'], None)
    check = Checker(serving)
    scribe = Scribe(cast(Engine, engine), "loans", "loan", "1")
    line = scribe.lines([Decided(scribe, datetime.now(UTC), [("r", 1)], check.batch([check.rows([row])]), answer)])
    record = Prediction.model_validate_json(line)
    assert record.input_digest == digest_json(row)
    assert record.inputs == row


@given(name=st.text(max_size=8), rows=st.integers(1, 12))
def test_ids_are_spelled_as_records_and_answers_have_them(name, rows):
    assert [json.loads(one) for one in spelled_ids(name, rows)] == [record_id(name, row, rows) for row in range(rows)]


def test_one_row_has_the_id_of_its_request(made):
    engine = Engine.open(made.folder)
    service = Service(engine, "loan", "3", Scribe(engine, "loans", "loan", "3"))
    _, line = answered(service, made.request(1), "r-2")
    assert Prediction.model_validate_json(line).id == "r-2"


def test_a_personal_input_without_profile_is_not_served_with_records(made, tmp_path):
    import shutil

    copy = Path(shutil.copytree(made.folder, tmp_path / "copy"))
    (copy / PROFILE).unlink()
    seal(copy)
    with pytest.raises(ConfigError, match="personal inputs income"):
        Scribe(Engine.open(copy), "loans", "loan", "1")


def test_those_who_wait_share_a_write():
    calls: list[bytes] = []
    go = threading.Event()

    def write(data: bytes) -> None:
        go.wait(10)
        calls.append(data)

    async def run() -> None:
        appender = Appender(write, "test")
        waiting = [asyncio.ensure_future(appender.commit(b"%d\n" % number)) for number in range(50)]
        await asyncio.sleep(0.01)
        assert not any(each.done() for each in waiting)
        go.set()
        await asyncio.gather(*waiting)
        await appender.close()

    asyncio.run(run())
    assert b"".join(calls) == b"".join(b"%d\n" % number for number in range(50))
    assert len(calls) == 2


def test_lines_for_which_nobody_waits_wake_the_thread_now_and_then_only():
    """A thread that wakes often takes turns with the event loop at every turn."""
    calls: list[bytes] = []

    async def run() -> None:
        appender = Appender(calls.append, "test")
        begun = time.monotonic()
        for number in range(300):
            appender.put(b"%d\n" % number)
            await asyncio.sleep(0.001)
        passed = time.monotonic() - begun
        await appender.close()
        assert len(calls) <= passed / DELAY + 2

    asyncio.run(run())
    assert b"".join(calls) == b"".join(b"%d\n" % number for number in range(300))


@pytest.mark.parametrize("together", [1, 5])
def test_of_reasons_that_cannot_be_worked_out_only_their_own_records_are_lost(made, tmp_path, monkeypatch, together):
    """They are worked out for many requests at once, after the answers have left; the loss is counted and told."""
    engine = Engine.open(made.folder)
    scribe = Scribe(engine, "loans", "loan", "3", lazy=True)
    service = Service(engine, "loan", "3", scribe)
    contributions = engine.contributions
    lost, counted = [], []

    def sometimes(batch: Batch) -> Any:
        if (batch.numbers[:, 0] == 13).any():
            raise ModelFailed("The model failed while computing contributions.")
        return contributions(batch)

    async def run() -> None:
        recorder = Recorder(tmp_path, "sampled", 1 << 20, lost.append, counted.append)
        row = made.rows(1)[0]
        bodies = [{"instances": [row | ({"amount": 13.0} if number == 2 else {})]} for number in range(5)]
        calls = [
            Call(rows.INSTANCES, json.dumps(body).encode(), {}, f"r{number}") for number, body in enumerate(bodies)
        ]
        for at in range(0, 5, together):
            assert recorder.write(service.infer(calls[at : at + together]).records) is None
        await recorder.close()

    monkeypatch.setattr(engine, "contributions", sometimes)
    asyncio.run(run())
    assert [record.id for record in predictions(tmp_path)] == ["r0", "r1", "r3", "r4"]
    assert (lost, counted) == ([1], [1])


def test_what_is_large_is_written_without_delay():
    calls: list[bytes] = []

    async def run() -> None:
        appender = Appender(calls.append, "test")
        for _ in range(5):
            appender.put(bytes(5 << 20))
            await asyncio.sleep(0.02)
        assert appender.dropped == 0
        await appender.close()

    asyncio.run(run())
    assert sum(map(len, calls)) == 25 << 20


def test_a_full_buffer_drops_and_counts_but_never_blocks():
    stuck = threading.Event()
    dropped: list[int] = []
    written: list[bytes] = []

    def write(data: bytes) -> None:
        stuck.wait(10)
        written.append(data)

    async def run() -> None:
        appender = Appender(write, "test", dropped.append)
        line = b"x" * (LIMIT // 4)
        for _ in range(3):
            appender.put(line, 10)
            await asyncio.sleep(0.1)
        for _ in range(4):
            appender.put(line, 10)
        stuck.set()
        await appender.close()

    asyncio.run(run())
    assert sum(map(len, written)) == 5 * (LIMIT // 4)
    assert dropped == [10, 10]


@settings(database=None)
@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=40))
def test_segments_hold_every_line_once_and_in_order(tmp_path_factory, sizes):
    folder = tmp_path_factory.mktemp("segments")
    segments = Segments(folder, "prediction", 100, durable=True)
    lines = [b"%02d" % at + b"." * size + b"\n" for at, size in enumerate(sizes)]
    for line in lines:
        segments.write(line)
    segments.close()
    files = sorted(folder.iterdir())
    assert b"".join(file.read_bytes() for file in files) == b"".join(lines)
    assert all(file.stat().st_size >= 100 for file in files[:-1])
    assert all(file.name.startswith("prediction-2") and f"-{os.getpid()}-" in file.name for file in files)


@pytest.fixture
def limited_files() -> Iterator[None]:
    """No file of this process may grow beyond 100 bytes, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_of_a_failed_write_nothing_stays_and_the_segment_ends(tmp_path, limited_files):
    segments = Segments(tmp_path, "prediction", 1000, durable=True)
    segments.write(b"a" * 59 + b"\n")
    with pytest.raises(OSError, match="too large"):
        segments.write(b"b" * 59 + b"\n")
    segments.write(b"c" * 59 + b"\n")
    segments.close()
    first, second = (file.read_bytes() for file in sorted(tmp_path.iterdir()))
    assert first == b"a" * 59 + b"\n"
    assert second == b"c" * 59 + b"\n"


def test_an_empty_segment_does_not_stay(tmp_path, limited_files):
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    segments = Segments(tmp_path, "prediction", 1000, durable=False)
    for _ in range(3):
        with pytest.raises(OSError, match="too large"):
            segments.write(b"a" * 200)
    assert list(tmp_path.iterdir()) == []


def test_complete_raises_and_sampled_counts_when_the_disk_is_full(tmp_path, limited_files):
    dropped: list[int] = []

    async def run() -> None:
        complete = Recorder(tmp_path / "complete", "complete", 1000, dropped.append)
        written = complete.write_lines(b"x" * 200 + b"\n", 1)
        assert written is not None
        with pytest.raises(NotRecorded, match="withheld"):
            await written
        await complete.close()
        assert dropped == []
        sampled = Recorder(tmp_path / "sampled", "sampled", 1000, dropped.append)
        assert sampled.write_lines(b"x" * 200 + b"\n", 3) is None
        await sampled.close()

    asyncio.run(run())
    assert dropped == [3]


@pytest.mark.parametrize("mode", ["complete", "sampled"])
def test_every_answer_has_its_record(start, made, client, tmp_path, mode):
    server = start(made, records=str(tmp_path / "records"), records_mode=mode, segment_bytes=4000)
    with ThreadPoolExecutor(4) as pool:
        ids = list(
            pool.map(lambda _: client.post(f"{server.model}/infer", json=made.request()).json()["id"], range(60))
        )
    wait_for(lambda: len(predictions(tmp_path / "records")) == 60)  # a segment is full before the next is begun
    client.post(f"{server.model}/infer", json=made.request(5, request_id="many"))
    server.stop()
    assert {record.id for record in predictions(tmp_path / "records")} == {*ids, *(f"many#{row}" for row in range(5))}
    assert len(list((tmp_path / "records").iterdir())) > 1
    assert {oct(file.stat().st_mode & 0o777) for file in (tmp_path / "records").iterdir()} == {"0o600"}


def test_complete_survives_a_kill(start, made, tmp_path):
    """Whatever was answered before SIGKILL is on the disk."""
    server = start(made, records=str(tmp_path / "records"))
    ids: list[str] = []

    def ask() -> None:
        with httpx.Client(trust_env=False) as client:
            for _ in range(400):
                try:
                    ids.append(client.post(f"{server.model}/infer", json=made.request()).json()["id"])
                except httpx.TransportError:
                    return
                if len(ids) == 100:
                    server.process.send_signal(signal.SIGKILL)

    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(ask) for _ in range(4)]:
            each.result()
    assert len(ids) >= 100
    assert set(ids) <= {record.id for record in predictions(tmp_path / "records")}


def test_complete_withholds_what_it_cannot_write_and_recovers(start, made, client, tmp_path):
    records = tmp_path / "records"
    server = start(made, records=str(records))
    url = f"{server.model}/infer"
    first = client.post(url, json=made.request()).json()["id"]
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    for _ in range(3):
        refused = client.post(url, json=made.request())
        assert refused.status_code == 503
        assert "withheld" in refused.json()["error"]
        assert refused.headers["retry-after"] == "1"
    assert client.get(f"{server.url}/v2/health/live").status_code == 200
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, NO_LIMIT)
    last = client.post(url, json=made.request()).json()["id"]
    server.stop()
    assert [record.id for record in predictions(records)] == [first, last]


def test_sampled_answers_although_it_cannot_write_and_says_so(start, made, client, tmp_path):
    """A hundred records do not fit within the limit; the log's few lines do."""
    records = tmp_path / "records"
    server = start(made, records=str(records), records_mode="sampled", log_level="info")
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    for _ in range(7):
        assert client.post(f"{server.model}/infer", json=made.request(100)).status_code == 200
    server.stop()
    assert sum(line["count"] for line in server.lines("records dropped")) == 700
    assert predictions(records) == []  # what is told as dropped is not there
