"""An environment of its own holds what its lock names, is made once, and is never half made."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
BACKEND = """
import zipfile

def build_wheel(folder, settings=None, metadata=None):
    import small  # what builds it is at hand
    with zipfile.ZipFile(f"{folder}/built-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("built.py", "said = 'built'")
        wheel.writestr("built-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: built\\nVersion: 1\\n")
        wheel.writestr("built-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("built-1.dist-info/RECORD", "built.py,,\\nbuilt-1.dist-info/RECORD,,\\n")
    return "built-1-py3-none-any.whl"
"""


def wheel(index: Path, version: str) -> str:
    """Puts the package `small` on the index; its pin."""
    path = index / f"small-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("small.py", f"said = {version!r}")
        info = f"small-{version}.dist-info"
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: small\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"small.py,,\n{info}/RECORD,,\n")
    return f"small=={version} \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def source(index: Path) -> str:
    """Puts the package `built` on the index, which has no wheel; its pin."""
    path = index / "built-1.tar.gz"
    files = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "built"\nversion = "1"\n',
        "backend.py": BACKEND,
        "PKG-INFO": "Metadata-Version: 2.2\nName: built\nVersion: 1\n",
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"built-1/{name}")
            member.size = len(text)
            archive.addfile(member, BytesIO(text.encode()))
    return f"built==1 \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


class Checkout:
    """The tools alone, an index on the disk, and one folder with a lock."""

    def __init__(self, root: Path) -> None:
        self.root, self.index, self.folder = root, root / "index", root / "tools/clients/one"
        shutil.copytree(REPOSITORY / "tools", root / "tools", ignore=shutil.ignore_patterns("clients", "checkov"))
        self.index.mkdir()
        self.folder.mkdir(parents=True)
        (self.folder / "requirements.in").write_text("small>=1  # the test\n")
        self.lock(wheel(self.index, "1"))

    def lock(self, text: str) -> None:
        (self.folder / "requirements.txt").write_text(text)

    def start(self, *names: str, **variables: str) -> subprocess.Popen[str]:
        quiet = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.index), "UV_CACHE_DIR": str(self.root / "cache")}
        command = [sys.executable, "tools/environments.py", *names]
        environment = {"PATH": os.environ["PATH"], **quiet, **variables}
        return subprocess.Popen(
            command, cwd=self.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def make(self, *names: str, **variables: str) -> tuple[int, str, str]:
        process = self.start(*names, **variables)
        out, err = process.communicate()
        return process.returncode, out.strip(), err.strip()

    def said(self, module: str = "small") -> str:
        python = self.root / ".environments/one/bin/python"
        command = [python, "-Ic", f"import {module}; print({module}.said)"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path) -> Checkout:
    return Checkout(tmp_path)


INSTALLERS = [{}, {"UV": ""}]


@pytest.mark.parametrize("variables", INSTALLERS, ids=["uv", "pip"])
def test_it_holds_what_the_lock_names_and_its_python_is_printed(checkout, variables):
    code, out, err = checkout.make("one", **variables)
    assert (code, out) == (0, str(checkout.root / ".environments/one/bin/python")), err
    assert checkout.said() == "1"


@pytest.mark.parametrize("variables", INSTALLERS, ids=["uv", "pip"])
def test_a_package_without_a_wheel_is_built_with_what_the_lock_names(checkout, variables):
    checkout.lock("--no-binary built\n" + source(checkout.index) + wheel(checkout.index, "1"))
    code, _, err = checkout.make("one", **variables)
    assert code == 0, (err, *(path.read_text() for path in checkout.root.glob(".environments/one.log")))
    assert (checkout.said("built"), checkout.said()) == ("built", "1")


def test_it_is_called_by_its_path_too_and_needs_no_working_directory(checkout):
    command = [sys.executable, "-c", "import environments; print(environments.environment('tools/clients/one'))"]
    variables = {"PYTHONPATH": str(checkout.root / "tools"), "PIP_FIND_LINKS": str(checkout.index)}
    environment = {"PATH": os.environ["PATH"], "PIP_NO_INDEX": "1", **variables}
    result = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True)
    assert result.stdout.strip() == str(checkout.root / ".environments/one/bin/python"), result.stderr


def test_what_is_current_is_left_alone(checkout):
    checkout.make("one")
    shutil.rmtree(checkout.index)
    assert checkout.make("one") == (0, str(checkout.root / ".environments/one/bin/python"), "")


def test_another_lock_makes_it_anew(checkout):
    checkout.make("one")
    checkout.lock(wheel(checkout.index, "2"))
    assert checkout.make("one")[0] == 0
    assert checkout.said() == "2"


def test_a_moved_checkout_makes_it_anew(checkout, tmp_path):
    checkout.make("one")
    (checkout.root / ".environments").rename(tmp_path / "old")
    moved = Checkout(tmp_path / "moved")
    shutil.copytree(tmp_path / "old", moved.root / ".environments", symlinks=True)
    _, out, err = moved.make("one")
    assert err.startswith("Installing")
    assert out.startswith(str(moved.root))


def test_another_hash_is_refused_and_nothing_passes_for_made(checkout):
    good = (checkout.folder / "requirements.txt").read_text()
    checkout.lock(good.replace("sha256:", "sha256:" + "0" * 8)[:-9] + "\n")
    for _ in range(2):
        code, out, err = checkout.make("one")
        assert (code, out) == (9, "")
        assert "tools/clients/one/requirements.txt cannot be installed" in err
    checkout.lock(good)
    assert checkout.make("one")[0] == 0


def test_a_name_without_a_lock_is_refused_with_the_names_that_have_one(checkout):
    code, _, err = checkout.make("two")
    assert code == 9
    assert "name one of one" in err
    (checkout.folder / "requirements.txt").unlink()
    assert "make lock" in checkout.make("one")[2]


def stuck(checkout: Checkout) -> Path:
    """An installer that works until the file that is returned is gone."""
    script, going = checkout.root / "stuck", checkout.root / "going"
    going.touch()
    script.write_text(f'#!/bin/sh\necho >>"{going}.began"\nwhile [ -e "{going}" ]; do sleep 0.02; done\nexit 1\n')
    script.chmod(0o755)
    return going


def began(going: Path) -> int:
    path = Path(f"{going}.began")
    return len(path.read_text()) if path.exists() else 0


def until(true) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_was_cut_short_is_made_anew_once_its_installer_has_ended(checkout):
    going = stuck(checkout)
    first = checkout.start("one", UV=str(checkout.root / "stuck"))
    until(lambda: began(going))
    first.send_signal(signal.SIGKILL)
    first.wait()
    second = checkout.start("one")
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(0.5)  # the installer that was left behind still writes
    going.unlink()
    out, err = second.communicate()
    assert second.returncode == 0, err
    assert checkout.said() == "1"
    assert out.strip() == str(checkout.root / ".environments/one/bin/python")
    first.communicate()


def test_two_at_once_make_it_once(checkout):
    both = [checkout.start("one") for _ in range(2)]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sorted(err.count("Installing") for _, err in said) == [0, 1]
    assert checkout.said() == "1"
