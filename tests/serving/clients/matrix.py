"""Others' clients and what each of them does, run against a server: an outcome per operation."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.serving.clients.operations import LONGEST, OK, Case
from tests.serving.clients.servers import PATIENCE, environment, script
from tests.serving.exact import INPUTS, ROWS, truth

MODEL, VERSION = "scorecard", "1"
ENVIRONMENTS = Path(__file__).parents[3] / "tools" / "environments.py"


class NotInstalled(Exception):
    """A client's environment is not there."""


class Client(NamedTuple):
    """A client by others, and what it is made to do."""

    script: str
    environment: str  # its folder in tools/clients; empty: it shares ours
    questions: tuple[str, ...]  # operations in which no model answers
    inferences: tuple[str, ...]  # those in which one does
    arguments: tuple[str, ...] = ()

    @property
    def operations(self) -> tuple[str, ...]:
        """All of them."""
        return self.questions + self.inferences


HEALTH = ("server live", "server ready", "model ready", "model ready with version")
METADATA = ("server metadata", "model metadata", "model metadata with version")
CLIENTS = {
    "triton": Client(
        "triton_client",
        "",
        (*HEALTH, *METADATA, "repository index"),
        (
            "infer JSON, no content type",
            "infer with version",
            "binary in",
            "binary out",
            "gzip request",
            "deflate request",
            "gzip response",
            "deflate response",
        ),
    ),
    "kserve": Client(
        "kserve_client",
        "kserve",
        ("v2 live", "v2 ready", "v2 model ready", "v1 live", "v1 model ready"),
        ("v2 infer JSON", "v2 infer binary", "v1 predict"),
    ),
    "openinference": Client(
        "openinference_client",
        "openinference",
        (
            *HEALTH,
            *METADATA,
            "typed error: no such model",
            "typed error: no such version",
            "typed error: an input lacks",
            "typed error: metadata of no such model",
        ),
        ("infer", "infer with version", "infer at once, asyncio"),
    ),
    "openinference, leaving": Client(
        "openinference_client",
        "openinference",
        ("server live", "server not ready", "model not ready", "model not ready with version"),
        ("infer",),
        ("leaving",),
    ),
    "sagemaker": Client(
        "sagemaker_client",
        "sagemaker",
        ("application/x-npy in: 415", "application/x-npz in: 415", "application/x-npy out: 406", "a cell lacks: 400"),
        (
            "text/csv in, text/csv out",
            "text/csv in, application/json out",
            "application/json in, application/json out",
            "application/json in, text/csv out",
            "application/json in, anything out",
            "a bare array in",
        ),
    ),
}
TRITONS = tuple(one for one in CLIENTS["triton"].operations if not one.endswith("response"))  # the protocol's fourteen
OF_THE_OPEN_PROTOCOL = ("triton", "kserve", "openinference")  # those that the controls are asked to serve too


def case_of(url: str) -> Case:
    """Rows without a missing value, which some clients cannot write, and what must be said of them."""
    rows = [row for row in ROWS if row["income"] is not None]
    truths = [truth(row) for row in rows]
    return Case(
        url=url,
        model=MODEL,
        version=VERSION,
        inputs=[
            {
                "name": column.name,
                "datatype": "BYTES" if column.type == "category" else "FP32",
                "data": [row[column.name] for row in rows],
            }
            for column in INPUTS
        ],
        rows=[[row[column.name] for column in INPUTS] for row in rows],
        score=[one.score for one in truths],
        decision=[one.decision for one in truths],
    )


def ask(name: str, case: Case) -> dict[str, str]:
    """Run a client against the server of a case: ``ok`` or what went wrong, for each of its operations.

    A client that cannot be installed, or a script that does not end well, is the outcome of all of them.
    """
    client = CLIENTS[name]
    try:
        done = subprocess.run(
            [str(python_of(client.environment)), script(client.script), *client.arguments],
            input=json.dumps(asdict(case)),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env=environment(),
        )
        found = json.loads(done.stdout) if done.returncode == 0 else {}
        failure = f"the script ended with {done.returncode}: {done.stderr.strip()[-LONGEST:]}"
    except (NotInstalled, subprocess.TimeoutExpired, json.JSONDecodeError) as error:
        found, failure = {}, str(error)
    missing = dict.fromkeys(client.operations, f"no outcome; {failure}")
    return missing | found


def passed(outcomes: Iterable[str]) -> int:
    """How many are ``ok``."""
    return sum(outcome == OK for outcome in outcomes)


@cache
def python_of(name: str) -> Path:
    """The interpreter of an environment of ``tools/environments.py``, which makes it where it is not there yet.

    :raises NotInstalled: when it cannot be made.
    """
    if not name:
        return Path(sys.executable)
    done = subprocess.run([sys.executable, str(ENVIRONMENTS), name], capture_output=True, text=True)
    if done.returncode:
        raise NotInstalled(done.stderr.strip())
    return Path(done.stdout.strip())
