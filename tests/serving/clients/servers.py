"""Server processes for the clients of others: ours, and the two that are printed beside it."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

FOLDER = Path(__file__).parent
PATIENCE = 120.0  # seconds until a server has started, or a script has ended
QUIET = {  # nobody here tells anybody outside of it
    "NO_PROXY": "127.0.0.1",
    "no_proxy": "127.0.0.1",
    "DO_NOT_TRACK": "1",
    "OTEL_SDK_DISABLED": "true",
    "AML_APP_INSIGHTS_ENABLED": "false",
    "ORT_DISABLE_TELEMETRY": "1",
}
DIRECT = build_opener(ProxyHandler({}))


class Server(NamedTuple):
    """A process that listens on the loopback."""

    name: str
    url: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def serve(package: Path, work: Path, model: str, **settings: Any) -> Iterator[Server]:
    """Our server, ready, with one model in version 1.

    :param work: folder for its configuration and its log.
    """
    ready, tell = os.pipe()
    with _listener() as listener:
        config = {
            "models": [{"name": model, "version": "1", "package": str(package)}],
            "endpoint": "clients",
            "fd": listener.fileno(),
            "ready_fd": tell,
            "drain_seconds": 0.0,
        } | settings
        path = work / f"{model}-{listener.fileno()}.server.json"
        path.write_text(json.dumps(config))
        command = [sys.executable, "-m", "trivet.serving", str(path)]
        with _process("Trivet", command, listener, path.with_suffix(".log"), fds=[tell]) as server:
            os.close(tell)
            with os.fdopen(ready) as pipe:
                assert select.select([pipe], [], [], PATIENCE)[0], _last(server)
                assert pipe.readline().startswith("ready "), _last(server)
            yield server


@contextmanager
def other(
    name: str, command: Sequence[str], work: Path, path: str, env: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Another's server, once it answers ``path``; ``{fd}`` in its command stands for a socket that listens already."""
    with _listener() as listener:
        filled = [part.replace("{fd}", str(listener.fileno())) for part in command]
        with _process(name, filled, listener, work / f"{name}.log", env=env) as server:
            _wait(server, path)
            yield server


def script(name: str) -> str:
    """Path of a script of this folder."""
    return str(FOLDER / f"{name}.py")


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """That of a process by others: without what is meant for our Python, and without telemetry."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return kept | QUIET | dict(more or {})


def _listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=1024)


@contextmanager
def _process(
    name: str,
    command: Sequence[str],
    listener: socket.socket,
    log: Path,
    fds: Sequence[int] = (),
    env: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            pass_fds=(listener.fileno(), *fds),
            cwd=log.parent,
            env=environment(env),
            start_new_session=True,
        )
    try:
        yield Server(name, f"http://127.0.0.1:{listener.getsockname()[1]}", process, log)
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to it and to what it started, and SIGKILL to what does not heed."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            continue
    process.wait(5)


def _wait(server: Server, path: str) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.process.poll() is None:
        try:
            with DIRECT.open(server.url + path, timeout=PATIENCE):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(_last(server))


def _last(server: Server) -> str:
    return f"{server.name} did not start:\n{server.log.read_text(errors='replace')[-2000:]}"
