"""Answers of mode ``complete`` wait for their records: each for its own time, and in its own place."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from trivet.serving.appender import TOGETHER
from trivet.serving.capture import Recorder
from trivet.serving.config import ServerConfig
from trivet.serving.engine import Engine
from trivet.serving.errors import NotRecorded
from trivet.serving.http.app import App
from trivet.serving.http.message import Request
from trivet.serving.http.reply import Reply
from trivet.serving.log import Log
from trivet.serving.scribe import Decided, Scribe, render
from trivet.serving.service import Service

from .rawhttp import INFER


@pytest.fixture(scope="module")
def service(made) -> Service:
    engine = Engine.open(made.folder)
    return Service(engine, "loan", "3", Scribe(engine, "loans", "loan", "3"))


class Disk:
    """In place of a recorder: what is written is on the disk when the test says so."""

    def __init__(self) -> None:
        self.writes: list[asyncio.Future[None]] = []
        self.fails = False

    def write(self, decided: list[Decided]) -> asyncio.Future[None] | None:
        return self.write_lines(render(decided), 0) if decided else None

    def write_lines(self, lines: bytes, _: int) -> asyncio.Future[None]:
        if self.fails:
            raise MemoryError
        assert lines.endswith(b"\n")
        self.writes.append(asyncio.get_running_loop().create_future())
        return self.writes[-1]


class Turn:
    """Requests that came together, and the application that has answered them or is about to."""

    def __init__(self, made: Any, service: Service, recorder: Any) -> None:
        self._made = made
        self._service = service
        self._recorder = recorder
        self.app: App
        self.requests: list[Request] = []

    def answer(
        self, count: int, change: Callable[[list[Request]], None] = lambda _: None, deadline: float = 30.0
    ) -> None:
        """Have the application answer ``count`` requests, changed before."""
        settings = {"endpoint": "loans", "port": 0, "deadline_seconds": deadline, "records_mode": "complete"}
        self.app = App(ServerConfig.parse(settings | {"records": "/nowhere"}, "test"), Log("error"), self._recorder)
        self.app.publish(self._service)
        bodies = [json.dumps(self._made.request(1, number)).encode() for number in range(count)]
        self.requests = [Request("POST", INFER, {}, body) for body in bodies]
        change(self.requests)
        self.app.answer(self.requests)

    @property
    def statuses(self) -> list[int | None]:
        """Of the answers; none for those that wait."""
        answers = [one.answer for one in self.requests]
        assert None not in answers
        replies = [one if isinstance(one, Reply) else one.result() if one and one.done() else None for one in answers]
        return [reply and reply.status for reply in replies]

    @property
    def places(self) -> int:
        """That are taken."""
        return self.app.places.taken


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def turn(made, service, disk) -> Turn:
    return Turn(made, service, disk)


pytestmark = pytest.mark.anyio


def broken(requests: list[Request]) -> None:
    """The last of them is no JSON."""
    requests[-1].body = b"{"


async def test_answers_of_one_turn_wait_for_one_write(turn, disk):
    turn.answer(5, broken)
    assert len(disk.writes) == 1
    assert turn.statuses == [None] * 4 + [400]
    assert turn.places == 4
    disk.writes[0].set_result(None)
    await asyncio.sleep(0)
    assert turn.statuses == [200] * 4 + [400]
    assert turn.places == 0


async def test_a_turn_without_a_decision_has_nothing_to_wait_for(made, service, tmp_path):
    recorder = Recorder(tmp_path / "records", "complete", 1000, lambda _: None)
    turn = Turn(made, service, recorder)
    turn.answer(1, broken)
    assert turn.statuses == [400]
    assert turn.places == 0
    await recorder.close()
    assert list((tmp_path / "records").iterdir()) == []


@pytest.mark.parametrize("how", ["failed", "cancelled"])
async def test_answers_whose_records_are_lost_are_withheld(turn, disk, how):
    turn.answer(3)
    if how == "failed":
        disk.writes[0].set_exception(NotRecorded("The disk is full.", "Send it again later."))
    else:
        disk.writes[0].cancel()
    await asyncio.sleep(0)
    assert turn.statuses == [503] * 3
    assert turn.places == 0


async def test_answers_whose_records_cannot_even_be_rendered_are_withheld(turn, disk):
    disk.fails = True
    turn.answer(3)
    assert turn.statuses == [500] * 3
    assert turn.places == 0


def in_gzip(requests: list[Request]) -> None:
    """None of them is decided in passing."""
    for request in requests:
        request.fields[b"content-encoding"] = b"gzip"
        request.body = gzip.compress(request.body)


async def test_one_that_was_decided_aside_keeps_its_place_until_its_write_ends(turn, disk):
    turn.answer(1, in_gzip, deadline=0.3)
    await asyncio.sleep(0.6)
    assert turn.statuses == [504]
    assert turn.places == 1
    disk.writes[0].set_result(None)
    await asyncio.sleep(0.1)
    assert turn.places == 0
    turn.app.places.close()


async def test_measures_that_cannot_be_kept_cost_no_place_and_no_answer(turn, disk, monkeypatch):
    """Of several processes they lie in files, on a disk that may be full. They are told in the midst of a turn."""
    tried: list[int] = []

    def full(*_: Any) -> None:
        tried.append(1)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("trivet.serving.http.metrics.Metrics.observe", full)
    monkeypatch.setattr("trivet.serving.http.metrics.Metrics.decided", full)
    turn.answer(2 * TOGETHER, broken)
    disk.writes[0].set_result(None)
    await asyncio.sleep(0)
    assert turn.statuses == [200] * (2 * TOGETHER - 1) + [400]
    await asyncio.sleep(0)
    assert len(tried) > 1
    assert turn.places == 0


def second_is_slow(requests: list[Request]) -> None:
    """The body of the second took 0.3 seconds to come."""
    requests[1].start -= 0.3


async def test_whoever_is_late_is_told_so_and_keeps_its_place_until_the_write_ends(turn, disk):
    """Of those who wait together each has its own time."""
    turn.answer(3, second_is_slow, deadline=0.4)
    await asyncio.sleep(0.2)
    assert turn.statuses == [None, 504, None]
    assert turn.places == 3
    await asyncio.sleep(0.4)
    assert turn.statuses == [504] * 3
    assert turn.places == 3
    disk.writes[0].set_result(None)
    await asyncio.sleep(0)
    assert turn.statuses == [504] * 3
    assert turn.places == 0
