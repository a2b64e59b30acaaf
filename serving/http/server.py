"""One process's share of a listening socket: accepts, and on SIGTERM leaves without losing a request.

Two processes may hold the same socket. Each closes its own descriptor only, so what waits in the kernel's queue is
accepted by the other.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from email.utils import formatdate

from trivet.serving.config import ServerConfig
from trivet.serving.http.app import App
from trivet.serving.http.connection import Connection, Turn
from trivet.serving.http.message import Bounds, Clock, Handler
from trivet.serving.http.sockets import BACKLOG

LINGER = 1.0  # seconds that a connection without a request is kept after the listener closed: one may be on its way
TICK = 0.02
TURNS = 4  # of the event loop, more than asyncio needs to make a connection of what it has accepted


class Plane:
    """The connections to one handler."""

    def __init__(self, handler: Handler, bounds: Bounds) -> None:
        self.connections: set[Connection] = set()
        self._handler = handler
        self._bounds = bounds
        self._server: asyncio.Server | None = None
        self._listener: socket.socket | None = None
        self._sweeping: asyncio.Task[None] | None = None

    async def begin(self, listener: socket.socket) -> None:
        """Accept from now on."""
        loop = asyncio.get_running_loop()
        _tell_the_time()
        self._sweeping = asyncio.create_task(self._sweep())
        turn = Turn(self._handler)
        self._listener = listener
        self._server = await loop.create_server(
            lambda: Connection(self._handler, self._bounds, self.connections, turn), sock=listener, backlog=BACKLOG
        )

    async def stop_accepting(self) -> None:
        """Let go of the listening socket; the connections stay.

        What is accepted just before becomes one of them: a closed ``asyncio.Server`` would drop it unheard, and until
        then it is not among ``connections``.
        """
        server, self._server = self._server, None
        if server is None or self._listener is None:
            return
        asyncio.get_running_loop().remove_reader(self._listener)
        for _ in range(TURNS):
            await asyncio.sleep(0)
        server.close()

    def close_idle(self) -> None:
        """Close the connections on which nobody waits."""
        for connection in list(self.connections):
            if not connection.busy:
                connection.close()

    async def end(self, linger: float, patience: float) -> None:
        """Accept no more, answer what was accepted, close; return after ``patience`` seconds at the latest."""
        await self.stop_accepting()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while self.connections and loop.time() < begun + patience:
            if loop.time() >= begun + linger:
                self.close_idle()
            await asyncio.sleep(TICK)
        if self._sweeping is not None:
            self._sweeping.cancel()

    async def _sweep(self) -> None:
        """Once a second, end the connections that come to nothing."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1)
            _tell_the_time()
            now = loop.time()
            for connection in list(self.connections):
                connection.sweep(now)


class Server:
    """The data plane of one process.

    The first SIGTERM or SIGINT makes the application not ready; it serves on for ``drain_seconds``, then the
    listener closes, what was accepted is answered, and ``serve`` returns. The second ends it at once.
    """

    def __init__(self, app: App, config: ServerConfig) -> None:
        self.forced = False
        self._app = app
        self._config = config
        self._leave = asyncio.Event()
        self._end = asyncio.Event()
        deadline = config.deadline_seconds
        self._plane = Plane(app, Bounds(deadline, config.idle_seconds, 2 * deadline))

    async def begin(self, listener: socket.socket) -> None:
        """Accept, and take the signals."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        await self._plane.begin(listener)

    async def until_left(self) -> None:
        """Serve until told to leave, then leave."""
        await self._leave.wait()
        if not self.forced:
            loop = asyncio.get_running_loop()
            patience = min(LINGER + self._config.deadline_seconds, self._config.grace_seconds)
            ending = loop.create_task(self._plane.end(LINGER, patience))
            forced = loop.create_task(self._end.wait())
            await asyncio.wait((ending, forced), return_when=asyncio.FIRST_COMPLETED)
        await self._plane.stop_accepting()

    def stop(self) -> None:
        """Leave now, as at the end of the drain."""
        self._app.drain()
        self._leave.set()

    def _signalled(self) -> None:
        if self._app.draining:
            self.forced = True
            self._leave.set()
            self._end.set()
            return
        self._app.drain()
        asyncio.get_running_loop().call_later(self._config.drain_seconds, self._leave.set)


def _tell_the_time() -> None:
    Clock.line = f"date: {formatdate(usegmt=True)}\r\n".encode()
