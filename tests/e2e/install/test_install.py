"""`make install` on a fresh checkout, again, after a change, after a move and after an accident."""

from __future__ import annotations

import os
import signal
import subprocess
import sysconfig
import tomllib
from concurrent.futures import ThreadPoolExecutor

import pytest

pytestmark = pytest.mark.slow

each_installer = pytest.mark.parametrize("checkout", ["uv", "pip"], indirect=True)
NOWHERE = {"PIP_INDEX_URL": "https://127.0.0.1:1/simple/"}


@pytest.fixture
def installed(checkout):
    """A checkout after `make install`, with a file in .venv that is lost when that is built anew."""
    result = checkout.make("install")
    assert result.returncode == 0, result.stderr
    (checkout.root / ".venv/mark").touch()
    return checkout


def was_kept(checkout) -> bool:
    return (checkout.root / ".venv/mark").exists()


def says(checkout, code: str) -> str:
    result = checkout.run(checkout.python, "-c", code)
    return result.stdout.strip() or result.stderr.strip().rpartition("\n")[2]


@each_installer
def test_what_the_lock_names_is_installed_with_bytecode(installed):
    assert installed.run(installed.root / ".venv/bin/alpha").stdout == "1.0\n"
    assert says(installed, "import os, alpha; print(os.path.exists(alpha.__cached__))") == "True"
    assert "No module named 'beta'" in says(installed, "import beta")


def test_trivet_is_importable_and_no_folder_beside_it(installed):
    version = tomllib.loads((installed.root / "pyproject.toml").read_text())["project"]["version"]
    assert says(installed, "import trivet; print(trivet.__name__)") == "trivet"
    assert says(installed, "from importlib import metadata; print(metadata.version('trivet'))") == version
    assert "No module named 'data'" in says(installed, "import data")


def test_the_command_runs_from_anywhere_and_through_a_link(installed, tmp_path):
    command = installed.root / ".venv/bin/trivet"
    link = tmp_path / "link"
    link.symlink_to(command)
    assert installed.run(command, "--help").stdout == "trivet --help\n"
    assert installed.run(link, "a b").stdout == "trivet a b\n"


def test_run_and_down_call_the_demo(installed):
    assert installed.make("run", "ARGS=--json").stdout.endswith("trivet demo --json\n")
    assert installed.make("down").stdout.endswith("trivet demo --down\n")


def test_a_second_install_does_nothing(installed):
    asked = len(installed.index.requests)
    result = installed.make("--silent", "install", **NOWHERE)
    assert (result.returncode, result.stdout + result.stderr) == (0, "")
    assert was_kept(installed)
    assert len(installed.index.requests) == asked


@each_installer
def test_a_larger_lock_adds_and_a_smaller_one_is_held_already(installed):
    assert installed.make("install-dev").returncode == 0
    assert says(installed, "import beta; beta.main()") == "2.0"
    assert installed.make("install", **NOWHERE).returncode == 0
    assert was_kept(installed)


@each_installer
def test_a_changed_lock_leaves_nothing_of_the_old_one(installed):
    installed.make("install-dev")
    installed.lock("local", "alpha==1.1")
    assert installed.make("install").returncode == 0
    assert says(installed, "import alpha; alpha.main()") == "1.1"
    assert "No module named 'beta'" in says(installed, "import beta")


def test_an_interpreter_that_is_gone_is_replaced(installed):
    (installed.root / ".venv/bin/python").unlink()
    (installed.root / ".venv/bin/python").symlink_to("/nowhere/python3")
    assert installed.make("install").returncode == 0
    assert says(installed, "import alpha; alpha.main()") == "1.0"
    assert not was_kept(installed)


@each_installer
def test_a_moved_checkout_works_at_once_and_its_scripts_after_make(installed, tmp_path):
    installed.root = installed.root.rename(tmp_path / "moved")
    assert says(installed, "import trivet; print(trivet.__name__)") == "trivet"
    assert installed.run(installed.root / ".venv/bin/trivet").stdout == "trivet\n"

    assert installed.make("install", **NOWHERE).returncode == 0
    assert installed.run(installed.root / ".venv/bin/alpha").stdout == "1.0\n"
    assert f"{installed.root}/.venv" in (installed.root / ".venv/bin/activate").read_text()
    assert was_kept(installed)


@each_installer
def test_an_install_that_was_killed_is_done_again(checkout):
    checkout.index.stall = True
    make = subprocess.Popen(
        ["make", "install"],
        cwd=checkout.root,
        env=checkout.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert checkout.index.stalled.wait(60)
    os.killpg(make.pid, signal.SIGKILL)
    make.wait()
    assert checkout.python.exists()

    checkout.index.stall = False
    (checkout.root / ".venv/mark").touch()
    assert checkout.make("install").returncode == 0
    assert says(checkout, "import alpha; alpha.main()") == "1.0"
    assert not was_kept(checkout)


def test_two_installs_at_once_take_turns(checkout):
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(checkout.make, ["install", "install-dev"]))
    assert [result.returncode for result in results] == [0, 0], results
    assert says(checkout, "import alpha; alpha.main()") == "1.0"


@each_installer
def test_uninstalling_trivet_takes_the_link_and_leaves_the_sources(installed):
    installer = [installed.environment["UV"], "pip", "uninstall", "--python", installed.python, "trivet"]
    if not installed.environment["UV"]:
        installer = [installed.python, "-m", "pip", "uninstall", "--yes", "trivet"]
    result = installed.run(*installer)
    assert result.returncode == 0, result.stderr
    assert "No module named 'trivet'" in says(installed, "import trivet")
    assert (installed.root / "trivet/__main__.py").is_file()

    assert installed.make("install", **NOWHERE).returncode == 0
    assert says(installed, "import trivet; print(trivet.__name__)") == "trivet"


def test_tests_that_did_not_run_are_a_failure(installed):
    """`make test` with pytest borrowed from the environment that runs this test."""
    assert installed.make("install-dev").returncode == 0
    (installed.root / "tests").mkdir()
    (installed.root / "tests/test_one.py").write_text("def test_one(): pass\n")
    borrowed = {"PYTHONPATH": sysconfig.get_path("purelib")}
    assert installed.make("test", **borrowed).returncode == 0
    assert installed.make("test", "ARGS=-k nothing_is_called_so", **borrowed).returncode != 0
