"""The wheel holds one package with every room in it, and is the same through the source distribution."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
JUNK = [
    "trivet/core/__pycache__/old.cpython-311.pyc",
    "infra/.trivet/local/secret",
    "serving/.trivet/key.pem",
    "tests/test_of_ours.py",
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git would carry to a clone, as it stands now, with what a working copy collects besides."""
    root = tmp_path_factory.mktemp("copy")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if os.path.lexists(REPOSITORY / name):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, root / name, follow_symlinks=False)
    return root


def packaged(copy: Path) -> set[str]:
    """The files below trivet/, through the links to the rooms."""
    walk = os.walk(copy / "trivet", followlinks=True)
    return {str(Path(folder, name).relative_to(copy)) for folder, _, names in walk for name in names}


def build(copy: Path, target: Path, *options: str) -> Path:
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), *options, str(copy)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return next(target.glob("*.whl"))


@pytest.fixture(scope="module")
def built(copy, tmp_path_factory) -> tuple[set[str], Path, Path, Path]:
    """The files to expect, the wheel, the wheel that came through the sdist, and the sdist."""
    expected = packaged(copy)
    for name in JUNK:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text("not ours to give away")
    target = tmp_path_factory.mktemp("dist")
    direct, indirect = build(copy, target / "direct", "--wheel"), build(copy, target / "indirect")
    return expected, direct, indirect, next((target / "indirect").glob("*.tar.gz"))


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_is_one_package(built):
    tops = {name.split("/")[0] for name in contents(built[1])}
    assert len(tops) == 2
    assert all(top == "trivet" or (top.startswith("trivet-") and top.endswith(".dist-info")) for top in tops)


def test_the_wheel_holds_every_file_of_every_room(built):
    expected, wheel, *_ = built
    assert {name for name in contents(wheel) if name.startswith("trivet/")} == expected
    rooms = {path.name for path in (REPOSITORY / "trivet").iterdir() if path.is_symlink() and any(path.iterdir())}
    assert rooms <= {name.split("/")[1] for name in expected}
    assert "trivet/py.typed" in expected


def test_the_source_distribution_yields_the_same_wheel(built):
    _, direct, indirect, _ = built
    assert contents(direct) == contents(indirect)


def test_the_source_distribution_holds_files_and_no_links(built):
    with tarfile.open(built[3]) as archive:
        assert all(member.isfile() for member in archive.getmembers())
        names = {member.name.split("/", 1)[1] for member in archive.getmembers()}
    assert {name for name in names if name.startswith("trivet/")} == built[0]
    assert {"LICENSE", "README.md", "pyproject.toml"} <= names
