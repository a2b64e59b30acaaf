"""A proxy between a client and a server, both on loopback, that harms what passes as planned.

It knows bytes and no protocol. Each direction of a connection has its own ``Way``; what a way does not name passes
unharmed, the end of one side included.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
import threading
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Literal

from trivet.core.errors import ConfigError

PIECE = 64 << 10
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no time at all: closing sends RST and drops what is not sent yet

Fault = Literal["reset", "close", "end", "hold"]


@dataclass(frozen=True)
class Way:
    """What happens to the bytes of one direction.

    Bytes go on in pieces of at most ``piece`` bytes, each after ``wait`` seconds: latency with large pieces, a slow
    loris with small ones, and, without a wait, boundaries where nobody expects them.

    Once ``cut`` bytes have passed (for 0: in place of the first) the fault strikes:

    - ``reset``: both sides get a RST;
    - ``close``: both sides get an end, however much was still to come;
    - ``end``: the receiver gets an end, the other direction goes on: the sender closed half of the connection;
    - ``hold``: nothing passes and nothing is read any more, in either direction: a black hole.
    """

    piece: int = PIECE
    wait: float = 0.0
    cut: int | None = None
    fault: Fault = "close"


@dataclass(frozen=True)
class Plan:
    """What happens to one connection."""

    request: Way = field(default_factory=Way)  # from the client to the server
    response: Way = field(default_factory=Way)


class FaultProxy(AbstractContextManager["FaultProxy"]):
    """A running proxy. A connection follows the ``plan`` of the moment at which it is accepted.

    ``accepted`` counts connections, ``struck`` the faults that were done, ``passed`` the bytes of requests and of
    responses that went on.
    """

    def __init__(self, server: tuple[str, int], plan: Plan | None = None) -> None:
        """Listen on a free port of 127.0.0.1, and pass on to ``server``.

        :raises ConfigError: when the server is not on loopback.
        """
        if not ipaddress.ip_address(server[0]).is_loopback:
            raise ConfigError(f"{server[0]} is not on loopback.", "Give an address of this machine, as 127.0.0.1.")
        self.plan = plan or Plan()
        self.accepted = 0
        self.struck = 0
        self.passed = [0, 0]
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._listener.setblocking(False)
        self.address: tuple[str, int] = self._listener.getsockname()
        self.url = f"http://127.0.0.1:{self.address[1]}"
        self._loop = asyncio.new_event_loop()
        self._main = self._loop.create_task(self._accept())
        self._thread = threading.Thread(target=self._run, name="fault proxy", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Reset what is connected, and stop listening."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._main.cancel)
            self._thread.join()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._main)
        self._loop.close()

    async def _accept(self) -> None:
        connections: set[asyncio.Task[None]] = set()
        try:
            while True:
                client, _ = await self._loop.sock_accept(self._listener)
                self.accepted += 1
                task = self._loop.create_task(self._connect(client, self.plan))
                connections.add(task)
                task.add_done_callback(connections.discard)
        finally:
            self._listener.close()
            for task in connections:
                task.cancel()
            await asyncio.gather(*connections, return_exceptions=True)

    async def _connect(self, client: socket.socket, plan: Plan) -> None:
        server = socket.socket(socket.AF_INET6 if ":" in self._server[0] else socket.AF_INET)
        server.setblocking(False)
        ends = (client, server)
        try:
            await self._loop.sock_connect(server, self._server)
            for end in ends:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._pass_both(client, server, plan)
        except (OSError, asyncio.CancelledError):  # either side broke it, or the proxy closes: the other side sees it
            for end in ends:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        finally:
            for end in ends:
                end.close()

    async def _pass_both(self, client: socket.socket, server: socket.socket, plan: Plan) -> None:
        """Return when both directions have ended, or with the first fault that ends the connection."""
        over = asyncio.Event()
        pumps = {
            self._loop.create_task(self._pass(client, server, plan.request, 0, over)),
            self._loop.create_task(self._pass(server, client, plan.response, 1, over)),
        }
        try:
            while pumps:
                done, pumps = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                faults = [task.result() for task in done]  # raises what broke
                if "reset" in faults:
                    raise ConnectionResetError
                if "close" in faults:
                    return
                if "hold" in faults:
                    await self._stop(pumps)
                    await self._loop.create_future()  # until the proxy closes
        finally:
            await self._stop(pumps)

    @staticmethod
    async def _stop(pumps: set[asyncio.Task[Fault | None]]) -> None:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)

    async def _pass(
        self, source: socket.socket, target: socket.socket, way: Way, direction: int, over: asyncio.Event
    ) -> Fault | None:
        """Pass on what comes, until its end or the fault, which is returned.

        :param over: set by the direction that ends both, so that the other passes nothing more from then on.
        """
        left = way.cut
        while (data := await self._loop.sock_recv(source, PIECE)) and not over.is_set():
            kept = data if left is None else data[:left]
            for at in range(0, len(kept), way.piece):
                if way.wait:
                    await asyncio.sleep(way.wait)
                piece = kept[at : at + way.piece]
                await self._loop.sock_sendall(target, piece)
                self.passed[direction] += len(piece)
            if left is not None:
                left -= len(kept)
                if left == 0:
                    self.struck += 1
                    if way.fault == "end":
                        target.shutdown(socket.SHUT_WR)
                    else:
                        over.set()
                    return way.fault
        if not over.is_set():
            target.shutdown(socket.SHUT_WR)
        return None
