"""Graphs of a cloud's stack under mocks."""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

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


class Builder:
    """One process that builds graph after graph, since to import a cloud's SDK takes longer than all of them."""

    def __init__(self, cloud: str) -> None:
        program = HERE / f"mocked_{cloud}.py"
        self._home = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def build(
        self, stack: str, config: dict[str, str], how: str = "up", *, project: str = "trivet", home: str = ""
    ) -> dict[str, Any]:
        """What the program's ``answer`` gives."""
        assert self._process.stdin and self._process.stdout
        asked = [project, stack, json.dumps(config), home or self._home.name, how]
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait(20) == 0
        self._home.cleanup()


@cache
def builder(cloud: str) -> Builder:
    """The one for every test of this process."""
    made = Builder(cloud)
    atexit.register(made.close)
    return made


@cache
def _built(stack: str, config: str, how: str) -> str:
    wanted = json.loads(config)
    return json.dumps(builder(wanted["cloud"]).build(stack, wanted, how))


def built(stack: str, config: dict[str, str], how: str = "up") -> dict[str, Any]:
    """The same as :meth:`Builder.build`, each once."""
    return json.loads(_built(stack, json.dumps(config), how))


def listed(stack: str = "dev", how: str = "preview", cloud: str = "aws", **config: str) -> list[Listed]:
    """Every resource of the graph."""
    graph = built(stack, DEFAULT | PLACES[cloud] | config, how)["resources"]
    return [Listed(*key.split("::"), inputs) for key, inputs in graph.items()]
