"""Compile the locks, or check that they are what `make lock` wrote for the requirements as they stand.

    tools/lock.py [--check] [FOLDER ...] [option of uv pip compile, such as --upgrade]

Two locks of requirements/ are for .venv, made from pyproject.toml. Each folder that FOLDERS finds has one of its own,
made from its requirements.in, for tools that cannot share .venv (see tools/environments.py). Without an option only
stale locks are compiled, with one every lock; a FOLDER narrows both to the locks in it.

A lock begins with a digest over what it was compiled from and what it says. So the check needs no index: it fails when
a requirement was changed without `make lock`, and when a pin was changed by hand.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROJECT, VENV = Path("pyproject.toml"), Path("requirements/venv.in")
DEV, LOCAL = Path("requirements/dev.txt"), Path("requirements/local.txt")
FOLDERS = ["benchmarks/peers/*/requirements.in", "tools/clients/*/requirements.in", "tools/*/requirements.in"]

# What loads or runs a model has one version everywhere, so that the same model is compared.
SHARED = ["joblib", "numpy", "onnxruntime", "scikit-learn", "scipy", "threadpoolctl"]

RUN = ["--extra", "local", "--extra", "examples"]
TEST = ["--extra", "rehearsal", "--group", "dev"]
UNIVERSAL = [
    "--universal",
    "--python-version=3.11",
    "--fork-strategy=fewest",  # one version on every Python: what was tested is what runs
    "--only-binary=:all:",  # nothing is built, so nothing unhashed is fetched to build it
    "--generate-hashes",
    "--no-header",
]


@dataclass(frozen=True)
class Lock:
    """A lock, the files that it is compiled from, and what uv is told besides."""

    path: Path
    sources: list[Path]
    options: list[str]
    shared: bool = False
    """Takes the packages of SHARED from the lock of the tests."""

    def inputs(self) -> dict[str, Any]:
        """All that it follows from."""
        inputs: dict[str, Any] = {
            "options": [*self.options, *map(str, self.sources)],
            "constraints": self.constraints(),
        }
        for source in self.sources:
            inputs[source.name] = requirements_of_project() if source == PROJECT else source.read_text()
        return inputs

    def constraints(self) -> str:
        """Versions that it takes from the lock of the tests."""
        if self.path == DEV or not DEV.is_file():
            return ""
        text = DEV.read_text()
        return "\n".join(re.findall(rf"^(?:{'|'.join(SHARED)})==\S+", text, re.MULTILINE)) if self.shared else text

    def exceptions(self) -> str:
        """Its packages without a wheel, as its requirements name them; see tools/environments.py."""
        found = [re.findall(r"^--no-binary \S+$", source.read_text(), re.MULTILINE) for source in self.sources]
        return "".join(f"{line}\n" for lines in found for line in lines)

    def header(self, body: str) -> str:
        """The first line, where the others are ``body``."""
        digest = hashlib.sha256(json.dumps(self.inputs() | {"body": body}, sort_keys=True).encode()).hexdigest()
        return f"# Written by `make lock`; do not edit. sha256:{digest}\n"

    def is_fresh(self) -> bool:
        """Whether it is there and carries the digest of its own requirements and pins."""
        if not self.path.is_file():
            return False
        first, _, body = self.path.read_text().partition("\n")
        return first + "\n" == self.header(body)

    def compile(self, options: list[str]) -> None:
        """Write it, keeping the versions that it has where the requirements allow."""
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
            constraints.write(self.constraints())
            constraints.flush()
            command = ["tools/uv", "pip", "compile", "--quiet", *self.options, "--constraints", constraints.name]
            command += [*options, *map(str, self.sources), "--output-file", str(self.path)]
            if code := subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
                sys.exit(code)  # uv has said why
        pins = "".join(line for line in self.path.read_text().splitlines(keepends=True) if not line.startswith("# "))
        body = self.exceptions() + pins
        self.path.write_text(self.header(body) + body)


def requirements_of_project() -> dict[str, Any]:
    """What of pyproject.toml a lock follows from."""
    project = tomllib.loads(PROJECT.read_text())
    return {
        "requires-python": project["project"]["requires-python"],
        "dependencies": project["project"]["dependencies"],
        "extras": project["project"]["optional-dependencies"],
        "groups": project["dependency-groups"],
        "uv": project["tool"].get("uv"),
    }


def locks() -> list[Lock]:
    """Every lock, each after those that it takes versions from: what was tested is what `make run` runs."""
    project = [PROJECT, VENV]
    own = sorted(source for pattern in FOLDERS for source in Path().glob(pattern))
    return [
        Lock(DEV, project, [*UNIVERSAL, *RUN, *TEST]),
        Lock(LOCAL, project, [*UNIVERSAL, *RUN, "--no-annotate"]),
        *[Lock(source.with_suffix(".txt"), [source], [*UNIVERSAL, "--no-annotate"], shared=True) for source in own],
    ]


def main(arguments: list[str]) -> int:
    """Check or compile; print one sentence and return 3 where a lock is stale."""
    os.chdir(ROOT)
    folders = {str(lock.path.parent) for lock in locks()} & {argument.rstrip("/") for argument in arguments}
    chosen = [lock for lock in locks() if not folders or str(lock.path.parent) in folders]
    options = [argument for argument in arguments if argument.rstrip("/") not in folders]
    if "--check" in options:
        stale = [str(lock.path) for lock in chosen if not lock.is_fresh()]
        if stale:
            sys.stderr.write(f"{', '.join(stale)}: not what `make lock` wrote for the requirements; run it.\n")
        return 3 if stale else 0
    from uv import find_uv_bin

    os.environ["UV"] = find_uv_bin()
    for lock in chosen:
        if options or not lock.is_fresh():
            lock.compile(options)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
