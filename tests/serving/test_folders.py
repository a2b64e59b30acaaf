"""Folders on a disk that outlives its processes: each takes away its own and those of the dead, and nobody else's."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from trivet.core.errors import ExitCode
from trivet.serving.config import ModelConfig, ServerConfig
from trivet.serving.folders import OwnFolder
from trivet.serving.http.together import Published

from . import containers
from .containers import Container, Run
from .rawhttp import wait_for

run = containers.run_containers
PREFIX = "trivet-packages-"

HOLD = """
import sys
from pathlib import Path
from trivet.serving.folders import OwnFolder
own = OwnFolder(sys.argv[1], Path(sys.argv[2]))
folder = own.path
(folder / "package").mkdir()
(folder / "package" / "model.onnx").touch()
print(folder, flush=True)
sys.stdin.read()
"""
Hold = Callable[[], tuple[subprocess.Popen[str], Path]]


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Hold]:
    """Begins another process that has a folder there."""
    with ExitStack() as stack:

        def begin() -> tuple[subprocess.Popen[str], Path]:
            command = [sys.executable, "-c", HOLD, PREFIX, str(tmp_path)]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            other = stack.enter_context(subprocess.Popen(command, text=True, **pipes))
            stack.callback(other.kill)
            assert other.stdout is not None
            return other, Path(other.stdout.readline().strip())

        yield begin


def test_it_is_made_when_asked_for_and_gone_with_its_context(tmp_path):
    with OwnFolder(PREFIX, tmp_path) as own:
        assert list(tmp_path.iterdir()) == []
        assert not own.holds(tmp_path)
        folder = own.path
        assert own.path == folder
        assert folder.stat().st_mode & 0o777 == 0o700
        assert own.holds(folder / "package")
        assert not own.holds(tmp_path / "package")
        (folder / "package").mkdir()
    assert list(tmp_path.iterdir()) == []


def test_the_dead_s_goes_and_the_living_s_stays(tmp_path, hold):
    dead, left = hold()
    dead.kill()
    dead.wait()
    assert left.is_dir()
    _, kept = hold()
    with OwnFolder(PREFIX, tmp_path) as own:
        assert {kept, own.path} == set(tmp_path.iterdir())
    assert list(tmp_path.iterdir()) == [kept]
    assert (kept / "package" / "model.onnx").exists()


def test_what_is_no_such_folder_stays(tmp_path):
    """Somebody's own of a like name, without a lock; a link to what is elsewhere; another prefix."""
    own_work = tmp_path / f"{PREFIX}mine" / "work"
    own_work.mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "lock").touch()
    (tmp_path / f"{PREFIX}link").symlink_to(elsewhere)
    (tmp_path / f"{PREFIX}file").touch()
    before = set(tmp_path.rglob("*"))
    with OwnFolder(PREFIX, tmp_path) as own:
        assert own.path.is_dir()
    assert set(tmp_path.rglob("*")) == before


@pytest.fixture
def disk(made: Any, tmp_path: Path) -> dict[str, str]:
    """A container whose model is an archive, and whose folder for temporary files is kept from one to the next."""
    shutil.make_archive(str(tmp_path / "model" / "model"), "gztar", made.folder)
    (tmp_path / "kept").mkdir()
    return {"TRIVET_MODEL": str(tmp_path / "model"), "TRIVET_SIGNED": "false", "TMPDIR": str(tmp_path / "kept")}


def packages(disk: dict[str, str]) -> list[Path]:
    return list(Path(disk["TMPDIR"]).glob(f"{PREFIX}*"))


def killed(container: Container) -> None:
    container.process.send_signal(signal.SIGKILL)
    container.process.wait()


def test_one_process_keeps_no_package_once_it_has_loaded_it(run: Run, disk, client):
    container = run(**disk)
    container.line("ready")
    wait_for(lambda: packages(disk) == [])
    assert client.get(f"{container.url}/ping").status_code == 200


def test_one_that_fails_keeps_none_either(run: Run, disk):
    container = run(**disk, TRIVET_PORT="1", TRIVET_HOST="192.0.2.1")
    assert container.process.wait(30) == ExitCode.PLATFORM
    assert packages(disk) == []


def test_what_a_killed_container_fetched_goes_when_the_next_one_begins(run: Run, disk):
    """And not what a container beside it serves from, whose workers may have to load it again."""
    first, beside = (run(**disk, TRIVET_WORKERS="2") for _ in range(2))
    for container in (first, beside):
        container.line("workers ready")
    assert len(packages(disk)) == 2
    killed(first)
    third = run(**disk, TRIVET_WORKERS="2")
    third.line("workers ready")
    assert len(packages(disk)) == 2
    victim = beside.line("workers ready")["workers"][0]
    os.kill(victim, signal.SIGKILL)
    beside.line("worker ready")
    for container in (third, beside):
        container.process.terminate()
        assert container.process.wait(30) == ExitCode.OK
    assert packages(disk) == []


def test_what_was_fetched_goes_once_another_version_is_served(made: Any, other: Any, tmp_path, disk):
    """Until then it stays, for workers that take a dead one's place; and so does what is served beside it."""
    with OwnFolder(PREFIX, Path(disk["TMPDIR"])) as fetched:
        shutil.copytree(made.folder, fetched.path / "unpacked")
        models = [{"name": name, "version": "1", "package": fetched.path / "unpacked"} for name in ("loan", "card")]
        config = ServerConfig.parse({"models": models, "endpoint": "loans", "port": 0}, "the test")
        published = Published(config, fetched)
        published.publish(ModelConfig(name="loan", version="2", package=other.folder))
        assert len(packages(disk)) == 1
        published.withdraw("card")
        assert packages(disk) == []
        published.withdraw("loan")
