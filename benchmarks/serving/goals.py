"""The goals that the comparison is held to, each with the figure for every wire and both modes of records."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.serving.compare import Cell, Results
from benchmarks.serving.servers import COMPARED, OURS

RECORDED = ("trivet+sampled", "trivet+complete")
WIRES = tuple(wire.name for wire in OURS)
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

    def met(self, value: float) -> bool:
        """Whether a figure is within the bound."""
        return value <= self.bound if self.at_most else value >= self.bound


def _ratio(kind: str, peer: str, rows: int, connections: int) -> Figure:
    def figure(results: Results, server: str, wire: str) -> float | None:
        ours = results.rate(Cell(kind, server, wire, rows, connections))
        theirs = results.rate(Cell(kind, peer, ELSEWHERE[peer], rows, connections))
        return ours / theirs if ours is not None and theirs else None

    return figure


def _p99(kind: str) -> Figure:
    return lambda results, server, wire: results.p99(Cell(kind, server, wire, 1, 16))


def _p99_to_bare(kind: str) -> Figure:
    def figure(results: Results, server: str, wire: str) -> float | None:
        ours = results.p99(Cell(kind, server, wire, 1, 16))
        bare = results.p99(Cell(kind, "bare onnx", ELSEWHERE["bare onnx"], 1, 16))
        return ours / bare if ours is not None and bare else None

    return figure


GOALS = (
    Goal("linear, 1 row, c=16: at least 15x MLServer", _ratio("linear", "mlserver", 1, 16), 15),
    Goal("linear, 1 row, c=16: at least 20x MLflow", _ratio("linear", "mlflow", 1, 16), 20),
    Goal("linear, 1 row, c=16: at least 8x the FastAPI app", _ratio("linear", "fastapi", 1, 16), 8),
    Goal("linear, 1 row, c=16: at least a third of the constant server", _ratio("linear", "constant", 1, 16), 1 / 3),
    Goal("linear, 1 row, c=16: p99 at most 3 ms", _p99("linear"), 3, " ms", at_most=True),
    Goal("trees, 1 row, c=16: p99 at most 1.5x the bare ONNX app", _p99_to_bare("tree"), 1.5, at_most=True),
    Goal("linear, 32 rows, c=16: at least 8x MLServer", _ratio("linear", "mlserver", 32, 16), 8),
    Goal("linear, 1 row, c=1: at least 5x MLServer", _ratio("linear", "mlserver", 1, 1), 5),
)
READY_CPU_SECONDS, READY_MIB = 1.0, 90.0


def speed_goals(results: Results) -> str:
    """A line per goal: met, met in part, or not met, and every figure."""
    head = [f"{server.removeprefix('trivet+')}, {wire}" for server in RECORDED for wire in WIRES]
    lines = [f"| goal | verdict | {' | '.join(head)} |", f"| --- | --- |{' ---: |' * len(head)}"]
    for goal in GOALS:
        figures = [goal.figure(results, server, wire) for server in RECORDED for wire in WIRES]
        known = [figure for figure in figures if figure is not None]
        cells = ["not measured" if figure is None else f"{figure:.2f}{goal.unit}" for figure in figures]
        lines.append(f"| {goal.says} | {_verdict([goal.met(figure) for figure in known])} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


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
