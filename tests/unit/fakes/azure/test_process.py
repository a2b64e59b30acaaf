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
from trivet.rehearsal.fakes.azure import Fake
from trivet.rehearsal.fakes.azure.certificates import AUTHORITY
from trivet.rehearsal.fakes.azure.world import MODELS
from trivet.rehearsal.fakes.containers import NAMESPACES, VARIABLES, can_unshare

from . import learning
from .conftest import CONTAINER, HERE, IMAGES, Subscription, start
from .learning import deployed, ended, endpoint, log, submitted

PARENT = """
import json, sys, time
from pathlib import Path
from trivet.rehearsal.fakes.azure import Fake
with Fake(Path(sys.argv[1]), json.loads(sys.argv[2]), operation=0.0) as fake:
    print(fake.endpoint, fake.pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture(params=[NAMESPACES, VARIABLES] if can_unshare([MODELS]) else [VARIABLES])
def mode(request: pytest.FixtureRequest) -> str:
    """The ways to keep containers that this kernel has."""
    return request.param


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AZURE_", "ARM_", "IDENTITY_", "MSI_"))]:
        monkeypatch.delenv(name)


def begun(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Subscription:
    """A subscription with a container, and the SDK led to it."""
    for name, value in fake.environment.items():
        monkeypatch.setenv(name, value)
    found = Subscription(fake)
    found.blobs.create_container(CONTAINER)
    return found


def busy(fake: Fake, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The processes of an endpoint and a job with a child of its own."""
    ml = learning.client(begun(fake, monkeypatch))
    endpoint(ml)
    deployed(ml)
    folder.mkdir(exist_ok=True)
    submitted(ml, folder, {"sleep": 600, "child": True, "deaf": True})
    return until(fake.processes, lambda pids: len(pids) >= 5)


def test_it_ends_with_all_its_containers(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with start(tmp_path / "fake", mode) as fake:
        assert fake.mode == mode
        pids = busy(fake, tmp_path, monkeypatch)
    gone([*pids, fake.pid])
    assert [path.name for path in (tmp_path / "fake/containers").iterdir()] == [AUTHORITY]


def test_killed_it_leaves_no_container(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with start(tmp_path / "fake", mode) as fake:
        pids = busy(fake, tmp_path, monkeypatch)
        fake.kill()
        gone([*pids, fake.pid])


def test_it_dies_with_whoever_started_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    command = [sys.executable, "-Pc", PARENT, str(tmp_path / "fake"), json.dumps(IMAGES)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        address, pid = parent.stdout.readline().split()
        fake = Fake.__new__(Fake)  # the same handle, in another process
        fake.endpoint, fake.folder = address, tmp_path / "fake"
        pids = busy(fake, tmp_path, monkeypatch)
        os.kill(parent.pid, signal.SIGKILL)
        gone([*pids, int(pid)])


def test_a_reset_ends_what_runs(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pids = busy(fake, tmp_path, monkeypatch)
    fake.reset()
    gone(pids)
    assert fake.processes() == []


def test_containers_run_without_namespaces_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with start(tmp_path / "fake", VARIABLES) as fake:
        azure = begun(fake, monkeypatch)
        ml = learning.client(azure)
        named = submitted(ml, tmp_path, {"say": "here"})
        assert ended(ml, named) == "Completed" and log(azure, named) == "here\n"
        endpoint(ml)
        deployed(ml, model=learning.model(ml, tmp_path))
        assert learning.invoked(ml, "files", "blue") == {"loan/weights.txt": "loan"}


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
    assert said["job"] == "Completed" and said["tried"] == ["127.0.0.1"] and said["elsewhere"] == []
    assert said["keys"] == ["key", "mine/own.txt"]


def test_what_is_wrong_is_told_before_it_starts(tmp_path: Path):
    with pytest.raises(ConfigError, match="color is no setting"):
        Fake(tmp_path, IMAGES, color=1)
    with pytest.raises(ConfigError, match="has no entry point"):
        Fake(tmp_path, {"*": []})
    with pytest.raises(PlatformError, match="The fake of Azure did not start"):
        Fake(tmp_path, IMAGES, mode="gravity")
