from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from trivet.core.errors import NotReady
from trivet.core.waiting import wait_for
from trivet.platforms.local.processes import (
    ProcessId,
    alive,
    end,
    end_marked,
    identify,
    launch,
    myself,
    python_environment,
    send,
    tethered,
    wait,
)

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"


@pytest.fixture
def sleeper() -> Iterator[tuple[subprocess.Popen[bytes], ProcessId]]:
    with subprocess.Popen(SLEEP) as process:
        known = identify(process.pid)
        assert known is not None
        yield process, known
        process.kill()


def test_a_process_is_itself_and_nobody_else(sleeper: tuple[subprocess.Popen[bytes], ProcessId]) -> None:
    _, known = sleeper
    assert alive(known)
    assert known != myself()
    given_away = ProcessId(os.getpid(), known.born)
    assert not alive(given_away)
    assert not send(given_away, signal.SIGKILL)
    assert wait(given_away, 0)


def test_one_that_has_ended_but_was_not_waited_for_is_not_alive(
    sleeper: tuple[subprocess.Popen[bytes], ProcessId],
) -> None:
    process, known = sleeper
    process.kill()
    assert wait(known, 10)
    assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
    assert not alive(known)
    assert identify(process.pid) is None


def test_end_is_patient_then_firm_then_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        known = identify(process.pid)
        assert known is not None
        assert not wait(known, 0.05)
        end(known, grace=0.1)
        assert process.wait(10) == -signal.SIGKILL
        end(known, grace=0.1)


def test_the_mark_finds_what_bears_it_and_spares_the_rest(sleeper: tuple[subprocess.Popen[bytes], ProcessId]) -> None:
    with subprocess.Popen(SLEEP, env={**os.environ, "TRIVET_TEST": "a"}) as marked:
        wait_for(lambda: b"TRIVET_TEST=a" in Path(f"/proc/{marked.pid}/environ").read_bytes() or None, "", seconds=10)
        end_marked("TRIVET_TEST=")
        assert marked.poll() is None
        end_marked("TRIVET_TEST=a")
        assert marked.wait(10) == -signal.SIGKILL
    assert alive(sleeper[1])


def test_a_tethered_child_dies_with_its_parent_even_by_kill_9() -> None:
    child = "from trivet.platforms.local.processes import tethered; import subprocess, sys, time\n"
    child += f"print(subprocess.Popen(tethered({SLEEP!r})).pid, flush=True)\ntime.sleep(600)"
    with subprocess.Popen(
        [sys.executable, "-c", child], stdout=subprocess.PIPE, env=python_environment(os.environ)
    ) as parent:
        assert parent.stdout is not None
        known = identify(int(parent.stdout.readline()))
        assert known is not None
        wait_for(lambda: "time.sleep" in " ".join(psutil.Process(known.pid).cmdline()) or None, "The exec", seconds=10)
        parent.kill()
        assert wait(known, 10)


def test_a_tethered_command_that_cannot_be_run_says_so() -> None:
    result = subprocess.run(tethered(["/nowhere/program"]), capture_output=True, text=True)
    assert result.returncode == 1
    assert "/nowhere/program cannot be run: No such file" in result.stderr


def test_a_process_that_does_not_start_names_its_log(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match=r"log\.txt"):
        launch("trivet.platforms.local.nothing", tmp_path, tmp_path / "log.txt")
    assert "No module named" in (tmp_path / "log.txt").read_text()


def test_a_checkout_is_importable_and_what_was_given_stays_first() -> None:
    environment = python_environment({"PYTHONPATH": "/mine"})
    assert environment["PYTHONPATH"].split(os.pathsep)[0] == "/mine"
    assert environment["DO_NOT_TRACK"]
    code = subprocess.run(
        [sys.executable, "-c", "import trivet"], env=python_environment({}), cwd="/", capture_output=True
    )
    assert code.returncode == 0
