"""The Makefile explains itself, and CI runs what it offers."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
TARGETS = re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), flags=re.MULTILINE)


def make(*arguments: str) -> str:
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout


def test_help_is_the_default_and_lists_every_target():
    listed = make()
    assert listed == make("help")
    assert re.findall(r"^make ([a-z-]+) +\w", listed, flags=re.MULTILINE) == TARGETS


def test_no_target_is_mistaken_for_a_file():
    phony = re.findall(r"^\.PHONY: (.*)$", (REPOSITORY / "Makefile").read_text(), flags=re.MULTILINE)
    assert phony == TARGETS


def test_what_needs_packages_installs_them_first():
    for target in ("run", "down"):
        assert make("--dry-run", target).startswith("tools/install requirements/local.txt\n")
    for target in ("test", "check", "format", "lock", "build"):
        assert make("--dry-run", target).startswith("tools/install requirements/dev.txt\n")


def test_ci_runs_the_checks_and_the_tests():
    script = REPOSITORY / ".ci/run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    lines = script.read_text().splitlines()
    assert "set -euo pipefail" in lines
    assert lines[-2:] == ["make check", "make test"]
