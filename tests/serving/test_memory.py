"""What is over is forgotten at once: none of it waits for the garbage collector, which may be long in coming."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from trivet.serving.http.connection import Connection
from trivet.serving.http.limits import Places
from trivet.serving.http.message import Bounds, Request
from trivet.serving.http.reply import Reply
from trivet.serving.http.server import Plane

from .rawhttp import chunked, get, post

RESET = b"\1\0\0\0\0\0\0\0"


class Mark:
    """Lives as long as what it hangs on."""


class Large(bytes):
    """An answer that tells whether somebody still holds it."""

    mark: Mark


class Handler:
    """Answers with something large, at once or a moment later."""

    draining = False
    max_body_bytes = 10 << 20

    def __init__(self, later: bool) -> None:
        self.later = later
        self.answers: list[weakref.ref[Mark]] = []
        self.given_up: list[int] = []

    def admit(self, request: Request) -> Reply | None:
        """All are welcome."""
        return None

    def give_up(self, request: Request | None, status: int) -> Reply:
        """Remember that it did."""
        self.given_up.append(status)
        return Reply(status, self._large())

    def answer(self, requests: Sequence[Request]) -> None:
        """Answer."""
        for request in requests:
            request.answer = asyncio.ensure_future(self._answer()) if self.later else Reply(200, self._large())

    async def _answer(self) -> Reply:
        await asyncio.sleep(0.05)
        return Reply(200, self._large())

    def _large(self) -> Large:
        large = Large(8 << 20)
        large.mark = Mark()
        self.answers.append(weakref.ref(large.mark))
        return large


@pytest.fixture(autouse=True)
def nobody_collects() -> Iterator[None]:
    """No cycle is broken by accident."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


BODY = b" " * 2_800_000
CLIENTS: dict[str, bytes] = {
    "a body cut short": post(BODY)[:-1],
    "a chunk cut short": post(chunked(BODY), b"Transfer-Encoding: chunked", length=False)[:-10],
    "an answer unread": get(),
    "answers unread": get() * 3 + post(BODY)[:-1],
    "a refusal unread": post(b"", b"Host: y"),
    "a refusal behind an answer": get() + b"NONSENSE\r\n\r\n",
}


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("sent", CLIENTS.values(), ids=CLIENTS)
def test_a_client_that_breaks_off_leaves_nothing(sent, later, monkeypatch):
    connections: list[weakref.ref[Connection]] = []
    begin = Connection.connection_made

    def seen(self: Connection, transport: Any) -> None:
        connections.append(weakref.ref(self))
        begin(self, transport)

    monkeypatch.setattr(Connection, "connection_made", seen)
    handler = Handler(later)

    async def run() -> None:
        plane = Plane(handler, Bounds(5, 5, 5))
        listener = socket.create_server(("127.0.0.1", 0))
        await plane.begin(listener)
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await asyncio.to_thread(client.connect, listener.getsockname())
            await asyncio.to_thread(client.sendall, sent)
            await asyncio.sleep(0.2)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        await until(lambda: not plane.connections)
        await asyncio.sleep(0.1)
        await plane.end(0, 1)
        assert [held for one in handler.answers if (held := one()) is not None] == []
        assert [held for one in connections if (held := one()) is not None] == []

    asyncio.run(run())
    assert len(connections) == 1


async def until(what: Callable[[], bool]) -> None:
    for _ in range(500):
        if what():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen within five seconds")


def test_what_was_worked_out_for_nobody_is_forgotten_when_it_is_there():
    """Its request had its 504 long before, and left its place to the work."""
    begun, go_on = threading.Event(), threading.Event()
    made: list[weakref.ref[Any]] = []

    def work() -> Mark:
        begun.set()
        assert go_on.wait(10)
        result = Mark()
        made.append(weakref.ref(result))
        return result

    async def run() -> None:
        places = Places(1, 0)
        with places.place() as place, pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await place.work(work)
        assert begun.is_set()
        assert places.taken == 1
        del place
        go_on.set()
        await until(lambda: places.taken == 0)
        places.close()

    asyncio.run(run())
    assert [one() for one in made] == [None]
