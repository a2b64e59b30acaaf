"""A listener that is let go of while somebody comes in."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

import pytest

from trivet.serving.http.message import Bounds, Request
from trivet.serving.http.reply import Reply
from trivet.serving.http.server import Plane

from .rawhttp import get, parse

AT_THE_DOOR = 2  # turns of the loop after which a client that waits is accepted, and no more


class Handler:
    """Answers until it is closed, as a model does whose records can be written no more."""

    draining = True
    max_body_bytes = 1000
    closed = False

    def admit(self, request: Request) -> Reply | None:
        """All are welcome."""
        return None

    def give_up(self, request: Request | None, status: int) -> Reply:
        """Say so."""
        return Reply(status, b"")

    def answer(self, requests: Sequence[Request]) -> None:
        """Answer."""
        for request in requests:
            request.answer = Reply(500 if self.closed else 200, b"")


@pytest.mark.parametrize("turns", range(AT_THE_DOOR, AT_THE_DOOR + 6))
def test_whoever_was_accepted_is_answered_however_soon_the_listener_closes(turns):
    async def run() -> list[int]:
        handler = Handler()
        plane = Plane(handler, Bounds(5, 5, 5))
        listener = socket.create_server(("127.0.0.1", 0))
        await plane.begin(listener)
        with socket.create_connection(listener.getsockname()) as client:
            client.sendall(get())
            for _ in range(turns):
                await asyncio.sleep(0)
            await plane.end(1, 5)
            handler.closed = True
            client.settimeout(5)
            answer = await asyncio.to_thread(client.recv, 4096)
        return [one.status for one in parse(answer)[0]]

    assert asyncio.run(run()) == [200]
