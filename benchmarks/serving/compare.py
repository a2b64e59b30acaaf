"""The interleaved run: every server in turn, round after round, each answer checked before it is timed."""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving.load import Load, drive, write_bodies
from benchmarks.serving.model import Model
from benchmarks.serving.running import Began, Failed, Running, free_ports
from benchmarks.serving.servers import Place, Pythons, Server, Wire

SAME = 1e-5  # of a probability: ONNX computes in 32 bits
HEAVY = {"sklearn", "pandas", "mlflow"}
WARM_UP = 1  # second; wrk counts in whole ones


@dataclass(frozen=True)
class Plan:
    """What is measured, and where."""

    servers: Sequence[Server]
    rows: Sequence[int] = (1, 32)
    connections: Sequence[int] = (1, 16, 64)
    seconds: int = 2
    rounds: int = 3
    server_cores: tuple[int, ...] = (0,)
    load_cores: tuple[int, ...] = (1,)


@dataclass(frozen=True)
class Cell:
    """One model, server, wire, number of rows and number of connections."""

    kind: str
    server: str
    wire: str
    rows: int
    connections: int


@dataclass(frozen=True)
class Window:
    """One measurement of a cell."""

    load: Load
    cpu_us: float
    """Processor time of the server per answered request, microseconds."""
    others: float
    """Share of the server's cores that others took."""


@dataclass
class Results:
    """What was measured so far."""

    plan: Plan
    windows: dict[Cell, list[Window]] = field(default_factory=lambda: defaultdict(list))
    began: dict[tuple[str, str], list[Began]] = field(default_factory=lambda: defaultdict(list))
    after_mib: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    heavy: list[str] | None = None
    """What our server imports of `HEAVY`; none where it was not looked at."""

    def median(self, cell: Cell, figure: Callable[[Window], float]) -> float | None:
        """Of a figure of the cell's windows; none where it was not measured."""
        windows = self.windows.get(cell)
        return statistics.median(map(figure, windows)) if windows else None

    def rate(self, cell: Cell) -> float | None:
        """Requests a second."""
        return self.median(cell, lambda window: window.load.rate)

    def cpu_us(self, cell: Cell) -> float | None:
        """Processor time of the server per answered request, microseconds."""
        return self.median(cell, lambda window: window.cpu_us)

    def p99(self, cell: Cell) -> float | None:
        """Milliseconds."""
        return self.median(cell, lambda window: window.load.p99)

    def errors(self) -> list[tuple[Cell, dict[str, int]]]:
        """Every cell that had errors of any kind, with their sums."""
        sums: list[tuple[Cell, dict[str, int]]] = []
        for cell, windows in self.windows.items():
            total: dict[str, int] = defaultdict(int)
            for window in windows:
                for name, count in window.load.errors.items():
                    total[name] += count
            if total:
                sums.append((cell, dict(total)))
        return sums


def compare(plan: Plan, models: Sequence[Model], work: Path, say: Callable[[str], None]) -> Iterator[Results]:
    """Measure round by round; yields the results after each.

    :raises Failed: when a server does not start or answers wrongly.
    """
    results, pythons = Results(plan), Pythons()
    for server in plan.servers:
        pythons.of(server)  # what has to be installed is, before the first measurement
    ours = [server for server in plan.servers if not server.environment]
    if ours:
        results.heavy = heavy_imports(ours[-1], models[0], pythons, work)
    for number in range(plan.rounds):
        turn = number % len(plan.servers)
        for model in models:
            for server in [*plan.servers[turn:], *plan.servers[:turn]]:
                say(f"round {number + 1} of {plan.rounds}, {model.kind}: {server.name}")
                with started(server, model, pythons, work, plan.server_cores) as running:
                    _measure(running, server, model, work, results)
        yield results


@contextmanager
def started(server: Server, model: Model, pythons: Pythons, work: Path, cores: Iterable[int]) -> Iterator[Running]:
    """A server that is ready and has answered its first request rightly; gone afterwards, with its folder."""
    port, *spare = free_ports(3)
    place = Place(work / "running", port, (spare[0], spare[1]), pythons.of(server))
    place.folder.mkdir()
    path = f"{place.python.parent}:{os.environ['PATH']}"
    variables = {"PORT": str(port), "PATH": path} | (
        {"MODEL": str(model.folder / server.model)} if server.model else {}
    )
    try:
        with Running(server.name, server.command(place, model), variables, port, place.folder, cores) as running:
            running.until_ready(server.ready)
            yield running
    finally:
        shutil.rmtree(place.folder)


def check(running: Running, server: Server, wire: Wire, model: Model, rows: int) -> None:
    """Hold the server to scikit-learn's scores.

    :raises Failed: when one of them is another.
    """
    for batch, expected in model.batches(rows):
        said = wire.scores(running.answer(wire.path, body_of(wire, batch, model)))
        if server.constant:
            continue
        if len(said) != len(expected) or not np.abs(np.array(said) - expected).max() <= SAME:
            raise Failed(f"{server.name} gave other scores than scikit-learn: {said[:3]}, not {expected[:3].tolist()}.")


def heavy_imports(server: Server, model: Model, pythons: Pythons, work: Path) -> list[str]:
    """Which packages of ``HEAVY`` a server of ours imports until it has answered on every wire.

    :raises Failed: when the list of imports cannot be read.
    """

    def command(place: Place, model: Model) -> list[str]:
        python, *rest = server.command(place, model)
        return [python, "-X", "importtime", *rest]

    with started(replace(server, command=command), model, pythons, work, (0,)) as running:
        for wire in server.wires:
            check(running, server, wire, model, 1)
        imported = set(re.findall(r"^import time:.*\| +(\w+)[.\w]*$", running.log(), re.MULTILINE))
    if "onnxruntime" not in imported:
        raise Failed("The server's imports cannot be read.")
    return sorted(imported & HEAVY)


def body_of(wire: Wire, batch: list[list[float]], model: Model) -> bytes:
    """A request's body, in one line."""
    asked: Any = wire.body(batch, model)
    return json.dumps(asked, separators=(",", ":")).encode()


def window(running: Running, bodies: Path, connections: int, seconds: int, cores: Iterable[int]) -> Window:
    """Drive for a while, and see what the server spent on it."""
    before, busy = running.cpu_seconds(), running.busy_seconds()
    load = drive(running.port, bodies, connections, seconds, cores)
    spent, busy = running.cpu_seconds() - before, running.busy_seconds() - busy
    others = max(0.0, busy - spent) / load.seconds / len(running.cores)
    return Window(load, spent / max(1, load.answered) * 1e6, others)


def _measure(running: Running, server: Server, model: Model, work: Path, results: Results) -> None:
    plan = results.plan
    check(running, server, server.wires[0], model, 1)
    results.began[model.kind, server.name].append(running.began())
    for wire in server.wires:
        for rows in plan.rows:
            check(running, server, wire, model, rows)
            requests = [(wire.path, body_of(wire, batch, model)) for batch, _ in model.batches(rows)]
            bodies = write_bodies(work / "bodies", requests)
            drive(running.port, bodies, max(plan.connections), WARM_UP, plan.load_cores)
            for connections in plan.connections:
                cell = Cell(model.kind, server.name, wire.name, rows, connections)
                results.windows[cell].append(window(running, bodies, connections, plan.seconds, plan.load_cores))
            check(running, server, wire, model, rows)
    results.after_mib[model.kind, server.name].append(running.pss_mib())
