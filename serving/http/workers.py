"""The parent of several worker processes, which share one listening socket: each is a server as it would be alone.

The parent serves nobody. It starts the workers, starts those again that die, hands on the signal to leave, and changes
the models of all of them together: what a load call has returned from, every later response comes from.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import socket
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from trivet.core.errors import ExitCode, PlatformError
from trivet.serving.config import AdminSettings, ServerConfig
from trivet.serving.folders import OwnFolder
from trivet.serving.http.sockets import listen
from trivet.serving.http.together import Published, Together
from trivet.serving.http.worker import METRICS, TOKEN, NotStarted, Worker
from trivet.serving.log import Bridge, Log, say

if TYPE_CHECKING:
    from trivet.serving.http.admin import AdminPlane

PREFIX = "trivet-workers-"
MINUTE = 60.0  # seconds over which crashes are counted
CRASHES = 5  # of a worker and those that took its place; more within a minute are the end
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0  # seconds before a worker is started again
PATIENCE = 60.0  # seconds in which one that takes another's place must be ready, or four times what the first took
MARGIN = 5.0  # seconds beyond its own bounds that a leaving worker has to write what it still holds
FORCED = 2.0  # seconds that one has which must leave at once


def supervise(config: ServerConfig, fetched: OwnFolder) -> int:
    """Serve with ``config.workers`` processes until told to leave; returns the exit code.

    :param fetched: where packages may lie that were fetched; removed when none of them is served any more.
    :raises TrivetError: when they do not become ready.
    """
    with OwnFolder(PREFIX) as own:
        try:
            (own.path / METRICS).mkdir()
        except OSError as error:
            raise PlatformError(
                f"The workers' folder cannot be made: {error.strerror}.", "Set TMPDIR to a folder that can be written."
            ) from error
        return asyncio.run(_supervise(config, own.path, fetched))


async def _supervise(config: ServerConfig, folder: Path, fetched: OwnFolder) -> int:
    log = Log(config.log_level)
    logging.basicConfig(handlers=[Bridge(log)], level=logging.WARNING)
    try:
        return await Parent(config, log, listen(config), folder, fetched).run()
    finally:
        await log.close()


class Parent:
    """The workers, one in each place, and what they serve."""

    def __init__(
        self, config: ServerConfig, log: Log, listener: socket.socket, folder: Path, fetched: OwnFolder
    ) -> None:
        self._models = Published(config, fetched)
        self._config = config
        self._log = log
        self._listener = listener
        self._folder = folder
        self._team: list[Worker] = []
        self._together = Together(self._models, self._team, PATIENCE)
        self._leaving = asyncio.Event()
        self._left: list[Worker] = []  # those that were there when it was time to leave
        self._forced = False
        self._failure = ""

    async def run(self) -> int:
        """Serve until told to leave; returns the exit code.

        :raises TrivetError: when the workers do not become ready.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        admin = await self._admin()
        keepers: list[asyncio.Task[None]] = []
        try:
            await self._begin()
            keepers = [asyncio.create_task(self._keep(place)) for place in range(self._config.workers)]
            await self._leaving.wait()
        except NotStarted:
            if not self._leaving.is_set():
                raise
        finally:
            for keeper in keepers:
                keeper.cancel()
            await self._end(admin)
        return self._outcome()

    # --- workers come and go

    async def _begin(self) -> None:
        """Start them all, and say so once all are ready."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        async with self._together.changing:
            try:
                for place in range(self._config.workers):
                    self._team.append(self._spawn(place))
                self._models.learn(await asyncio.gather(*(worker.until_ready() for worker in self._team)))
            except OSError as error:
                raise PlatformError(f"A worker cannot be started: {error.strerror}.") from error
        self._together.patience = max(PATIENCE, 4 * (loop.time() - begun))
        self._log.event("info", "workers ready", workers=[worker.pid for worker in self._team])
        if self._config.ready_fd is not None:
            with suppress(OSError), os.fdopen(self._config.ready_fd, "w") as pipe:
                pipe.write(f"ready {','.join(model.digest or '' for model in self._models.documents())}\n")

    def _spawn(self, place: int) -> Worker:
        settings = self._config.admin
        if settings is not None:
            settings = AdminSettings(
                socket=self._folder / f"{place}.sock", token_file=self._folder / TOKEN, repository=settings.repository
            )
        own = {"workers": 1, "port": None, "models": self._models.documents(), "admin": settings}
        return Worker(place, self._config.model_copy(update=own), self._listener, self._folder)

    async def _keep(self, place: int) -> None:
        """Have somebody in this place: whenever the one who was there ends, another."""
        crashes: deque[float] = deque()
        reason = ""
        while True:
            if not reason:
                await self._team[place].ended.wait()
                reason = self._team[place].reason
            if self._leaving.is_set():
                return
            now = asyncio.get_running_loop().time()
            crashes.append(now)
            while crashes[0] < now - MINUTE:
                crashes.popleft()
            if len(crashes) > CRASHES:
                self._failure = f"{reason} That was more than {CRASHES} times within a minute."
                self._leave()
                return
            pause = min(FIRST_PAUSE * 2 ** (len(crashes) - 1), LONGEST_PAUSE)
            self._log.event("error", "worker ended", worker=place, reason=reason, again_in=pause)
            await asyncio.sleep(pause)
            reason = await self._replace(place)

    async def _replace(self, place: int) -> str:
        """Start another in this place, with the models that are published now; returns why that failed, or nothing."""
        async with self._together.changing:
            if self._leaving.is_set():
                return ""
            try:
                worker = self._team[place] = self._spawn(place)
            except OSError as error:
                return f"Worker {place} cannot be started: {error.strerror}."
            try:
                async with asyncio.timeout(self._together.patience):
                    await worker.until_ready()
            except NotStarted as error:
                return error.message
            except TimeoutError:
                worker.kill(f"Worker {place} was not ready within {self._together.patience:.0f} seconds.")
                await worker.ended.wait()
                return worker.reason
            self._log.event("info", "worker ready", worker=place, pid=worker.pid)
            return ""

    # --- leaving

    def _signalled(self) -> None:
        if self._leaving.is_set():
            self._forced = True
            asyncio.get_running_loop().call_later(FORCED, self._kill)
        self._leave()

    def _leave(self) -> None:
        if not self._leaving.is_set():
            self._leaving.set()
            self._left = [worker for worker in self._team if not worker.ended.is_set()]
            self._listener.close()
        for worker in self._left:
            worker.leave()

    def _kill(self) -> None:
        for worker in self._team:
            if not worker.ended.is_set():
                worker.kill(f"Worker {worker.number} did not leave in time.")

    async def _end(self, admin: AdminPlane | None) -> None:
        """Wait until all have left, and kill those that never would."""
        if admin is not None:
            await admin.close()
        if not self._leaving.is_set():  # they never were all ready
            self._listener.close()
            self._kill()
        ended = asyncio.gather(*(worker.ended.wait() for worker in self._team))
        with suppress(TimeoutError):
            bound = self._config.drain_seconds + self._config.grace_seconds + MARGIN
            await asyncio.wait_for(asyncio.shield(ended), bound)
        self._kill()
        await ended

    def _outcome(self) -> int:
        for worker in self._left:
            if worker.failed and not self._forced and not self._failure:
                self._failure = f"While the workers left: {worker.reason}"
        if self._failure:
            say("error", "failed", message=self._failure)
            return ExitCode.PLATFORM
        self._log.event("info", "workers stopped", forced=self._forced)
        return ExitCode.INTERRUPTED if self._forced else ExitCode.OK

    # --- models change

    async def _admin(self) -> AdminPlane | None:
        if self._config.admin is None:
            return None
        from trivet.serving.http.workersadmin import open_admin

        descriptor = os.open(self._folder / TOKEN, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
        return await open_admin(self._config, self._config.admin, self._together, self._log)
