"""``python -m benchmarks.engine``; see the package."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.engine import __doc__ as description
from benchmarks.engine.measure import Failed, Plan, rounds
from benchmarks.engine.projects import KINDS
from benchmarks.engine.report import report


def main() -> int:
    """Measure, print the report and write it to a file when asked to."""
    choice = _parser().parse_args()
    engines = ("embedded", "pulumi") if shutil.which("pulumi") else ("embedded",)
    plan = Plan(tuple(choice.kinds), tuple(choice.sizes), engines, choice.rounds)
    with tempfile.TemporaryDirectory(prefix="engine-", dir=choice.work) as folder:
        text = ""
        try:
            for results in rounds(plan, Path(folder), lambda what: print(what, file=sys.stderr, flush=True)):
                text = report(results, Path(folder))
                if choice.out:  # after each round, so that a run that was cut short leaves something
                    choice.out.write_text(text)
        except Failed as error:
            sys.exit(f"The run is over: {error}")
    print(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.engine", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--sizes", nargs="+", type=int, default=[10, 100, 1000], help="resources of a program")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path, help="where the projects and their state lie meanwhile; the system's own")
    parser.add_argument("--out", type=Path, help="file for the report")
    return parser


if __name__ == "__main__":
    sys.exit(main())
