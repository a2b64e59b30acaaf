"""The server as a platform's runtime starts its image."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest


class Container:
    """A process with an environment of its own, as a platform's runtime starts the image."""

    def __init__(
        self, environment: dict[str, str], log: Path, arguments: Sequence[str] = ("serve",), cwd: Path | None = None
    ) -> None:
        self.log = log
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ}
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "trivet.serving", *arguments], env=kept | environment, stderr=errors, cwd=cwd
            )

    def line(self, event: str) -> dict[str, Any]:
        """The first line of the log about ``event``."""
        end = time.monotonic() + 30
        while True:
            lines = [json.loads(line) for line in self.log.read_text().splitlines()]
            if found := [line for line in lines if line["event"] == event]:
                return found[0]
            assert time.monotonic() < end, lines
            time.sleep(0.02)

    @property
    def url(self) -> str:
        ready = self.line("ready")
        return f"http://{ready['host']}:{ready['port']}"


Run = Callable[..., Container]


@pytest.fixture(name="run")
def run_containers(tmp_path: Path) -> Iterator[Run]:
    """Starts containers on the loopback address and a free port; ends those that still run."""
    started: list[Container] = []

    def start(**environment: str) -> Container:
        local = {"TRIVET_HOST": "127.0.0.1", "TRIVET_PORT": "0"}
        started.append(Container(local | environment, tmp_path / f"log-{len(started)}"))
        return started[-1]

    yield start
    for container in started:
        with suppress(ProcessLookupError):
            container.process.kill()
        container.process.wait()
