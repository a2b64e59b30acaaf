"""The goals that the comparison is held to, each with the figure for every wire and both modes of records."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace

from benchmarks.serving.compare import Cell, Results
from benchmarks.serving.servers import COMPARED, OURS

SERVERS = ("trivet", "trivet+sampled", "trivet+complete")
WIRES = tuple(wire.name for wire in OURS)
COLUMNS = [(server, wire) for server in SERVERS for wire in WIRES]
ELSEWHERE = {server.name: server.wires[0].name for server in COMPARED}

Figure = Callable[[Results, str, str], float | None]
"""Of a server of ours and one of its wires."""


@dataclass(frozen=True)
class Goal:
    """What is wanted of a figure."""

    says: str
    figure: Figure
    bound: float
    unit: str = "x"
    at_most: bool = False
    recorded: bool = False
    """Asks for records."""
    cpu: Figure | None = None
    """The same ratio by processor time."""

    def met(self, value: float) -> bool:
        """Whether a figure is within the bound."""
        return value <= self.bound if self.at_most else value >= self.bound

    def line(self, figure: Figure, results: Results) -> str:
        """The goal, the verdict and every figure as the row of a table."""
        figures = [figure(results, server, wire) for server, wire in COLUMNS]
        judged = [
            self.met(value)
            for (server, _), value in zip(COLUMNS, figures, strict=True)
            if value is not None and (server != "trivet" or not self.recorded)
        ]
        cells = ["-" if value is None else f"{value:.2f}{self.unit}" for value in figures]
        return f"| {self.says} | {_verdict(judged)} | {' | '.join(cells)} |"


def _faster(says: str, bound: float, peer: str, rows: int, connections: int, *, recorded: bool = False) -> Goal:
    """So many times a peer's rate on the linear model."""

    def rate(results: Results, server: str, wire: str) -> float | None:
        return _ratio(results.rate, Cell("linear", server, wire, rows, connections), peer)

    def cpu(results: Results, server: str, wire: str) -> float | None:
        inverse = _ratio(results.cpu_us, Cell("linear", server, wire, rows, connections), peer)
        return 1 / inverse if inverse else None

    return Goal(says, rate, bound, recorded=recorded, cpu=cpu)


def _ratio(figure: Callable[[Cell], float | None], ours: Cell, peer: str) -> float | None:
    mine, theirs = figure(ours), figure(replace(ours, server=peer, wire=ELSEWHERE[peer]))
    return mine / theirs if mine is not None and theirs else None


def _p99(results: Results, server: str, wire: str) -> float | None:
    return results.p99(Cell("linear", server, wire, 1, 16))


def _p99_to_bare(results: Results, server: str, wire: str) -> float | None:
    return _ratio(results.p99, Cell("tree", server, wire, 1, 16), "bare onnx")


LINEAR = "linear, 1 row, c=16, records:"
GOALS = (
    _faster(f"{LINEAR} at least 15x MLServer", 15, "mlserver", 1, 16, recorded=True),
    _faster(f"{LINEAR} at least 20x MLflow", 20, "mlflow", 1, 16, recorded=True),
    _faster(f"{LINEAR} at least 8x the FastAPI app", 8, "fastapi", 1, 16, recorded=True),
    _faster(f"{LINEAR} at least a third of the constant server", 1 / 3, "constant", 1, 16, recorded=True),
    Goal(f"{LINEAR} p99 at most 3 ms", _p99, 3, " ms", at_most=True, recorded=True),
    Goal("trees, 1 row, c=16, records: p99 at most 1.5x the bare ONNX app", _p99_to_bare, 1.5, "x", True, True),
    _faster("linear, 32 rows, c=16: at least 8x MLServer", 8, "mlserver", 32, 16),
    _faster("linear, 1 row, c=1: at least 5x MLServer", 5, "mlserver", 1, 1),
)
READY_CPU_SECONDS, READY_MIB = 1.0, 90.0


def speed_goals(results: Results) -> str:
    """A line per goal: met, met in part, or not met, and every figure."""
    return _table([goal.line(goal.figure, results) for goal in GOALS])


def cpu_goals(results: Results) -> str:
    """The ratios among them by processor time per request."""
    return _table([goal.line(goal.cpu, results) for goal in GOALS if goal.cpu is not None])


def _table(lines: list[str]) -> str:
    head = [f"{server.partition('+')[2] or 'no records'}, {wire}" for server, wire in COLUMNS]
    rule = f"| --- | --- |{' ---: |' * len(head)}"
    return "\n".join([f"| goal | verdict | {' | '.join(head)} |", rule, *lines]) + "\n"


def start_goals(results: Results) -> str:
    """A line per goal about the start."""
    lines = ["| goal | verdict | figures |", "| --- | --- | --- |"]
    began = {key: all_ for key, all_ in results.began.items() if key[1].startswith("trivet")}
    cpu = {key: statistics.median([each.cpu_seconds for each in all_]) for key, all_ in began.items()}
    pss = {key: statistics.median([each.pss_mib for each in all_]) for key, all_ in began.items()}
    for says, figures, bound, unit in (
        (f"ready within {READY_CPU_SECONDS:g} s of CPU", cpu, READY_CPU_SECONDS, "s"),
        (f"ready within {READY_MIB:g} MiB", pss, READY_MIB, "MiB"),
    ):
        said = ", ".join(f"{server} ({kind}) {value:.2f} {unit}" for (kind, server), value in figures.items())
        lines.append(f"| {says} | {_verdict([value <= bound for value in figures.values()])} | {said} |")
    looked = [] if results.heavy is None else [not results.heavy]
    said = ", ".join(results.heavy or []) or "none of them"
    lines.append(f"| no scikit-learn, pandas or MLflow imported to serve | {_verdict(looked)} | {said} |")
    return "\n".join(lines) + "\n"


def _verdict(met: list[bool]) -> str:
    if not met:
        return "not measured"
    if all(met):
        return "met"
    return "met in part" if any(met) else "**not met**"
