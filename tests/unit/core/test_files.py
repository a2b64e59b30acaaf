"""Files, locks and places hold also when processes die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from trivet.core import faults
from trivet.core.errors import ConfigError, Locked
from trivet.core.files import Appended, private_folder, write_atomic
from trivet.core.layout import project_root, stack_home
from trivet.core.locks import lock


def test_a_write_replaces_the_whole_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_atomic(path, "one")
    write_atomic(path, b"two", mode=0o644)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, "old")
    with pytest.raises(TypeError):
        write_atomic(path, 5)  # type: ignore[arg-type]
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_appends_add_up_and_are_private(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with closing(Appended(path)) as log:
        assert not path.exists()
        for data in (b"a\n", b"b\n"):
            log.append(data)()
    assert path.read_bytes() == b"a\nb\n"
    assert path.stat().st_mode & 0o077 == 0
    assert private_folder(tmp_path / "in").stat().st_mode & 0o777 == 0o700


def test_one_sync_serves_all_who_appended_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    on_disk: list[bytes] = []
    monkeypatch.setattr(os, "fsync", lambda handle: on_disk.append(path.read_bytes()))
    with closing(Appended(path)) as log:
        first, second = log.append(b"a"), log.append(b"b")
        second()
        assert on_disk == [b"ab", b"ab"], "of the file, and of its folder"
        first()
        assert len(on_disk) == 2
        log.append(b"c")()
    assert on_disk[2:] == [b"abc"]


HOLD = """
import sys, time
from contextlib import closing
from pathlib import Path
from trivet.core.locks import lock
with lock(Path(sys.argv[1]), "stack local"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_second_writer_is_told_who_holds_the_lock_until_that_one_dies(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Locked, match=f"stack local is locked by process {holder.pid}"), lock(path, "stack local"):
            pass
        holder.kill()
    with lock(path, "stack local"):
        pass


def test_a_fault_kills_at_its_point_and_count(monkeypatch: pytest.MonkeyPatch) -> None:
    faults.point("anything")
    code = "from trivet.core import faults\nfor n in range(5): print(n, flush=True); faults.point('here')"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "TRIVET_FAULT": "here:3"}, capture_output=True, text=True
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.split() == ["0", "1", "2"]


def test_the_root_is_the_nearest_folder_with_a_pulumi_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRIVET_HOME", raising=False)
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"No Pulumi\.yaml"):
        project_root(deep)
    (tmp_path / "Pulumi.yaml").touch()
    assert project_root(deep) == tmp_path
    assert stack_home(tmp_path, "local") == tmp_path / ".trivet" / "local"
    monkeypatch.setenv("TRIVET_HOME", str(tmp_path / "else"))
    assert stack_home(tmp_path, "local") == tmp_path / "else" / "local"
