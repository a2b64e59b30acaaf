"""Methods take what the interface says, and the shared suite cannot quietly lose a cloud or a claim."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

from trivet.core import platform as interface
from trivet.platforms.local.processes import python_environment
from trivet.rehearsal.rigs.local import LocalRig, processes_in

ADAPTERS = ("store", "jobs", "models", "endpoints", "workflows", "metrics")
CONFORMANCE = Path(__file__).parents[2] / "conformance"


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_signatures_are_those_of_the_interface(rig: LocalRig, adapter: str) -> None:
    found = getattr(rig.platform, adapter)
    base = getattr(interface, adapter.capitalize())
    assert isinstance(found, base)
    for name in base.__abstractmethods__:
        wanted, given = inspect.signature(getattr(base, name)), inspect.signature(getattr(type(found), name))
        assert list(wanted.parameters.values()) == list(given.parameters.values()), name


def test_a_machine_has_no_database_to_log_in_to(rig: LocalRig) -> None:
    assert rig.platform.database_login() is None


def test_a_rig_names_what_it_could_not_take_down(tmp_path: Path) -> None:
    rig = LocalRig(tmp_path)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], cwd=tmp_path) as process:
        try:
            with pytest.raises(RuntimeError, match=rf"{process.pid} .*sleep"):
                rig.close()
            assert len(processes_in(tmp_path)) == 1
        finally:
            process.kill()
    rig.close()


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        ("import trivet.clouds as c; c.CLOUDS = {**c.CLOUDS, 'moon': None}", "No rig makes these clouds ready: moon."),
        (
            "import enum, trivet.core.capabilities as c\n"
            "import trivet.clouds\n"
            "c.Capability = enum.StrEnum('Capability', {**c.Capability.__members__, 'FLYING': 'flying'})",
            "No act tries these capabilities: flying.",
        ),
    ],
    ids=["cloud", "capability"],
)
def test_what_the_suite_does_not_cover_is_an_error_of_collection(tmp_path: Path, harm: str, sentence: str) -> None:
    (tmp_path / "harm.py").write_text(harm)
    command = [sys.executable, "-m", "pytest", "-p", "harm", "--collect-only", "-q", str(CONFORMANCE)]
    environment = python_environment({**os.environ, "PYTHONPATH": str(tmp_path)})
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=CONFORMANCE)
    assert done.returncode != 0
    assert sentence in done.stdout + done.stderr
