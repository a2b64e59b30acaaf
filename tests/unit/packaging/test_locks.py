"""The locks pin what is asked for, on every Python; a stale one is found without a network."""

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
LOCKS = ["requirements/dev.txt", "requirements/local.txt"]
FOLDERS = ["benchmarks/peers", "tools/clients", "tools"]
OWN = sorted(
    str(path.with_suffix(".txt").relative_to(REPOSITORY))
    for folder in FOLDERS
    for path in REPOSITORY.glob(f"{folder}/*/requirements.in")
)
PYTHONS = ["3.11", "3.12", "3.13"]
SHARED = {"joblib", "numpy", "onnxruntime", "scikit-learn", "scipy", "threadpoolctl"}
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def pins(lock: str, python: str) -> dict[str, str]:
    """Package to version in one lock, for Linux and one version of Python."""
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    text = (REPOSITORY / lock).read_text()
    found = [Requirement(line) for line in re.findall(r"^[A-Za-z0-9][^\\\n]*", text, flags=re.MULTILINE)]
    here = [pin for pin in found if pin.marker is None or pin.marker.evaluate(environment)]
    assert len({pin.name for pin in here}) == len(here), "a package has two versions"
    return {pin.name: str(pin.specifier).removeprefix("==") for pin in here}


def asked(lock: str) -> list[Requirement]:
    """What a lock is for, as its requirements say it."""
    if lock in OWN:
        return [Requirement(re.split(r"\s+#", line)[0]) for line in lines_of(lock)]
    extras = PROJECT["project"]["optional-dependencies"]
    roles = Requirement(extras["local"][0]).extras | {"examples"} | ({"rehearsal"} if "dev" in lock else set())
    lines = PROJECT["project"]["dependencies"] + [line for role in roles for line in extras[role]]
    lines += PROJECT["dependency-groups"]["dev"] if "dev" in lock else []
    return [one for one in map(Requirement, lines) if one.name != PROJECT["project"]["name"]]


def lines_of(lock: str) -> list[str]:
    """The lines of a requirements.in that name packages."""
    return re.findall(r"^[A-Za-z0-9].*", (REPOSITORY / lock).with_suffix(".in").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", LOCKS + OWN)
def test_every_requirement_is_pinned_within_its_bounds(lock, python):
    pinned = pins(lock, python)
    for requirement in asked(lock):
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} is locked at {version}"


@pytest.mark.parametrize("lock", ["requirements/dev.txt", *OWN])
def test_every_requirement_has_a_lower_bound(lock):
    """Without one a resolver walks back to old versions and says nothing."""
    bounded = {">=", "==", "~="}
    for requirement in asked(lock):
        assert bounded & {specifier.operator for specifier in requirement.specifier}, str(requirement)


@pytest.mark.parametrize("lock", OWN)
def test_a_folder_with_a_lock_says_what_each_requirement_is_for(lock):
    assert lines_of(lock)
    assert [line for line in lines_of(lock) if not re.search(r"  # \S", line)] == []


@pytest.mark.parametrize("python", PYTHONS)
def test_what_is_run_is_what_was_tested(python):
    assert pins("requirements/local.txt", python).items() <= pins("requirements/dev.txt", python).items()


@pytest.mark.parametrize("lock", OWN)
def test_what_runs_a_model_has_one_version_everywhere(lock):
    tested = pins("requirements/dev.txt", "3.11")
    other = {name: version for name, version in pins(lock, "3.11").items() if name in SHARED}
    assert other.items() <= tested.items()


@pytest.mark.parametrize("lock", LOCKS)
def test_pip_is_locked_since_pulumis_cli_runs_it(lock):
    assert "pip" in pins(lock, "3.11")


@pytest.mark.parametrize("lock", LOCKS + OWN)
def test_every_pin_has_hashes_and_no_address(lock):
    blocks = re.split(r"\n(?=[A-Za-z0-9])", (REPOSITORY / lock).read_text())
    assert all("--hash=sha256:" in block for block in blocks[1:])
    text = "\n".join(blocks)
    assert not re.search(r"://|^-(?!-no-binary )|find-links|index-url| @ |/(home|root|tmp|work)/", text, re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS + OWN)
def test_only_a_package_that_is_named_has_no_wheel(lock):
    named = re.findall(r"^--no-binary (.*)$", (REPOSITORY / lock).read_text(), re.MULTILINE)
    assert named == (["sagemaker-inference"] if "/sagemaker/" in lock else [])


@pytest.fixture
def copy(tmp_path) -> Path:
    """pyproject.toml, the locks and the tool that checks them, free to be changed."""
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    for folder in ("requirements", "tools", "benchmarks/peers"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder)
    return tmp_path


def check(copy: Path, *folders: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/lock.py", "--check", *folders]
    return subprocess.run(command, cwd=copy, env={}, capture_output=True, text=True)


def test_fresh_locks_pass(copy):
    result = check(copy)
    assert (result.returncode, result.stderr) == (0, "")


MLFLOW, KSERVE = "benchmarks/peers/mlflow/requirements", "tools/clients/kserve/requirements"


@pytest.mark.parametrize(
    ("path", "old", "new", "stale"),
    [
        ("pyproject.toml", '"rich>=', '"rich>=0.', LOCKS),
        ("pyproject.toml", "dev = [", 'dev = [\n"left-pad>=1",', LOCKS),
        ("requirements/venv.in", "pip>=", "pip>=0.", LOCKS),
        ("requirements/local.txt", "pyyaml==", "pyyaml==0.", ["requirements/local.txt"]),
        ("requirements/local.txt", "sha256:", "sha256:0", ["requirements/local.txt"]),
        ("requirements/dev.txt", "pytest==", "pytest==0.", LOCKS),
        ("requirements/dev.txt", "\nnumpy==", "\nnumpy==0.", LOCKS + OWN),
        (f"{MLFLOW}.in", "mlflow>=", "mlflow>=0.", [f"{MLFLOW}.txt"]),
        (f"{MLFLOW}.txt", "\nmlflow==", "\nmlflow==0.", [f"{MLFLOW}.txt"]),
        (f"{KSERVE}.txt", "--hash=sha256:", "--hash=sha256:0", [f"{KSERVE}.txt"]),
    ],
)
def test_a_change_without_make_lock_is_found(copy, path, old, new, stale):
    text = (copy / path).read_text()
    assert old in text
    (copy / path).write_text(text.replace(old, new, 1))
    result = check(copy)
    assert result.returncode == 3
    assert "make lock" in result.stderr
    assert [lock for lock in LOCKS + OWN if lock in result.stderr] == stale


def test_a_lock_that_is_gone_is_found(copy):
    (copy / "requirements/dev.txt").unlink()
    assert check(copy).returncode == 3


def test_a_new_folder_without_a_lock_is_found(copy):
    (copy / "tools/clients/new").mkdir()
    (copy / "tools/clients/new/requirements.in").write_text("left-pad>=1  # pads\n")
    result = check(copy)
    assert result.returncode == 3
    assert "tools/clients/new/requirements.txt" in result.stderr


def test_a_folder_can_be_checked_alone(copy):
    (copy / f"{MLFLOW}.txt").unlink()
    assert check(copy, "tools/clients/kserve", "requirements").returncode == 0
    assert check(copy, "benchmarks/peers/mlflow/").returncode == 3
