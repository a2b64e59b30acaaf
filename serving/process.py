"""One server process: loads, listens, says that it is ready, and ends in order."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path

from trivet.core.errors import ExitCode, PlatformError
from trivet.core.signing import key_id
from trivet.serving.capture import Recorder
from trivet.serving.config import ServerConfig
from trivet.serving.heap import keep_freed_memory
from trivet.serving.http.admin import Admin, AdminPlane
from trivet.serving.http.app import App
from trivet.serving.http.metrics import Metrics
from trivet.serving.http.server import Server
from trivet.serving.http.sockets import listen, where
from trivet.serving.loader import load
from trivet.serving.log import Log
from trivet.serving.objectwriter import putter
from trivet.serving.tracing import Tracer

STORE_SECONDS = 10.0  # that an object store has to take records


class Process:
    """What belongs to one process, in the order in which it begins and, backwards, ends.

    With a port of its own it listens first and loads then, alive but not ready, as clouds expect of a container. On an
    inherited socket it loads first: whoever shares that socket answers until then.
    """

    def __init__(self, config: ServerConfig, log: Log, tell: Callable[[str], None]) -> None:
        """:param tell: is told once ``ready DIGEST`` of all models."""
        self._config = config
        self._log = log
        self._tell = tell
        self._metrics = Metrics()
        self._recorder: Recorder | None = None
        self._tracer: Tracer | None = None
        self._failure: Exception | None = None

    async def run(self) -> int:
        """Serve until told to leave; returns the exit code.

        :raises TrivetError: when a model cannot be loaded or nothing can be listened on.
        """
        config = self._config
        listener = listen(config)
        loaded = [load(config, model) for model in config.models] if config.fd is not None else None
        self._recorder = self._open_recorder()
        if config.traces is not None:
            self._tracer = Tracer.open(config.traces, config.endpoint, self._metrics.spans_dropped.inc)
        app = App(config, self._log, self._recorder, self._metrics, self._tracer)
        self._where = where(listener)
        for service in loaded or ():
            app.publish(service)
        server = Server(app, config)
        await server.begin(listener)
        admin = await self._admin(app)
        beginning = asyncio.create_task(self._begin(app, server))
        await server.until_left()
        beginning.cancel()
        await self._end(app, admin)
        if self._failure is not None:
            raise self._failure
        self._log.event("info", "stopped", forced=server.forced)
        return ExitCode.INTERRUPTED if server.forced else ExitCode.OK

    async def _begin(self, app: App, server: Server) -> None:
        """Load what is not served yet, then say that all is ready."""
        try:
            for model in self._config.models:
                if model.name in app.models.services:
                    continue
                service = await asyncio.to_thread(load, self._config, model)
                if model.name in app.models.versions and model.name not in app.models.services:
                    app.publish(service)  # unless the admin plane has decided otherwise meanwhile
        except Exception as error:  # noqa: BLE001  a server that would never be ready ends, whatever the reason
            self._failure = error
            server.stop()
            return
        keep_freed_memory()
        gc.collect()
        gc.freeze()  # what is there now stays: no later collection has to look at it
        packages = ",".join(service.engine.digest for service in app.models.services.values())
        inline = {name: service.inline_bytes for name, service in app.models.services.items()}
        self._log.event("info", "ready", package=packages, key=self._key(), **self._where, inline_bytes=inline)
        self._tell(f"ready {packages}")

    async def _admin(self, app: App) -> AdminPlane | None:
        config, settings = self._config, self._config.admin
        if settings is None:
            return None
        return await AdminPlane.open(Admin(config, settings, app, self._log), config, settings)

    async def _end(self, app: App, admin: AdminPlane | None) -> None:
        if admin is not None:
            await admin.close()
        app.settle()
        app.places.close()
        if self._recorder is not None:
            await self._recorder.close()
        if self._tracer is not None:
            await asyncio.to_thread(self._tracer.close)

    def _key(self) -> str | None:
        """The key whose signature the packages carry."""
        return key_id(self._config.public_key) if self._config.public_key else None

    def _open_recorder(self) -> Recorder | None:
        config = self._config
        if config.records is None:
            return None
        # A client whose decision is withheld learns it before its deadline.
        seconds = min(STORE_SECONDS, config.deadline_seconds / 2)
        try:
            place = (
                putter(config.records, config.endpoint, seconds) if "://" in config.records else Path(config.records)
            )
            return Recorder(
                place,
                config.records_mode,
                config.segment_bytes,
                self._dropped,
                self._metrics.dropped.inc,
                seconds=seconds,
                on_failure=self._not_taken,
            )
        except OSError as error:
            raise PlatformError(f"The folder of records cannot be made: {error.strerror}.") from error

    def _not_taken(self, reason: str) -> None:
        self._log.event("error", "records not stored", reason=reason)

    def _dropped(self, count: int) -> None:
        self._log.event("error", "records dropped", count=count)
