"""A server under test: started on its cores, ready when it answers rightly, measured as a tree of processes."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

READY_SECONDS = 120
LEAVE_SECONDS = 20
MIB = 1 << 20


class Failed(Exception):
    """A server did not start, answered wrongly or went away: the run is over."""


@dataclass(frozen=True)
class Began:
    """What it took until the first answer."""

    cpu_seconds: float
    wall_seconds: float
    pss_mib: float
    processes: int


class Running:
    """The processes of one server, to be used as a context."""

    def __init__(
        self, name: str, command: list[str], variables: Mapping[str, str], port: int, folder: Path, cores: Iterable[int]
    ) -> None:
        self.name = name
        self.port = port
        self.cores = sorted(set(cores))
        self._log = folder / "server.log"
        self._began = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["taskset", "-c", ",".join(map(str, self.cores)), *command],  # becomes the command
                cwd=folder,
                env=_quiet(folder) | dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Failed):
            tree = self._tree()
            self._process.send_signal(signal.SIGTERM)
            psutil.wait_procs(tree, LEAVE_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # whatever of its session is left
        self._process.wait()

    def until_ready(self, path: str) -> None:
        """Ask ``path`` until it says 200.

        :raises Failed: when the server ends first, or time does.
        """
        while time.monotonic() - self._began < READY_SECONDS:
            if self._process.poll() is not None:
                raise Failed(f"{self.name} ended with {self._process.returncode}: {self._last_words()}")
            with suppress(OSError, http.client.HTTPException):
                if self.ask("GET", path)[0] == 200:
                    return
            time.sleep(0.02)
        raise Failed(f"{self.name} was not ready within {READY_SECONDS} seconds: {self._last_words()}")

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """One request on a connection of its own: status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body is not None else {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def answer(self, path: str, body: bytes) -> Any:
        """The JSON that a POST is answered with.

        :raises Failed: when it is not answered with 200.
        """
        status, said = self.ask("POST", path, body)
        if status != 200:
            raise Failed(f"{self.name} answered {path} with {status}: {said[:500].decode(errors='replace')}")
        return json.loads(said)

    def began(self) -> Began:
        """What it took so far."""
        wall = time.monotonic() - self._began
        return Began(self.cpu_seconds(), wall, self.pss_mib(), len(self._tree()))

    def cpu_seconds(self) -> float:
        """Of the whole tree, with the processes in it that have ended."""
        total = 0.0
        for process in self._tree():
            with suppress(psutil.NoSuchProcess):
                total += sum(process.cpu_times()[:4])
        return total

    def busy_seconds(self) -> float:
        """How long its cores have worked since the machine began, for whomever; what the hypervisor took counts too."""
        times: Any = psutil.cpu_times(percpu=True)
        return sum(sum(times[core][:8]) - times[core].idle - times[core].iowait for core in self.cores)

    def pss_mib(self) -> float:
        """Memory of the whole tree, shared pages counted once."""
        total = 0
        for process in self._tree():
            with suppress(psutil.NoSuchProcess, FileNotFoundError):
                total += process.memory_full_info().pss
        return total / MIB

    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text(errors="replace")

    def _tree(self) -> list[psutil.Process]:
        try:
            root = psutil.Process(self._process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess as error:
            raise Failed(f"{self.name} is gone: {self._last_words()}") from error

    def _last_words(self) -> str:
        return " | ".join(self.log().strip().splitlines()[-8:]) or "it said nothing"


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in held]
    for listener in held:
        listener.close()
    return ports


def _quiet(folder: Path) -> dict[str, str]:
    """The environment of every server: nobody is told anything, nothing is left in the user's folders."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    silent = {"DO_NOT_TRACK": "true", "BENTOML_DO_NOT_TRACK": "True", "MLFLOW_DISABLE_TELEMETRY": "true"}
    places = {"HOME": str(folder), "TMPDIR": str(folder), "BENTOML_HOME": str(folder / "bentoml")}
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return {**kept, **silent, **places, **threads, "ORT_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1"}
