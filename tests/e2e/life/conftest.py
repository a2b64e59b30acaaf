"""A copy of the checkout with an environment of its own, and the stack that the demonstration leaves in it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
OURS = ("TRIVET_", "PULUMI_")
PATIENCE = 180.0  # seconds; what takes longer hangs

# Python runs it before anything else; an audit hook sees an import however the process ends.
SITECUSTOMIZE = """
import os, sys
sys.addaudithook(
    lambda event, args: event == "import"
    and args[0] in {names!r}
    and open(os.path.join({folder!r}, f"{{os.getpid()}}-{{args[0]}}"), "a").close()
)
"""
HEAVY = ("pulumi", "mlflow", "sklearn", "pandas", "pydantic", "rich")


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """What it printed with ``--json``, where it printed nothing else."""
        return json.loads(self.stdout)


@dataclass
class Imports:
    """Which process imported which of the heavy packages. ``folder`` is put on the path of those to be watched."""

    folder: Path
    notes: Path

    @classmethod
    def watched(cls, folder: Path, notes: Path) -> Imports:
        """Have every Python that has ``folder`` on its path take notes."""
        notes.mkdir(parents=True)
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(SITECUSTOMIZE.format(names=HEAVY, folder=str(notes)))
        return cls(folder, notes)

    def processes(self, *names: str) -> set[str]:
        """The pids of those that imported any of ``names``."""
        return {pid for pid, name in self._notes() if name in names}

    def names(self) -> set[str]:
        """What anybody imported."""
        return {name for _, name in self._notes()}

    def _notes(self) -> list[tuple[str, str]]:
        names = (path.name.partition("-") for path in self.notes.iterdir())
        return [(pid, name) for pid, _, name in names]


@dataclass
class Checkout:
    """A copy of the checkout; ``trivet`` runs the command line in it."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)

    @classmethod
    def copy(cls, root: Path) -> Checkout:
        """Copy what git knows or does not ignore, links as links."""
        command = ("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
        listed = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
        for name in filter(None, listed.split("\0")):
            source, target = REPOSITORY / name, root / name
            if source.is_symlink() or source.is_file():  # what was deleted is listed until it is committed
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)
        return cls(root)

    @property
    def environment(self) -> dict[str, str]:
        """The caller's, less what would lead to another stack."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        return {**kept, "PYTHONPATH": str(self.root), "TRIVET_ENGINE": "embedded", **self.variables}

    def start(self, *arguments: object, cwd: Path | None = None, **variables: str) -> subprocess.Popen[str]:
        """Start a command and do not wait for it."""
        return subprocess.Popen(
            (sys.executable, "-m", "trivet", *map(str, arguments)),
            cwd=cwd or self.root,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def trivet(self, *arguments: object, expect: int | None = 0, cwd: Path | None = None, **variables: str) -> Ran:
        """Run a command to its end, with which exit code is checked unless ``expect`` is None."""
        process = self.start(*arguments, cwd=cwd, **variables)
        stdout, stderr = process.communicate(timeout=PATIENCE)
        ran = Ran(process.returncode, stdout, stderr)
        assert expect in (None, ran.code), f"trivet {' '.join(map(str, arguments))}: {ran}"
        return ran

    def home(self, stack: str = "local") -> Path:
        """What a stack keeps on this machine."""
        return self.root / ".trivet" / stack

    def jobs(self, stack: str = "local") -> set[str]:
        """The jobs that were ever begun."""
        return {path.name for path in (self.home(stack) / "jobs").glob("*/*")}

    def ledger(self, *options: str, kind: str = "") -> list[Mapping[str, Any]]:
        """The ledger's entries, of one kind if given."""
        entries = self.trivet("ledger", "show", "--json", *options).json
        return [entry for entry in entries if kind in ("", entry["kind"])]

    def versions(self, stack: str = "local") -> dict[str, str]:
        """The digest of every registered version, as MLflow's own tables have it: to ask MLflow takes seconds."""
        return self._tags(stack, "trivet.digest")

    def approval(self, version: str, stack: str = "local") -> Any:
        """Who approved or rejected a version, or None."""
        return json.loads(self._tags(stack, "trivet.approval").get(version, "null"))

    def champion(self, stack: str = "local") -> str:
        """The version that is the champion."""
        query = "SELECT name || '/' || version, alias FROM registered_model_aliases WHERE alias = ?"
        [(name, _)] = self._registry(stack, query, "champion")
        return name

    def _tags(self, stack: str, key: str) -> dict[str, str]:
        query = "SELECT name || '/' || version, value FROM model_version_tags WHERE key = ?"
        return dict(self._registry(stack, query, key))

    def _registry(self, stack: str, query: str, *values: str) -> list[tuple[str, str]]:
        path = self.home(stack) / "registry" / "registry.db"
        if not path.exists():
            return []
        with closing(sqlite3.connect(path)) as database:
            return database.execute(query, values).fetchall()

    def processes(self) -> list[psutil.Process]:
        """Every process that works in the copy."""
        running = psutil.process_iter(["cwd", "cmdline"])
        return [process for process in running if _is_in(process.info, self.root)]

    def end(self) -> None:
        """Kill what is left; a test that passes leaves nothing."""
        for process in self.processes():
            process.kill()


def _is_in(process: Mapping[str, Any], folder: Path) -> bool:
    places = (process["cwd"] or "", *(process["cmdline"] or []))
    return any(place == str(folder) or place.startswith(f"{folder}/") for place in places)


@dataclass
class Demo:
    """The stack of the demonstration, and what that told."""

    checkout: Checkout
    ran: Ran
    imports: Imports

    @property
    def report(self) -> Any:
        return self.ran.json

    @property
    def url(self) -> str:
        return self.report["url"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    copy = Checkout.copy(tmp_path_factory.mktemp("life") / "checkout")
    yield copy
    copy.end()


@pytest.fixture(scope="module")
def demo(checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Everything from `trivet demo` to `trivet demo --down`, which must leave nothing of the stack's."""
    # A job has nothing on its path but the checkout.
    imports = Imports.watched(checkout.root, tmp_path_factory.mktemp("imports") / "notes")
    ran = checkout.trivet("demo", "--json")
    (checkout.root / "sitecustomize.py").unlink()
    yield Demo(checkout, ran, imports)
    checkout.trivet("demo", "--down")
    assert checkout.processes() == []
    assert not checkout.home().exists()


@pytest.fixture
def imports(tmp_path: Path) -> Imports:
    """A notebook of imports for one command."""
    return Imports.watched(tmp_path / "imports", tmp_path / "notes")
