"""The fake as a process: on loopback only, and nothing stays behind, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.unit.fakes.waiting import gone, until
from trivet.core.errors import ConfigError, PlatformError
from trivet.rehearsal.fakes.containers import NAMESPACES, VARIABLES, can_unshare
from trivet.rehearsal.fakes.gcp import Fake
from trivet.rehearsal.fakes.gcp.world import GCS

from . import vertex
from .conftest import BUCKET, HERE, IMAGES, Project, start
from .vertex import deployed, ended, endpoint, messages, submitted, uploaded

PARENT = """
import json, sys, time
from pathlib import Path
from trivet.rehearsal.fakes.gcp import Fake
with Fake(Path(sys.argv[1]), json.loads(sys.argv[2]), operation=0.0) as fake:
    print(fake.endpoint, fake.pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture(params=[NAMESPACES, VARIABLES] if can_unshare([GCS]) else [VARIABLES])
def mode(request: pytest.FixtureRequest) -> str:
    """The ways to keep containers that this kernel has."""
    return request.param


def begun(fake: Fake) -> Project:
    """A project with a bucket, and the SDK led to it."""
    gcp = Project(fake)
    gcp.storage.create_bucket(BUCKET, location=fake.location)
    vertex.begin(gcp)
    return gcp


def busy(fake: Fake) -> list[int]:
    """The processes of an endpoint and a job with a child of its own."""
    gcp = begun(fake)
    deployed(endpoint(), uploaded(gcp))
    submitted({"sleep": 600, "child": True, "deaf": True})
    return until(fake.processes, lambda pids: len(pids) >= 5)


def test_it_ends_with_all_its_containers(mode: str, tmp_path: Path):
    with start(tmp_path, mode) as fake:
        assert fake.mode == mode
        pids = busy(fake)
    gone([*pids, fake.pid])
    assert {path.name for path in (tmp_path / "containers").iterdir()} == {
        "account.json",
        "application.json",
    }


def test_killed_it_leaves_no_container(mode: str, tmp_path: Path):
    with start(tmp_path, mode) as fake:
        pids = busy(fake)
        fake.kill()
        gone([*pids, fake.pid])


def test_it_dies_with_whoever_started_it(tmp_path: Path):
    command = [sys.executable, "-Pc", PARENT, str(tmp_path), json.dumps(IMAGES)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        address, pid = parent.stdout.readline().split()
        fake = Fake.__new__(Fake)  # the same handle, in another process
        fake.endpoint, fake.location, fake.folder = address, "europe-west3", tmp_path
        fake.project, fake.number = "rehearsal-project", "123456789012"
        pids = busy(fake)
        os.kill(parent.pid, signal.SIGKILL)
        gone([*pids, int(pid)])


def test_a_reset_ends_what_runs(fake: Fake):
    pids = busy(fake)
    fake.reset()
    gone(pids)
    assert fake.processes() == []


def test_jobs_run_without_namespaces_too(tmp_path: Path):
    with start(tmp_path, VARIABLES) as fake:
        gcp = begun(fake)
        gcp.put("data/a.csv", b"1")
        made = submitted({"say": "here"})
        assert ended(made).state.name == "JOB_STATE_SUCCEEDED" and messages(gcp, made) == ["here"]
        said = json.loads(gcp.get("out/train/model/said.json"))
        assert said["files"] == {f"{BUCKET}/data/a.csv": "1"} and said["environment"]["TRIVET_GCS"]


def test_it_listens_on_loopback_only(fake: Fake):
    listening = [one for one in psutil.Process(fake.pid).net_connections() if one.status == psutil.CONN_LISTEN]
    assert [one.laddr.ip for one in listening] == ["127.0.0.1"]
    assert fake.endpoint == f"http://127.0.0.1:{listening[0].laddr.port}"


@pytest.mark.slow
def test_nothing_but_loopback_is_needed(tmp_path: Path):
    script = [sys.executable, "-P", str(HERE / "offline.py"), str(tmp_path / "fake"), json.dumps(IMAGES)]
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    done = subprocess.run(["unshare", "-rn", *script], capture_output=True, text=True, env=kept, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["outside"] == "Network is unreachable"  # the control
    assert said["job"] == "JOB_STATE_SUCCEEDED" and said["tried"] == ["127.0.0.1"]
    assert said["keys"] == ["key", "mine/own.txt", "out/model/said.json"]


def test_what_is_wrong_is_told_before_it_starts(tmp_path: Path):
    with pytest.raises(ConfigError, match="color is no setting"):
        Fake(tmp_path, IMAGES, color=1)
    with pytest.raises(ConfigError, match="has no entry point"):
        Fake(tmp_path, {"*": []})
    with pytest.raises(PlatformError, match="The fake of Google Cloud did not start"):
        Fake(tmp_path, IMAGES, mode="gravity")
