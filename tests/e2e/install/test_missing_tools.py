"""What a machine lacks is named in one sentence, with what to do about it."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest

TOOLS = ["awk", "cat", "chmod", "cp", "df", "dirname", "flock", "grep", "head", "ln", "make", "mkdir", "mv", "rm"]
TOOLS += ["readlink", "sed", "sh", "tail", "tee", "tr"]


def complaint(result) -> str:
    """All that an install says on standard error before make's own last line."""
    assert result.returncode != 0
    sentence, last = result.stderr.splitlines()
    assert sentence.startswith("install: ")
    assert last.startswith("make: ***")
    return sentence


@pytest.fixture
def bare(checkout, tmp_path):
    """A checkout on a machine that has the tools of a shell, and shims of pyenv that lead nowhere."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in TOOLS:
        (folder / name).symlink_to(shutil.which(name) or name)
    for name in ("python3", "python3.13"):
        (folder / name).write_text("#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n")
        (folder / name).chmod(0o755)
    del checkout.environment["PYTHON"]
    checkout.environment["PATH"] = str(folder)
    return checkout


def test_no_python(bare):
    assert "apt-get install python3" in complaint(bare.make("install"))


def test_a_python_behind_broken_shims_is_found(bare, tmp_path):
    (tmp_path / "bin/python3.11").symlink_to(Path(sys.executable).resolve())
    result = bare.make("install")
    assert result.returncode == 0, result.stderr


def test_a_python_that_will_not_do(checkout):
    assert "PYTHON=/bin/false" in complaint(checkout.make("install", PYTHON="/bin/false"))


def test_a_full_disk(checkout):
    assert "MB" in complaint(checkout.make("install", NEED_MB=str(10**9)))


def test_no_lock(checkout):
    (checkout.root / "requirements/local.txt").unlink()
    assert "make lock" in complaint(checkout.make("install"))


@pytest.mark.parametrize("checkout", ["uv", "pip"], indirect=True)
def test_a_python_without_its_venv_module(checkout, tmp_path):
    """As on Debian without python3-venv: uv does without it, pip cannot."""
    result = checkout.make("install", PYTHON=str(python_without("ensurepip", tmp_path / "debian")))
    if checkout.environment["UV"]:
        assert result.returncode == 0, result.stderr
    else:
        assert "python3-venv" in complaint(result)


def test_another_python_replaces_the_environment(checkout, tmp_path):
    other = python_without("turtledemo", tmp_path / "other")
    assert checkout.make("install").returncode == 0
    assert checkout.make("install", PYTHON=str(other)).returncode == 0
    base = checkout.run(checkout.python, "-c", "import sys; print(sys.base_prefix)").stdout.strip()
    assert base == str(tmp_path / "other")


def python_without(module: str, prefix: Path) -> Path:
    """A copy of the running interpreter whose standard library lacks ``module``."""
    stdlib = Path(sysconfig.get_path("stdlib"))
    library = prefix / "lib" / stdlib.name
    library.mkdir(parents=True)
    for entry in stdlib.iterdir():
        if entry.name != module:
            (library / entry.name).symlink_to(entry)
    for shared in Path(sysconfig.get_config_var("LIBDIR")).glob("libpython*"):
        (prefix / "lib" / shared.name).symlink_to(shared)
    python = prefix / "bin/python3"
    python.parent.mkdir()
    shutil.copy(os.path.realpath(sys.executable), python)
    return python
