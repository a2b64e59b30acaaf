"""The locks pin what pyproject.toml asks for, on every Python; a stale one is found without a network."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[3]
LOCKS = ["local", "dev"]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def pins(name: str, python: str) -> dict[str, str]:
    """Package to version in one lock, for Linux and one version of Python."""
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    text = (REPOSITORY / f"requirements/{name}.txt").read_text()
    found = [Requirement(line) for line in re.findall(r"^[A-Za-z0-9][^\\\n]*", text, flags=re.MULTILINE)]
    here = [pin for pin in found if pin.marker is None or pin.marker.evaluate(environment)]
    assert len({pin.name for pin in here}) == len(here), "a package has two versions"
    return {pin.name: str(pin.specifier).removeprefix("==") for pin in here}


def asked(name: str) -> list[Requirement]:
    """What pyproject.toml itself names for a lock."""
    extras = PROJECT["project"]["optional-dependencies"]
    roles = Requirement(extras["local"][0]).extras | {"examples"}
    lines = PROJECT["project"]["dependencies"] + [line for role in roles for line in extras[role]]
    return [Requirement(line) for line in lines + (PROJECT["dependency-groups"]["dev"] if name == "dev" else [])]


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_pinned_within_its_bounds(name, python):
    pinned = pins(name, python)
    for requirement in asked(name):
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} is locked at {version}"


def test_every_requirement_has_a_lower_bound():
    """Without one a resolver walks back to old versions and says nothing."""
    bounded = {">=", "==", "~="}
    for requirement in asked("dev"):
        assert bounded & {specifier.operator for specifier in requirement.specifier}, str(requirement)


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_what_is_run_is_what_was_tested(python):
    assert pins("local", python).items() <= pins("dev", python).items()


@pytest.mark.parametrize("name", LOCKS)
def test_pip_is_locked_since_pulumis_cli_runs_it(name):
    assert "pip" in pins(name, "3.11")


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_hashes_and_no_address(name):
    blocks = re.split(r"\n(?=[A-Za-z0-9])", (REPOSITORY / f"requirements/{name}.txt").read_text())
    assert all("--hash=sha256:" in block for block in blocks[1:])
    assert not re.search(r"://|^-|find-links|index-url| @ |/(home|root|tmp|work)/", "\n".join(blocks), re.MULTILINE)


@pytest.fixture
def copy(tmp_path) -> Path:
    """pyproject.toml, the locks and the tool that checks them, free to be changed."""
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    shutil.copytree(REPOSITORY / "requirements", tmp_path / "requirements")
    shutil.copytree(REPOSITORY / "tools", tmp_path / "tools")
    return tmp_path


def check(copy: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "tools/lock.py", "--check"], cwd=copy, env={}, capture_output=True, text=True
    )


def test_fresh_locks_pass(copy):
    result = check(copy)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("path", "old", "new", "stale"),
    [
        ("pyproject.toml", '"rich>=', '"rich>=0.', LOCKS),
        ("pyproject.toml", "dev = [", 'dev = [\n"left-pad>=1",', LOCKS),
        ("requirements/venv.in", "pip>=", "pip>=0.", LOCKS),
        ("requirements/local.txt", "pyyaml==", "pyyaml==0.", ["local"]),
        ("requirements/local.txt", "sha256:", "sha256:0", ["local"]),
        ("requirements/dev.txt", "pytest==", "pytest==0.", LOCKS),
    ],
)
def test_a_change_without_make_lock_is_found(copy, path, old, new, stale):
    text = (copy / path).read_text()
    assert old in text
    (copy / path).write_text(text.replace(old, new, 1))
    result = check(copy)
    assert result.returncode == 3
    assert "make lock" in result.stderr
    assert [name for name in LOCKS if f"requirements/{name}.txt" in result.stderr] == stale


def test_a_lock_that_is_gone_is_found(copy):
    (copy / "requirements/dev.txt").unlink()
    assert check(copy).returncode == 3
