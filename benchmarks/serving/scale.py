"""How far one server goes: worker processes, models in one server, open connections."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.serving.compare import Window, body_of, check, started, window
from benchmarks.serving.load import drive, write_bodies
from benchmarks.serving.machine import facts
from benchmarks.serving.model import Model
from benchmarks.serving.running import Failed, Running
from benchmarks.serving.servers import OURS, Pythons, Server, trivet

MODELS = (1, 10, 100)
OPEN = (10, 100, 1_000, 10_000)
ACTIVE = 16
FILES = OPEN[-1] + 2_000
LONG = 3_600.0  # seconds: no idle connection is closed while others are opened

WIRE = OURS[0]
HEAD = "| {} | req/s | p50 ms | p99 ms | CPU µs a request | cores busy | PSS MiB | errors |"
RULE = "| ---: |" + " ---: |" * 7


def scale(model: Model, work: Path, cores: Sequence[int], seconds: int, say: Callable[[str], None]) -> str:
    """The whole report of `scale`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, files), hard))
    pythons = Pythons()
    measured = Scale(model, work, cores, seconds, pythons, say)
    parts = [
        "# How far one server goes\n",
        f"Linear model, one row, {WIRE.name}, c={ACTIVE} from `wrk` with one thread, windows of {seconds} s, no "
        "records. Cores busy are the machine's, with the load's.\n",
        facts([trivet("trivet")], work),
        "## Worker processes\n",
        f"The server and `wrk` share all {len(cores)} cores: where all are busy, more processes cannot give more.\n",
        measured.workers(),
        "## Models in one server\n",
        f"One process on core {cores[0]}; the requests go to all models in turn.\n",
        measured.models(),
        "## Open connections\n",
        f"One process on core {cores[0]}; {ACTIVE} connections are active beside those that are open and idle. "
        f"Files that a process may open here: {files}.\n",
        measured.connections(files),
    ]
    return "\n".join(parts)


class Scale:
    """The three measurements."""

    def __init__(
        self,
        model: Model,
        work: Path,
        cores: Sequence[int],
        seconds: int,
        pythons: Pythons,
        say: Callable[[str], None],
    ) -> None:
        self._model = model
        self._work = work
        self._cores = cores
        self._seconds = seconds
        self._pythons = pythons
        self._say = say

    def workers(self) -> str:
        """1, 2 and as many processes as there are cores, and twice that."""
        lines = [HEAD.format("workers"), RULE]
        for count in sorted({1, 2, len(self._cores), 2 * len(self._cores)}):
            self._say(f"{count} workers")
            with self._server(trivet("trivet", workers=count), self._cores) as running:
                lines.append(self._line(count, running, self._bodies(["cancer"]), self._cores))
        return "\n".join(lines) + "\n"

    def models(self) -> str:
        """Copies of the package under as many names."""
        lines = [HEAD.format("models") + " CPU s to ready |", RULE + " ---: |"]
        for count in MODELS:
            self._say(f"{count} models")
            names = ["cancer", *(f"cancer-{number}" for number in range(1, count))]
            package = str(self._model.folder / "package")
            models = [{"name": name, "version": "1", "package": package} for name in names]
            with self._server(trivet("trivet", models=models), self._cores[:1]) as running:
                cpu = running.cpu_seconds()
                line = self._line(count, running, self._bodies(names), self._cores[1:2])
            lines.append(f"{line} {cpu:.2f} |")
        return "\n".join(lines) + "\n"

    def connections(self, files: int) -> str:
        """Idle keep-alive connections beside active ones, on one server."""
        lines = [HEAD.format("open") + " KiB a connection |", RULE + " ---: |"]
        bodies = self._bodies(["cancer"])
        for count in OPEN:
            if count + 500 > files:
                lines.append(f"| {count:,} |{' - |' * 6} more files than this machine lets a process open | - |")
                continue
            self._say(f"{count} connections")
            with self._server(trivet("trivet", idle_seconds=LONG), self._cores[:1]) as running:
                drive(running.port, bodies, ACTIVE, 1, self._cores[1:2])
                before = running.pss_mib()
                with idle(running.port, count - ACTIVE):
                    each = (running.pss_mib() - before) * 1024 / max(1, count - ACTIVE)
                    line = self._line(count, running, bodies, self._cores[1:2])
            lines.append(f"{line} {each:.1f} |")
        return "\n".join(lines) + "\n"

    @contextmanager
    def _server(self, server: Server, cores: Sequence[int]) -> Iterator[Running]:
        with started(server, self._model, self._pythons, self._work, cores) as running:
            check(running, server, WIRE, self._model, 1)
            yield running

    def _bodies(self, names: list[str]) -> Path:
        paths = [WIRE.path.replace("cancer", name) for name in names]
        batches = self._model.batches(1)
        turns = max(len(paths), len(batches))
        requests = [
            (paths[turn % len(paths)], body_of(WIRE, batches[turn % len(batches)][0], self._model))
            for turn in range(turns)
        ]
        return write_bodies(self._work / "bodies", requests)

    def _line(self, count: int, running: Running, bodies: Path, cores: Sequence[int]) -> str:
        drive(running.port, bodies, ACTIVE, 1, cores)
        psutil.cpu_percent()
        seen: Window = window(running, bodies, ACTIVE, self._seconds, cores)
        busy = psutil.cpu_percent() / 100 * (os.cpu_count() or 1)
        load = seen.load
        errors = ", ".join(f"{number} {name}" for name, number in load.errors.items()) or "none"
        figures = f"{load.rate:,.0f} | {load.p50:.2f} | {load.p99:.2f} | {seen.cpu_us:.0f} | {busy:.2f}"
        return f"| {count:,} | {figures} | {running.pss_mib():.0f} | {errors} |"


@contextmanager
def idle(port: int, count: int) -> Iterator[None]:
    """That many keep-alive connections, each of which has been answered once; all must still be open at the end."""
    held: list[socket.socket] = []
    request = b"GET /v2/health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    try:
        for _ in range(max(0, count)):
            connection = socket.create_connection(("127.0.0.1", port), timeout=10)
            held.append(connection)
            connection.sendall(request)
            if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
                raise Failed(f"Connection {len(held)} was not answered.")
        yield
        for connection in held:
            connection.setblocking(False)
        closed = sum(1 for connection in held if _ended(connection))
        if closed:
            raise Failed(f"The server closed {closed} of {count} idle connections.")
    finally:
        for connection in held:
            connection.close()


def _ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
