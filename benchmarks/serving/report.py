"""What was measured, as Markdown."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks.serving.compare import Cell, Results, Window, body_of
from benchmarks.serving.goals import cpu_goals, speed_goals, start_goals
from benchmarks.serving.machine import facts
from benchmarks.serving.model import Model
from benchmarks.serving.running import Began
from benchmarks.serving.servers import APPS, INSTANCES, Pythons, Server

BASE = "fastapi"
FIGURES: tuple[Callable[[Window], float], ...] = (
    lambda window: window.load.rate,
    lambda window: window.load.p50,
    lambda window: window.load.p99,
    lambda window: window.cpu_us,
)


def comparison(results: Results, models: Sequence[Model], work: Path) -> str:
    """The whole report of `compare`."""
    parts = [
        "# This server and the field's\n",
        _preamble(results, work),
        "## Goals\n\nValidation, metrics and logs on. A verdict counts every column, and those with "
        "records only where a goal asks for records.\n",
        speed_goals(results),
        "The same ratios by CPU per request, which others on the machine touch less:\n",
        cpu_goals(results),
        start_goals(results),
        _errors(results),
        "## Start and memory\n",
        _starts(results),
    ]
    for model in models:
        for rows in results.plan.rows:
            title = f"{'Linear' if model.kind == 'linear' else 'Tree'} model, {_rows(rows)}"
            parts += [f"## {title}\n", _cells(results, model.kind, rows, BASE), _ratios(results, model.kind, rows)]
    return "\n".join(parts)


def stacks(results: Results, models: Sequence[Model], work: Path) -> str:
    """The whole report of `stacks`."""
    parts = ["# HTTP stacks, micro-batching and codecs\n", _preamble(results, work), _errors(results), _starts(results)]
    for model in models:
        for rows in results.plan.rows:
            title = f"{'Linear' if model.kind == 'linear' else 'Tree'} model, {_rows(rows)}"
            parts += [f"## {title}\n", _cells(results, model.kind, rows, "bare onnx")]
    parts.append("## JSON codecs, microseconds to read a request and to write its response\n")
    parts += [_codecs(models[0], rows, work) for rows in results.plan.rows]
    return "\n".join(parts)


def _rows(count: int) -> str:
    return "one row" if count == 1 else f"{count} rows"


def _preamble(results: Results, work: Path) -> str:
    plan = results.plan
    others = [window.others for windows in results.windows.values() for window in windows]
    done = max((len(all_) for all_ in results.began.values()), default=0)
    return (
        f"{done} of {plan.rounds} rounds, windows of {plan.seconds} s, each server in turn as one process on core "
        f"{plan.server_cores[0]}, `wrk` with one thread on core {plan.load_cores[0]}. Medians. Every server gave "
        "scikit-learn's scores before and after it was timed.\n\n"
        f"Others took {statistics.median(others):.1%} of the server's core (median of the windows; at most "
        f"{max(others):.1%}): where that is more than a few per cent, rates and p99 say little, and CPU µs more.\n\n"
        + facts(plan.servers, work)
    )


def _errors(results: Results) -> str:
    found = results.errors()
    if not found:
        return "Errors: none; every request of every window was answered with 2xx.\n"
    lines = [f"- {_cell(cell)}: {', '.join(f'{count} {name}' for name, count in said.items())}" for cell, said in found]
    return "\n".join(["Errors (not counted as answered):\n", *lines]) + "\n"


def _cell(cell: Cell) -> str:
    return f"{cell.server}, {cell.wire}, {cell.kind}, {_rows(cell.rows)}, c={cell.connections}"


def _starts(results: Results) -> str:
    figures: tuple[Callable[[Began], float], ...] = (
        lambda began: began.cpu_seconds,
        lambda began: began.wall_seconds,
        lambda began: began.pss_mib,
        lambda began: began.processes,
    )
    lines = [
        "| model | server | CPU s to the first answer | seconds to it | PSS MiB | processes | PSS MiB after load |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for (kind, server), all_ in results.began.items():
        cpu, wall, pss, processes = (statistics.median(map(figure, all_)) for figure in figures)
        after = statistics.median(results.after_mib[kind, server])
        lines.append(f"| {kind} | {server} | {cpu:.2f} | {wall:.2f} | {pss:.0f} | {processes:g} | {after:.0f} |")
    return "\n".join(lines) + "\n"


def _cells(results: Results, kind: str, rows: int, base: str) -> str:
    """Every server and wire, a column per number of connections."""
    bases = {server.name: server.wires[0].name for server in results.plan.servers}
    columns = [f"c={count}: req/s (x {base}) · p50 · p99 ms · CPU µs" for count in results.plan.connections]
    lines = [f"| server | {' | '.join(columns)} |", f"| --- |{' --- |' * len(columns)}"]
    for server in results.plan.servers:
        for wire in server.wires:
            said: list[str] = []
            for count in results.plan.connections:
                windows = results.windows[Cell(kind, server.name, wire.name, rows, count)]
                rate, p50, p99, cpu = (statistics.median(map(figure, windows)) for figure in FIGURES)
                to = results.rate(Cell(kind, base, bases[base], rows, count)) if base in bases else None
                ratio = f" ({rate / to:.2f}x)" if to else ""
                said.append(f"{rate:,.0f}{ratio} · {p50:.2f} · {p99:.2f} · {cpu:.0f}")
            lines.append(f"| {_label(server, wire.name)} | {' | '.join(said)} |")
    return "\n".join(lines) + "\n"


def _label(server: Server, wire: str) -> str:
    return server.name if len(server.wires) == 1 else f"{server.name}, {wire}"


def _ratios(results: Results, kind: str, rows: int) -> str:
    """How many times a peer's rate each wire of ours has, at every number of connections."""
    ours = [server for server in results.plan.servers if not server.environment]
    peers = [server for server in results.plan.servers if server.environment]
    at = " / ".join(f"c={count}" for count in results.plan.connections)
    lines = [
        f"Times the rate of each peer, {at}:\n",
        f"| server | {' | '.join(peer.name for peer in peers)} |",
        f"| --- |{' ---: |' * len(peers)}",
    ]
    for server in ours:
        for wire in server.wires:
            said = [_times(results, kind, rows, (server.name, wire.name), peer) for peer in peers]
            lines.append(f"| {_label(server, wire.name)} | {' | '.join(said)} |")
    return "\n".join(lines) + "\n"


def _times(results: Results, kind: str, rows: int, ours: tuple[str, str], peer: Server) -> str:
    said: list[str] = []
    for count in results.plan.connections:
        rate = results.rate(Cell(kind, *ours, rows, count))
        theirs = results.rate(Cell(kind, peer.name, peer.wires[0].name, rows, count))
        said.append(f"{rate / theirs:.2f}" if rate is not None and theirs else "-")
    return " / ".join(said)


def _codecs(model: Model, rows: int, work: Path) -> str:
    body = work / "codec-body"
    body.write_bytes(body_of(INSTANCES, model.batches(rows)[0][0], model))
    python = Pythons().of(Server("codecs", (), lambda *_: [], environment="fastapi"))
    done = subprocess.run([str(python), str(APPS / "json_codecs.py"), str(body)], capture_output=True, check=True)
    figures: dict[str, Iterable[float]] = json.loads(done.stdout)
    lines = [f"| {_rows(rows)}, {body.stat().st_size} bytes | read | write |", "| --- | ---: | ---: |"]
    lines += [f"| {name} | {' | '.join(f'{value:.1f}' for value in both)} |" for name, both in figures.items()]
    return "\n".join(lines) + "\n"
