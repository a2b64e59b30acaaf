"""Unmodified Pulumi programs on the stand-ins: what they made is looked up in moto and in the store, not in a state."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest

from trivet.infra.driver import Driver
from trivet.rehearsal.fakes.aws import Fake
from trivet.rehearsal.plugins.guards import STORE
from trivet.rehearsal.plugins.path import rehearsing
from trivet.rehearsal.plugins.store import Store
from trivet.rehearsal.rigs.aws import COMMANDS

REGION = "eu-central-1"
TOY = Path(__file__).parents[1] / "fakes" / "aws" / "toy.py"  # what every other image runs
CONFIG = {
    "trivet:cloud": "aws",
    "aws:region": REGION,
    "gcp:project": "lending",
    "gcp:region": "europe-west3",
    "azure-native:location": "westeurope",
}

HEAD = """
import json
import pulumi
from pulumi import ResourceOptions
"""

OPERATE = """
import sys
from pathlib import Path
from trivet.infra.driver import Driver
root, stack, home, verb = sys.argv[1:]
getattr(Driver(Path(root), stack, Path(home), "embedded"), verb)()
"""


@dataclass
class Stack:
    """A project whose program is written anew by each test, its stack, and what holds what it makes."""

    root: Path
    driver: Driver
    store: Store
    lines: list[str] = field(default_factory=list)

    def say(self, program: str) -> None:
        """Make this the program."""
        (self.root / "program" / "__main__.py").write_text(HEAD + program)

    def up(self, program: str | None = None) -> dict[str, int]:
        """Say it and bring it up; what was done, without what stayed the same."""
        if program is not None:
            self.say(program)
        self.lines.clear()
        return changed(self.driver.up(self.lines.append))

    def preview(self, program: str | None = None) -> dict[str, int]:
        """Say it and preview it."""
        if program is not None:
            self.say(program)
        self.lines.clear()
        return changed(self.driver.preview(self.lines.append))

    def outputs(self) -> dict[str, Any]:
        return self.driver.outputs()

    def stored(self, package: str) -> dict[str, dict[str, Any]]:
        """Outputs of a package's objects in the store, by id."""
        return {entry.id or "": entry.outputs for entry in self.store.all(f"{package}:")}

    def client(self, service: str, region: str = REGION) -> Any:
        """A client of the test's own."""
        return client(os.environ["AWS_ENDPOINT_URL"], service, region)

    def begin(self, verb: str, fault: str = "") -> subprocess.Popen[str]:
        """Start one operation in a process of its own, whose plugin dies at the named point."""
        arguments = [str(self.root), self.driver.stack, str(self.driver.home), verb]
        environment = {**os.environ, "TRIVET_FAULT": fault}
        return subprocess.Popen(
            [sys.executable, "-c", OPERATE, *arguments], env=environment, text=True, stderr=subprocess.PIPE
        )


def changed(counts: dict[str, int]) -> dict[str, int]:
    return {op: count for op, count in counts.items() if op != "same"}


def client(endpoint: str, service: str, region: str = REGION) -> Any:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, endpoint_url=endpoint, region_name=region, **keys)


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("PULUMI_", "TRIVET_", "AWS_", "GOOGLE_", "ARM_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fake]:
    """The fake of AWS: moto, and SageMaker as moto has it not."""
    with Fake(tmp_path_factory.mktemp("aws"), {**COMMANDS, "*": [sys.executable, str(TOY)]}) as fake:
        yield fake


@pytest.fixture(scope="session")
def moto(fake: Fake) -> str:
    """Its endpoint."""
    return fake.endpoint


@pytest.fixture
def fresh(moto: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, empty, and named in the environment."""
    urlopen(Request(f"{moto}/moto-api/reset", method="POST")).close()
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    return moto


@pytest.fixture
def stack(fresh: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """An empty project on the embedded engine, with the stand-ins on PATH."""
    for name, value in rehearsing(tmp_path / "rehearsal").items():
        monkeypatch.setenv(name, value)
    return make_stack(tmp_path / "project", "embedded")


def make_stack(root: Path, engine: str) -> Stack:
    (root / "program").mkdir(parents=True)
    (root / "Pulumi.yaml").write_text("name: lending\nruntime: python\nmain: program/\n")
    made = Stack(root, Driver(root, "dev-rehearsal", root / ".trivet" / "dev", engine), Store(Path(os.environ[STORE])))
    made.say("")
    made.driver.set_config(CONFIG)
    return made
