"""``python -m trivet.serving CONFIG.json``: one server process, from verified packages to a drained exit.

``python -m trivet.serving serve`` is the same in a container, whose environment says what the file would.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from trivet.core.errors import ExitCode, TrivetError
from trivet.serving.config import ServerConfig
from trivet.serving.log import Bridge, Log, say

USAGE = "Give one argument: the configuration file, or the word serve in a container."


def main(arguments: list[str]) -> int:
    """Serve until told to leave; returns the exit code."""
    if len(arguments) != 1:
        say("error", "failed", message=USAGE)
        return ExitCode.USAGE
    ready_fd = None
    try:
        config = _config(arguments[0])
        ready_fd = config.ready_fd
        if config.workers > 1:
            from trivet.serving.http.workers import supervise

            return supervise(config)
        import uvloop

        return asyncio.Runner(loop_factory=uvloop.new_event_loop).run(_serve(config))
    except TrivetError as error:
        say("error", "failed", message=str(error))
        tell(ready_fd, f"failed {error}")
        return error.exit_code
    except Exception as error:
        tell(ready_fd, f"failed {type(error).__name__}: this is a mistake of the server's, and its log says where.")
        raise


def tell(ready_fd: int | None, message: str) -> None:
    """Say whether the server is ready to whoever started it, who may be gone."""
    if ready_fd is None:
        return
    with suppress(OSError), os.fdopen(ready_fd, "w") as pipe:
        pipe.write(message + "\n")


def _config(argument: str) -> ServerConfig:
    if argument != "serve":
        return ServerConfig.read(Path(argument))
    from trivet.serving.container import from_environment

    return from_environment(os.environ)


async def _serve(config: ServerConfig) -> int:
    from trivet.serving.process import Process

    log = Log(config.log_level)
    logging.basicConfig(handlers=[Bridge(log)], level=logging.WARNING)
    try:
        return await Process(config, log, lambda said: tell(config.ready_fd, said)).run()
    finally:
        await log.close()


def _exit(code: int) -> NoReturn:
    """Leave at once: everything is written, but work whose deadline has passed may still run and hold threads."""
    os._exit(code)


if __name__ == "__main__":
    _exit(main(sys.argv[1:]))
