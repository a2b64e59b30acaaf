"""Runs what is compared, each as a process of its own, in interleaved rounds."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.engine.projects import STACK, environment, make, plugin, started
from benchmarks.machine import ROOT

BASES = ("mocks", "plugin", "echo")
VERBS = ("preview", "up", "up again", "destroy")


class Failed(Exception):
    """A measured process did not do what it should."""


@dataclass(frozen=True)
class Cost:
    """Of one process: seconds from its start to its end, CPU with that of its children, and its own alone."""

    wall: float
    cpu: float
    own: float


@dataclass(frozen=True)
class Plan:
    """What to measure."""

    kinds: tuple[str, ...]
    sizes: tuple[int, ...]
    engines: tuple[str, ...]
    rounds: int

    @property
    def cells(self) -> list[tuple[str, int]]:
        """Every kind and size."""
        return [(kind, size) for kind in self.kinds for size in self.sizes]


@dataclass
class Results:
    """Every cost by kind, size, who (a base, or an engine) and what it did."""

    plan: Plan
    costs: dict[tuple[str, int, str, str], list[Cost]] = field(default_factory=lambda: defaultdict(list))

    def of(self, kind: str, size: int, who: str, verb: str = "") -> Cost:
        """The medians."""
        costs = self.costs[kind, size, who, verb]
        return Cost(*(median(getattr(cost, name) for cost in costs) for name in ("wall", "cpu", "own")))


def rounds(plan: Plan, work: Path, say: Callable[[str], None]) -> Iterator[Results]:
    """The results after each round."""
    results, env = Results(plan), environment(work)
    for number in range(1, plan.rounds + 1):
        for kind, size in plan.cells:
            say(f"round {number}: {size} {kind} resources")
            for who, verb, cost in _costs(make(work / "project", kind, size), kind, plan.engines, env):
                results.costs[kind, size, who, verb].append(cost)
            shutil.rmtree(work / "project")
        yield results


def _costs(
    folder: Path, kind: str, engines: tuple[str, ...], env: Mapping[str, str]
) -> Iterator[tuple[str, str, Cost]]:
    yield "mocks", "", _worker(env, "mocks", folder)
    yield "plugin", "", _start(kind, folder, env)
    yield "echo", "", _worker(env, "echo", folder)
    for engine in engines:
        _worker(env, engine, folder, "begin")
        for verb in VERBS:
            yield engine, verb, _worker(env, engine, folder, verb.split()[0])
        shutil.rmtree(folder / ".trivet")
        (folder / f"Pulumi.{STACK}.yaml").unlink()


def _worker(env: Mapping[str, str], what: str, folder: Path, *verb: str) -> Cost:
    before, begin = _cpu(), perf_counter()
    command = [sys.executable, "-m", "benchmarks.engine.worker", what, str(folder), *verb]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{what} {' '.join(verb)}: {done.stderr}")
    return Cost(perf_counter() - begin, _cpu() - before, float(done.stdout.split()[-1]))


def _start(kind: str, folder: Path, env: Mapping[str, str]) -> Cost:
    """Of a plugin until it prints its port."""
    before, begin = _cpu(), perf_counter()
    with started(plugin(kind), folder / "program", {**env, "PULUMI_PROJECT": "benchmark"}) as process:
        if not (process.stdout and process.stdout.readline().strip().isdigit()):
            raise Failed("the plugin printed no port")
        wall = perf_counter() - begin
    return Cost(wall, _cpu() - before, 0.0)


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
