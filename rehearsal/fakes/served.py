"""A container that serves: started on a port of its own, asked over HTTP, started again, drained at last."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple, TypeVar

from trivet.rehearsal.fakes.containers import Container
from trivet.rehearsal.ports import HOST, free_port

GOLDEN = 0.6180339887498949  # multiples of it fill [0, 1) evenly, so that few requests already show a split
_TICK = 0.05
T = TypeVar("T")


class Reply(NamedTuple):
    """What a container answered."""

    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes


class Served:
    """One container that answers requests."""

    def __init__(self, name: str, closed: threading.Event) -> None:
        """
        :param closed: once this is set, it is not started again.
        """
        self.name = name
        self._closed = closed
        self._container: Container | None = None
        self._users, self._idle = 0, threading.Condition()
        self._leaving = threading.Event()
        self._port = 0

    def good(self, probe: Callable[[], bool], seconds: float, cancelled: threading.Event) -> bool:
        """Whether a probe comes good before the container ends and its time is over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not cancelled.is_set():
            if self._container is None or self._container.code is not None:
                return False
            if probe():
                return True
            cancelled.wait(_TICK)
        return False

    def take(self) -> None:
        """Count one more request that is on its way to it, so that it is not stopped meanwhile."""
        with self._idle:
            self._users += 1

    def release(self) -> None:
        """Count one less."""
        with self._idle:
            self._users -= 1
            self._idle.notify_all()

    def drain(self, longest: float, grace: float) -> None:
        """Have it finish what it was asked, and leave; ``grace`` are the seconds from SIGTERM to SIGKILL."""
        with self._idle:
            self._idle.wait_for(lambda: self._users == 0, longest)
        self._leaving.set()
        if self._container is not None:
            self._container.stop(grace)

    def pids(self) -> list[int]:
        """Its processes."""
        return self._container.pids() if self._container else []

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Reply:
        """One request to it.

        :raises TimeoutError: when no answer comes in time.
        :raises OSError: when nothing listens, or it ends before it has answered; so does HTTPException.
        """
        connection = http.client.HTTPConnection(HOST, self._port, timeout=seconds)
        try:
            connection.request(method, path, body=body, headers=dict(headers))
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, answer.read())
        finally:
            connection.close()

    def is_well(self, path: str, seconds: float) -> bool:
        """Whether it answers a GET with 200 in time."""
        with suppress(OSError, http.client.HTTPException):
            return self.ask("GET", path, {}, b"", seconds).status == 200
        return False

    def run_on(self, start: Callable[[int], Container]) -> None:
        """Start it on a free port.

        :raises OSError: where it cannot be started.
        """
        self._port = free_port()
        self._container = start(self._port)
        if self._leaving.is_set():
            self._container.kill()

    def keep(self, again: Callable[[], None], wanted: Callable[[], bool]) -> None:
        """Start it again whenever it ends by itself, from now on and as long as that is wanted."""
        threading.Thread(target=self._keep, args=(again, wanted), name=f"watch {self.name}", daemon=True).start()

    def _keep(self, again: Callable[[], None], wanted: Callable[[], bool]) -> None:
        while not self._leaving.wait(_TICK):
            ended = self._container is None or self._container.code is not None
            if not ended or not wanted() or self._closed.is_set():
                continue
            again()
            self._leaving.wait(1)  # so that one that ends at once does not keep this machine busy


def pick(weights: Mapping[T, float], point: float) -> T:
    """The one for a point in [0, 1), by weights; the first where all are nought."""
    left = point * sum(weights.values())
    for name, weight in weights.items():
        left -= weight
        if left < 0:
            return name
    return next(iter(weights))
