"""`make lock` against the private index: it compiles, keeps what it has, and passes its own check."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

PYPROJECT = """
[project]
name = "trivet"
version = "1"
requires-python = ">=3.11,<3.14"
dependencies = ["alpha>=1.0"]
[project.optional-dependencies]
local = []
examples = []
rehearsal = []
[dependency-groups]
dev = ["beta>=2.0"]
[tool]
"""


@pytest.fixture
def project(checkout):
    """A checkout with requirements that the index can meet, and no lock."""
    (checkout.root / "pyproject.toml").write_text(PYPROJECT)
    (checkout.root / "requirements/venv.in").write_text("")
    for name in ("local", "dev"):
        (checkout.root / f"requirements/{name}.txt").unlink()
    for folder in (
        "tools/clients",
        "tools/checkov",
        "benchmarks/peers",
    ):  # environments of their own, which ask for more
        shutil.rmtree(checkout.root / folder, ignore_errors=True)
    return checkout


def lock(project, *options: str) -> subprocess.CompletedProcess[str]:
    environment = project.environment | {"PATH": os.environ["PATH"]}
    command = [sys.executable, "tools/lock.py", *options]
    return subprocess.run(command, cwd=project.root, env=environment, capture_output=True, text=True)


def text(project, name: str) -> str:
    return (project.root / f"requirements/{name}.txt").read_text()


def test_locks_are_compiled_without_a_trace_of_the_index(project):
    result = lock(project)
    assert result.returncode == 0, result.stderr
    assert "alpha==1.1" in text(project, "local")
    assert "beta==2.0" in text(project, "dev")
    assert "beta" not in text(project, "local")
    assert "127.0.0.1" not in text(project, "local") + text(project, "dev")
    assert lock(project, "--check").returncode == 0


def test_versions_stay_until_an_upgrade_is_asked_for(project):
    lock(project)
    before = text(project, "local")
    project.index.add("alpha==1.2")
    lock(project)
    assert text(project, "local") == before
    assert lock(project, "--upgrade").returncode == 0
    assert "alpha==1.2" in text(project, "local")


def test_the_lock_installs(project):
    lock(project)
    assert project.make("install-dev").returncode == 0
    assert project.run(project.root / ".venv/bin/beta").stdout == "2.0\n"


def test_a_requirement_that_nothing_meets_leaves_the_locks_alone(project):
    lock(project)
    before = text(project, "dev")
    (project.root / "pyproject.toml").write_text(PYPROJECT.replace("beta>=2.0", "beta>=3"))
    result = lock(project)
    assert result.returncode != 0
    assert "beta" in result.stderr
    assert "Traceback" not in result.stderr
    assert text(project, "dev") == before
