"""What starts a fake's program: its arguments, its signals and its end."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from trivet.core.errors import ExitCode, TrivetError


class Server(Protocol):
    """A loopback server."""

    @property
    def server_port(self) -> int:
        """Its port."""
        ...

    def serve_forever(self) -> None:
        """Answer until told to leave."""
        ...

    def shutdown(self) -> None:
        """Leave."""
        ...


Listen = Callable[[argparse.Namespace], tuple[Server, Callable[[], None]]]
"""From arguments to a server that listens, and what to call when it has left."""


def run(program: str, what: str | None, arguments: list[str], listen: Listen) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=what)
    parser.add_argument("--folder", type=Path, required=True, help="where containers keep their files")
    parser.add_argument("--images", type=Path, required=True, help="JSON: image URI patterns to entry points")
    parser.add_argument("--port", type=int, default=0, help="of 127.0.0.1; 0 is a free one")
    parser.add_argument("--settings", type=json.loads, default={}, help="JSON: see the fake's Settings")
    parser.add_argument("--mode", default="", choices=("", "namespaces", "variables"), help="how containers are kept")
    parser.add_argument("--ready-fd", type=int, default=1, help="where the port is said")
    given = parser.parse_args(arguments)
    try:
        return _serve(given, listen)
    except TrivetError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


def _serve(given: argparse.Namespace, listen: Listen) -> int:
    server, forget = listen(given)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    with os.fdopen(given.ready_fd, "w", closefd=given.ready_fd != 1) as ready:
        ready.write(f"{server.server_port}\n")
        ready.flush()
    try:
        server.serve_forever()
    finally:
        forget()
    return ExitCode.OK


def leave(code: int) -> None:
    """End this process at once: threads of requests and deployments may still wait; their containers are gone."""
    sys.stdout.flush()
    os._exit(code)
