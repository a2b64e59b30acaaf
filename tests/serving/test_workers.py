"""The parent of several workers: all ready or none, the dead replaced, nobody left behind, models changed in all."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from trivet.core.errors import ExitCode

from . import crew
from .crew import begun, folders, gone, load_on, refuses, workers_of
from .rawhttp import wait_for

runtime, repository = crew.runtime_of_its_own, crew.repository_of_two


@contextmanager
def starting(made: Any, folder: Path, workers: int) -> Iterator[tuple[subprocess.Popen[bytes], list[int]]]:
    """A parent and its first workers, as soon as there are any and long before one is ready."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        models = [{"name": "loan", "version": "1", "package": str(made.folder)}]
        config = {"models": models, "endpoint": "loans", "fd": listener.fileno(), "workers": workers}
        (folder / "server.json").write_text(json.dumps(config))
        command = [sys.executable, "-m", "trivet.serving", str(folder / "server.json")]
        with (folder / "log").open("wb") as log:
            parent = subprocess.Popen(command, stderr=log, pass_fds=(listener.fileno(),))
        yield parent, wait_for(lambda: [child.pid for child in psutil.Process(parent.pid).children()])


# --- start


def test_ready_is_said_once_all_are(start, made, client, runtime):
    server = start(made, workers=3)
    assert server.said == f"ready {made.digest}"
    pids = workers_of(server)
    assert sorted(begun(server)) == pids
    assert len(pids) == 3
    wait_for(lambda: len(server.lines("ready")) == 3)  # each writes its log a moment after it has said so
    assert client.post(f"{server.model}/infer", json=made.request()).headers["trivet-package"] == made.digest
    [folder] = folders(runtime)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert server.stop() == ExitCode.OK
    assert all(gone(pid) for pid in pids)
    assert folders(runtime) == []


def test_a_port_of_its_own_is_shared(start, made, client):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = start(made, workers=2, fd=None, port=port)
    assert server.said == f"ready {made.digest}"
    url = f"http://127.0.0.1:{port}/v2/models/loan/infer"
    assert client.post(url, json=made.request()).status_code == 200
    assert server.stop() == ExitCode.OK
    wait_for(lambda: refuses(port))


@pytest.mark.parametrize(
    ("settings", "code", "message"),
    [
        ({"models": [{"name": "loan", "version": "1", "package": "/nowhere"}]}, ExitCode.CONFIG, "no manifest.json"),
        ({"records": "/proc/records"}, ExitCode.PLATFORM, "folder of records"),
        ({"fd": 0}, ExitCode.CONFIG, "no socket"),
    ],
)
def test_a_start_that_fails_says_why_and_leaves_nobody(start, made, runtime, settings, code, message):
    server = start(made, workers=2, **settings)
    assert server.said.startswith("failed ")
    assert message in server.said
    assert server.process.wait(30) == code
    pids = [line for line in server.lines() if line["event"] not in ("failed", "ready")]
    assert pids == []
    assert folders(runtime) == []


def test_a_folder_that_cannot_be_made_is_said(start, made, runtime, monkeypatch):
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(runtime))
    (runtime / "sitecustomize.py").write_text(f"import tempfile; tempfile.tempdir = {str(runtime / 'nowhere')!r}")
    monkeypatch.setenv("PYTHONPATH", str(runtime) + os.pathsep + os.environ.get("PYTHONPATH", ""))
    server = start(made, workers=2)
    assert "Set TMPDIR" in server.said
    assert server.process.wait(30) == ExitCode.PLATFORM


# --- the dead are replaced


def test_a_worker_that_is_killed_under_load_is_replaced(start, made):
    """Whoever was connected to it must connect anew; nobody else notices, and no answer is wrong."""
    server = start(made, workers=2)
    victim, witness = workers_of(server)
    with load_on(server, made.request(request_id="same")) as load:
        load.more()
        os.kill(victim, signal.SIGKILL)
        load.more(200)
        wait_for(lambda: server.lines("worker ready"))
        load.more(200)
    assert len(load.broken) <= 4
    assert {answer.status for answer in load.answers} == {200}
    assert {answer.package for answer in load.answers} == {made.digest}
    assert len({answer.body for answer in load.answers}) == 1
    pids = workers_of(server)
    assert witness in pids
    assert victim not in pids
    assert len(pids) == 2
    [line] = server.lines("worker ended")
    assert "SIGKILL" in line["reason"]
    assert server.stop() == ExitCode.OK


