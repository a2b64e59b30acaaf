"""What was measured, as Markdown."""

from __future__ import annotations

from pathlib import Path

from benchmarks.engine.measure import BASES, VERBS, Cost, Results
from benchmarks.machine import checkout, file_system, host

TIMES_THE_MOCKS = 2
A_THOUSAND_S = 10


def report(results: Results, work: Path) -> str:
    """The whole report."""
    plan = results.plan
    done = max(map(len, results.costs.values()))
    engines = "" if "pulumi" in plan.engines else " There is no pulumi CLI here to compare with."
    return "\n".join(
        [
            "# The embedded engine\n",
            f"{done} of {plan.rounds} interleaved rounds, medians. In a cell: seconds from the start of the process to "
            f"its end · CPU seconds with its children.{engines}\n",
            f"- {host()}\n- {checkout(['pulumi', 'grpcio', 'protobuf'])}\n- state is written to {file_system(work)}\n",
            _table(results),
            "## Goals\n",
            *_goals(results),
            "",
        ]
    )


def _table(results: Results) -> str:
    engines = results.plan.engines
    names = [*BASES, *(f"{engine}: {verb}" for engine in engines for verb in VERBS)]
    lines = [f"| resources | {' | '.join(names)} |", f"| --- |{' ---: |' * len(names)}"]
    for kind, size in results.plan.cells:
        costs = [results.of(kind, size, base) for base in BASES]
        costs += [results.of(kind, size, engine, verb) for engine in engines for verb in VERBS]
        lines.append(f"| {size} {kind} | {' | '.join(f'{cost.wall:.2f} · {cost.cpu:.2f}' for cost in costs)} |")
    return "\n".join(lines) + "\n"


def _goals(results: Results) -> list[str]:
    lines = [
        "| resources | preview / (mocks + plugin) | by CPU | preview / echo | by CPU | driver's and engine's own CPU |",
        "| --- |" + " ---: |" * 5,
    ]
    verdicts: list[str] = []
    for kind, size in results.plan.cells:
        mocks, plugin, echo = (results.of(kind, size, base) for base in BASES)
        preview = results.of(kind, size, "embedded", "preview")
        needed = Cost(mocks.wall + plugin.wall, mocks.cpu + plugin.cpu, 0)
        ratios = [
            preview.wall / needed.wall,
            preview.cpu / needed.cpu,
            preview.wall / echo.wall,
            preview.cpu / echo.cpu,
        ]
        said = " | ".join(f"{ratio:.2f}x" for ratio in ratios)
        lines.append(f"| {size} {kind} | {said} | {preview.own:.2f} s |")
        if size == 100:
            verdicts.append(_verdict(f"100 {kind}: within {TIMES_THE_MOCKS}x", ratios[0], TIMES_THE_MOCKS, "x"))
        if (kind, size) == ("dynamic", 1000):
            verdicts.append(_verdict(f"1,000 dynamic: under {A_THOUSAND_S} s", preview.wall, A_THOUSAND_S, " s"))
    return [*lines, "", *verdicts]


def _verdict(goal: str, is_: float, most: float, unit: str) -> str:
    return f"- {goal}: {is_:.2f}{unit}{'' if is_ <= most else ', **not met**'}"
