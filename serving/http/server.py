"""One process's share of a listening socket: accepts, and on SIGTERM leaves without losing a request.

Two processes may hold the same socket. Each closes its own descriptor only, so what waits in the kernel's queue is
accepted by the other.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from trivet.core.errors import ConfigError, PlatformError
from trivet.serving.config import ServerConfig
from trivet.serving.http.app import App, Phase

BACKLOG = 2048
LINGER = 1.0  # seconds that a connection without a request is kept after the listener closed: one may be on its way
TICK = 0.02


class Server(uvicorn.Server):
    """Uvicorn, but for how it ends.

    The first SIGTERM or SIGINT makes the application not ready; it serves on for ``drain_seconds``, then the
    listener closes, what was accepted is answered, and ``run`` returns. The second ends it at once.
    """

    def __init__(self, app: App, config: ServerConfig, on_started: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,  # type: ignore[arg-type]  # ASGI's messages are typed by name there, as dictionaries here
                loop="uvloop",
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=BACKLOG,
            )
        )
        self._app = app
        self._settings = config
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept, then say so."""
        await super().startup(sockets)
        self._on_started()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take both signals for the time of the run."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave)
        yield

    def _leave(self) -> None:
        if self._app.phase is Phase.DRAINING:
            self.force_exit = self.should_exit = True
            return
        self._app.drain()
        asyncio.get_running_loop().call_later(self._settings.drain_seconds, setattr, self, "should_exit", True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, answer what was accepted, close."""
        for server in self.servers:
            server.close()
        for own in sockets or []:
            own.close()
        loop = asyncio.get_running_loop()
        patience = loop.time() + LINGER
        end = patience + self._settings.deadline_seconds
        while (self.server_state.connections or self.server_state.tasks) and loop.time() < end and not self.force_exit:
            if loop.time() >= patience:
                self._close_idle()
            await asyncio.sleep(TICK)
        self._close_idle()

    def _close_idle(self) -> None:
        for connection in list(self.server_state.connections):
            connection.shutdown()


def listen(config: ServerConfig) -> socket.socket:
    """The socket to accept from: the inherited one, or one of its own.

    :raises ConfigError: when the inherited descriptor is no listening socket.
    :raises PlatformError: when the port cannot be had.
    """
    if config.fd is not None:
        return _inherited(config.fd)
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        return socket.create_server((config.host, config.port or 0), family=family, backlog=BACKLOG)
    except OSError as error:
        raise PlatformError(
            f"Nothing can listen on port {config.port} of {config.host}: {os.strerror(error.errno or 0)}.",
            "Stop what uses it, or choose another port.",
        ) from error


def _inherited(descriptor: int) -> socket.socket:
    try:
        inherited = socket.socket(fileno=descriptor)
        listens = inherited.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise ConfigError(f"Descriptor {descriptor} is no socket.", "Pass on one that listens.") from error
    if not listens:
        raise ConfigError(f"The socket {descriptor} does not listen.", "Pass on one that listens.")
    inherited.set_inheritable(False)
    return inherited
