"""The same clients against our server, MLServer and KServe, as a table: ``python -m tests.serving.clients.controls``.

The two are controls: they tell a call that a server lacks from a client, or a script, that cannot make it. Each serves
the same scorecard by a runtime of its own kind, as it comes but for this: one process, no telemetry, the loopback only.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.serving.clients.matrix import CLIENTS, MODEL, OF_THE_OPEN_PROTOCOL, TRITONS, ask, case_of, passed, python_of
from tests.serving.clients.operations import OK
from tests.serving.clients.servers import Server, other, script, serve
from tests.serving.exact import scorecard


class Control(NamedTuple):
    """A server by others."""

    distribution: str
    below: tuple[int, int]  # the first Python that it is not made for


CONTROLS = {"MLServer": Control("mlserver", (3, 13)), "KServe": Control("kserve", (3, 14))}
Table = dict[str, dict[str, dict[str, str]]]  # server -> client -> operation -> outcome


def measure(work: Path) -> Table:
    """Run every client that speaks the open protocol against every server, one server after the other."""
    table: Table = {}
    for name, start in servers(work).items():
        with start() as server:
            table[name] = {client: ask(client, case_of(server.url)) for client in OF_THE_OPEN_PROTOCOL}
    return table


def servers(work: Path) -> dict[str, partial[AbstractContextManager[Server]]]:
    """How to start each that is made for this Python, by the name and version that the table shows."""
    package = scorecard(work / "package").folder
    started = {"Trivet": partial(serve, package, work, MODEL)}
    for name, (distribution, below) in CONTROLS.items():
        if sys.version_info >= below:
            continue
        python = python_of(distribution)
        command = [str(python), script(f"{distribution}_server"), "{fd}"]
        started[f"{name} {version(python, distribution)}"] = partial(
            other, name, command, work, f"/v2/models/{MODEL}/ready"
        )
    return started


def version(python: Path, distribution: str) -> str:
    """Of what is installed there."""
    code = f"from importlib.metadata import version; print(version({distribution!r}))"
    return subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def lines(table: Table) -> list[str]:
    """The table as Markdown, and below it why each call failed that did."""
    names = list(table)
    shown = ["| client | operation | " + " | ".join(names) + " |", "| --- " * (2 + len(names)) + "|"]
    failed = []
    for client in OF_THE_OPEN_PROTOCOL:
        for operation in CLIENTS[client].operations:
            outcomes = {name: table[name][client][operation] for name in names}
            shown.append(f"| {client} | {operation} | " + " | ".join(short(one) for one in outcomes.values()) + " |")
            failed += [f"{name}: {client}, {operation}: {one}" for name, one in outcomes.items() if one != OK]
        counts = [f"{passed(table[name][client].values())}/{len(CLIENTS[client].operations)}" for name in names]
        shown.append(f"| **{client}** | all | " + " | ".join(counts) + " |")
    tritons = [f"{name} {passed(table[name]['triton'][one] for one in TRITONS)}/{len(TRITONS)}" for name in names]
    return [*shown, "", "Of Triton's calls but those for compressed answers: " + ", ".join(tritons) + ".", "", *failed]


def short(outcome: str) -> str:
    """An outcome in a word."""
    return "ok" if outcome == OK else "fails"


def main() -> int:
    """Print the table; 1 where one of ours failed."""
    with tempfile.TemporaryDirectory() as folder:
        table = measure(Path(folder))
    print("\n".join(lines(table)))  # noqa: T201  what it is for
    return int(any(outcome != OK for client in table["Trivet"].values() for outcome in client.values()))


if __name__ == "__main__":
    sys.exit(main())
