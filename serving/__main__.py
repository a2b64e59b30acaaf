"""``python -m trivet.serving CONFIG.json``: one server process, from verified packages to a drained exit.

``python -m trivet.serving serve`` is the same in a container, whose environment says what the file would, and
``python -m trivet.serving score`` scores files there, see :mod:`trivet.serving.batch`.
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
from trivet.serving.folders import OwnFolder
from trivet.serving.log import Bridge, Log, say

USAGE = "Give one argument: the configuration file, or in a container the word serve or score."

FETCHED = "trivet-packages-"  # folders of packages that were fetched or unpacked


def main(arguments: list[str]) -> int:
    """Serve until told to leave; returns the exit code."""
    if len(arguments) != 1:
        say("error", "failed", message=USAGE)
        return ExitCode.USAGE
    if arguments == ["score"]:
        from trivet.serving import batch

        return batch.main()
    with OwnFolder(FETCHED) as fetched:
        return _run(arguments[0], fetched)


def _run(argument: str, fetched: OwnFolder) -> int:
    ready_fd = None
    try:
        config = _config(argument, fetched)
        ready_fd = config.ready_fd
        if config.workers > 1:
            from trivet.serving.http.workers import supervise

            return supervise(config, fetched)
        import uvloop

        return asyncio.Runner(loop_factory=uvloop.new_event_loop).run(_serve(config, fetched))
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


def _config(argument: str, fetched: OwnFolder) -> ServerConfig:
    if argument != "serve":
        return ServerConfig.read(Path(argument))
    from trivet.serving.container import from_environment

    return from_environment(os.environ, fetched)


async def _serve(config: ServerConfig, fetched: OwnFolder) -> int:
    from trivet.serving.process import Process

    def ready(said: str) -> None:
        asyncio.get_running_loop().run_in_executor(None, fetched.remove)  # all models are in the memory
        tell(config.ready_fd, said)

    log = Log(config.log_level)
    logging.basicConfig(handlers=[Bridge(log)], level=logging.WARNING)
    try:
        return await Process(config, log, ready).run()
    finally:
        await log.close()


def _exit(code: int) -> NoReturn:
    """Leave at once: everything is written, but work whose deadline has passed may still run and hold threads."""
    os._exit(code)


if __name__ == "__main__":
    _exit(main(sys.argv[1:]))
