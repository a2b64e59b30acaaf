"""Graphs of the stacks under mocks, as lists of resources."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

from trivet.infra.listing import Listed

HERE = Path(__file__).parent
PLACES = {
    "aws": {"cloud": "aws", "region": "eu-central-1", "account": "123456789012"},
    "gcp": {"cloud": "gcp", "region": "europe-west3", "account": "lending-models"},
}
DEFAULT = {
    **PLACES["aws"],
    "environment": "dev",
    "endpoints": '["loan"]',
    "alert_emails": '["ml@example.com"]',
    "budget": "100",
}
"""A stack of which only what must be said is said, with one endpoint."""


@cache
def _run(stack: str, config: str, how: str) -> str:
    program = HERE / f"mocked_{json.loads(config)['cloud']}.py"
    command = [sys.executable, str(program), stack, config, how]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def listed(stack: str = "dev", how: str = "preview", cloud: str = "aws", **config: str) -> list[Listed]:
    """Every resource of the graph."""
    graph = json.loads(_run(stack, json.dumps(DEFAULT | PLACES[cloud] | config), how))["resources"]
    return [Listed(*name.split("::"), inputs) for name, inputs in graph.items()]
