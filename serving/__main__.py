"""``python -m trivet.serving CONFIG.json``: one server process, from a verified package to a drained exit."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from socket import socket
from typing import NoReturn

import uvloop

from trivet.core.errors import ExitCode, PlatformError, TrivetError
from trivet.serving.capture import Recorder, Scribe
from trivet.serving.config import ServerConfig
from trivet.serving.engine import Engine
from trivet.serving.http.app import App
from trivet.serving.http.server import Server, listen
from trivet.serving.log import Bridge, Log, say
from trivet.serving.service import Service


def main(arguments: list[str]) -> int:
    """Serve what the configuration file says until told to leave; returns the exit code."""
    if len(arguments) != 1:
        say("error", "failed", message="Give one argument: the configuration file.")
        return ExitCode.USAGE
    ready_fd = None
    try:
        config = ServerConfig.read(Path(arguments[0]))
        ready_fd = config.ready_fd
        service = _load(config)
        listener = listen(config)
        return asyncio.Runner(loop_factory=uvloop.new_event_loop).run(_serve(config, service, listener))
    except TrivetError as error:
        say("error", "failed", message=str(error))
        _tell(ready_fd, f"failed {error}")
        return error.exit_code


def _load(config: ServerConfig) -> Service:
    try:
        engine = Engine.open(config.package, config.public_key)
    except OSError as error:
        raise PlatformError(f"The model package cannot be read: {error.strerror}.") from error
    scribe = None
    if config.records is not None:
        scribe = Scribe(engine, config.endpoint, config.model, config.version)
    return Service(engine, config.model, config.version, scribe)


async def _serve(config: ServerConfig, service: Service, listener: socket) -> int:
    log = Log(config.log_level)
    logging.basicConfig(handlers=[Bridge(log)], level=logging.WARNING)
    recorder = _recorder(config, log)
    app = App(config, log, recorder)
    app.publish(service)
    host, port, *_ = listener.getsockname()

    def started() -> None:
        log.event(
            "info", "ready", package=service.engine.digest, host=host, port=port, inline_bytes=service.inline_bytes
        )
        _tell(config.ready_fd, f"ready {service.engine.digest}")

    server = Server(app, config, started)
    await server.serve([listener])
    app.places.close()
    if recorder is not None:
        await recorder.close()
    log.event("info", "stopped", forced=server.force_exit)
    await log.close()
    return ExitCode.INTERRUPTED if server.force_exit else ExitCode.OK


def _recorder(config: ServerConfig, log: Log) -> Recorder | None:
    if config.records is None:
        return None
    try:
        return Recorder(
            config.records,
            config.records_mode,
            config.segment_bytes,
            lambda count: log.event("error", "records dropped", count=count),
        )
    except OSError as error:
        raise PlatformError(f"The folder of records cannot be made: {error.strerror}.") from error


def _tell(ready_fd: int | None, message: str) -> None:
    if ready_fd is None:
        return
    with suppress(BrokenPipeError), os.fdopen(ready_fd, "w") as pipe:  # whoever started this may be gone
        pipe.write(message + "\n")


def _exit(code: int) -> NoReturn:
    """Leave at once: everything is written, but work whose deadline has passed may still run and hold threads."""
    os._exit(code)


if __name__ == "__main__":
    _exit(main(sys.argv[1:]))