def test_one_worker_is_enough_to_be_ready(start, made, client):
    """While the other is stopped in its tracks: what it does not accept, the one that runs does."""
    server = start(made, workers=2)
    stuck, _ = workers_of(server)
    os.kill(stuck, signal.SIGSTOP)
    try:
        for _ in range(20):
            with httpx.Client(trust_env=False, timeout=30) as fresh:
                assert fresh.get(f"{server.url}/v2/health/ready").status_code == 200
    finally:
        os.kill(stuck, signal.SIGCONT)
    assert server.stop() == ExitCode.OK


@pytest.mark.slow
def test_one_that_keeps_dying_is_the_end_and_the_reason_is_said(start, made, runtime):
    server = start(made, workers=2)
    first, second = begun(server)
    for death in range(6):
        os.kill(first, signal.SIGKILL)
        if death < 5:
            lines = wait_for(lambda death=death: server.lines("worker ready")[death:])
            assert lines[0]["worker"] == 0
            first = lines[0]["pid"]
    assert server.process.wait(30) == ExitCode.PLATFORM
    line = server.lines("failed")[-1]
    assert line["message"] == "Worker 0 ended with signal SIGKILL. That was more than 5 times within a minute."
    assert gone(second)
    assert folders(runtime) == []


# --- nobody is left behind


def test_workers_die_with_a_parent_that_is_killed(start, made, client, runtime):
    server = start(made, workers=3)
    pids = workers_of(server)
    [folder] = folders(runtime)
    server.process.kill()
    server.process.wait()
    wait_for(lambda: all(gone(pid) for pid in pids))
    server.listener.close()
    wait_for(lambda: refuses(int(server.url.rpartition(":")[2])))
    again = start(made, workers=2)  # and takes away the folder that was left
    assert folder not in folders(runtime)
    assert again.stop() == ExitCode.OK
    assert folders(runtime) == []


def test_workers_die_with_a_parent_that_is_killed_while_they_start(start, made, runtime, tmp_path):
    with starting(made, tmp_path, workers=3) as (parent, pids):
        parent.kill()
        parent.wait()
        wait_for(lambda: all(gone(pid) for pid in pids))
    # Those which it began between the look and its end learn of that as soon as their interpreter runs.
    wait_for(lambda: not any(str(runtime) in " ".join(_command(process)) for process in psutil.process_iter()))


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


# --- leaving


def test_leaving_under_load_fails_nothing(start, made):
    """All are not ready at once, serve on, and answer what they accepted."""
    server = start(made, workers=2, drain_seconds=1.0)
    failures: list[str] = []
    seen: list[int] = []

    def keep_asking() -> None:
        with httpx.Client(trust_env=False, timeout=30) as client:
            while client.get(f"{server.url}/v2/health/ready").status_code == 200:  # what a load balancer does
                response = client.post(f"{server.model}/infer", json=made.request())
                seen.append(response.status_code)
                if response.status_code != 200:
                    failures.append(response.text)

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(keep_asking) for _ in range(4)]
        try:
            wait_for(lambda: len(seen) > 200, 60)
        finally:
            server.ask_to_leave()  # else they would ask for ever
        for each in asking:
            each.result(30)
    assert failures == []
    assert server.process.wait(30) == ExitCode.OK
    assert len(server.lines("stopped")) == 2
    [line] = server.lines("workers stopped")
    assert line["forced"] is False


def test_ctrl_c_is_one_signal_to_each(start, made, slow, client):
    """A terminal sends it to the whole group; workers are asked once, by their parent, and so finish their work."""
    server = start(slow, workers=2)
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(client.post, f"{server.model}/infer", json=slow.request()) for _ in range(2)]
        time.sleep(0.2)
        assert {os.getpgid(pid) for pid in workers_of(server)} == set(workers_of(server))
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(30) == ExitCode.OK
        assert [answer.result().status_code for answer in answers] == [200, 200]


def test_the_second_signal_is_fast_even_where_a_worker_hangs(start, made, client):
    server = start(made, workers=2, drain_seconds=600)
    stuck, _ = pids = workers_of(server)
    os.kill(stuck, signal.SIGSTOP)
    server.ask_to_leave()
    wait_for(lambda: not _ready(server))
    server.ask_to_leave()
    assert server.process.wait(60) == ExitCode.INTERRUPTED
    assert all(gone(pid) for pid in pids)


def _ready(server: Any) -> bool:
    with httpx.Client(trust_env=False, timeout=30) as client:
        return client.get(f"{server.url}/v2/health/ready").status_code == 200


def test_a_signal_while_they_start_ends_them_all(start, made, runtime, tmp_path):
    with starting(made, tmp_path, workers=2) as (parent, pids):
        parent.terminate()
        assert parent.wait(30) == ExitCode.OK
        assert all(gone(pid) for pid in pids)
    assert folders(runtime) == []
