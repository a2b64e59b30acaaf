"""``python -m benchmarks.serving MODE``; see the package."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.serving import __doc__ as description
from benchmarks.serving.compare import Plan, compare
from benchmarks.serving.load import require_wrk
from benchmarks.serving.model import KINDS, make_model
from benchmarks.serving.report import comparison, stacks
from benchmarks.serving.running import Failed
from benchmarks.serving.scale import scale
from benchmarks.serving.servers import COMPARED, STACKS, Server


def main() -> int:
    """Measure, print the report and write it to a file when asked to."""
    choice = _parser().parse_args()
    require_wrk()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("There is one core only: the server and the load need one each.")
    with tempfile.TemporaryDirectory(prefix="serving-", dir=choice.work) as folder:
        work = Path(folder)
        try:
            _run(choice, work, cores)
        except Failed as error:
            sys.exit(f"The run is over: {error}")
    return 0


def _run(choice: argparse.Namespace, work: Path, cores: list[int]) -> None:
    models = [make_model(kind, work / kind) for kind in choice.models]
    if choice.mode == "scale":
        _write(choice.out, scale(models[0], work, cores, choice.seconds, _say), last=True)
        return
    known = {server.name: server for server in (COMPARED if choice.mode == "compare" else STACKS)}
    servers = _chosen(choice.servers, known)
    length = choice.seconds, choice.rounds
    plan = Plan(servers, choice.rows, choice.connections, *length, server_cores=(cores[0],), load_cores=(cores[1],))
    write = comparison if choice.mode == "compare" else stacks
    for number, results in enumerate(compare(plan, models, work, _say), 1):
        _write(choice.out, write(results, models, work), last=number == plan.rounds)


def _chosen(names: list[str], known: dict[str, Server]) -> Sequence[Server]:
    if unknown := set(names) - set(known):
        sys.exit(f"There is no server {', '.join(sorted(unknown))}; there are {', '.join(known)}.")
    return [server for name, server in known.items() if not names or name in names]


def _write(out: Path | None, report: str, *, last: bool) -> None:
    """To the file after each round, so that a run that was cut short leaves something; in the end to the terminal."""
    if out is not None:
        out.write_text(report)
    if last:
        print(report)


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.serving", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("mode", choices=["compare", "scale", "stacks"])
    parser.add_argument("--servers", nargs="+", default=[], help="names of servers; all of the mode")
    parser.add_argument("--models", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--rows", nargs="+", type=int, default=[1, 32], help="rows of a request")
    parser.add_argument("--connections", nargs="+", type=int, default=[1, 16, 64])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="length of a window")
    parser.add_argument("--work", type=Path, help="where records and models are written meanwhile; the system's own")
    parser.add_argument("--out", type=Path, help="file for the report")
    return parser


if __name__ == "__main__":
    sys.exit(main())
