"""The workflows of .github do what the README tells a person to do, and hold no secret."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECRET = re.compile(r"secrets\.|ghp_|AKIA|-----BEGIN|password|token:", re.IGNORECASE)


def read(path: Path) -> dict[Any, Any]:
    return yaml.safe_load(path.read_text())


def steps(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def readme_commands() -> set[str]:
    """The lines of the README's sh blocks, and the commands that it names in a sentence."""
    text = (ROOT / "README.md").read_text()
    lines = "".join(block for kind, block in FENCE.findall(text) if kind == "sh").splitlines()
    named = re.findall(r"`([^`]+)`", FENCE.sub("", text))
    return {re.sub(r"\s+#.*", "", command).strip().removeprefix(".venv/bin/") for command in (*lines, *named)}


def test_there_is_one_for_changes_and_one_for_training_again() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "retrain.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_step_is_a_command_of_the_readme(path: Path) -> None:
    known = readme_commands() | {"make install"}
    commands = [line for step in steps(read(path)) for line in step.get("run", "").splitlines()]
    assert commands
    assert [line for line in commands if line.removeprefix(".venv/bin/") not in known] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_secret_and_no_right_to_write(path: Path) -> None:
    assert not SECRET.search(path.read_text())
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in workflow["jobs"].values())


def test_a_pull_request_is_checked_tested_and_previewed() -> None:
    workflow = read(ROOT / ".github" / "workflows" / "ci.yml")
    on = workflow[True]  # YAML 1.1 reads `on` so
    assert "pull_request" in on
    commands = [step.get("run") for step in steps(workflow)]
    assert [command for command in commands if command and command != "make install"] == [
        "make check",
        "make test",
        ".venv/bin/trivet preview",
    ]


def test_a_schedule_trains_again_only_if_needed() -> None:
    workflow = read(ROOT / ".github" / "workflows" / "retrain.yml")
    assert "schedule" in workflow[True]
    assert [step["run"] for step in steps(workflow) if "run" in step][-1].endswith("--if-needed")
