"""The parent of several workers: all ready or none, the dead replaced, nobody left behind, models changed in all."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
import pytest

from trivet.core.errors import ExitCode

TOKEN = "a-token-that-is-long-enough"


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where parents make their folders; none is left when they have ended. Short, as paths of sockets must be."""
    folder = Path(tempfile.mkdtemp(prefix="t-"))
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    shutil.rmtree(folder)


class Repository:
    """Versions of the model on the disk, and the admin plane that loads them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "repository"
        self.token = folder / "token"
        self.token.write_text(TOKEN)
        self.token.chmod(0o600)
        self.settings = {
            "admin": {"socket": str(folder / "admin"), "token_file": str(self.token), "repository": str(self.folder)}
        }
        transport = httpx.HTTPTransport(uds=str(folder / "admin"))
        self.client = httpx.Client(transport=transport, timeout=60, headers={"Authorization": f"Bearer {TOKEN}"})

    def add(self, made: Any, version: str, name: str = "loan") -> None:
        """A copy of a package as a version of a model."""
        shutil.copytree(made.folder, self.folder / name / version)

    def do(self, what: str, **parameters: Any) -> httpx.Response:
        """``loan/load``, ``loan/unload``."""
        return self.client.post(f"http://admin/v2/repository/models/{what}", json={"parameters": parameters})

    def index(self) -> list[dict[str, Any]]:
        """What is served."""
        return self.client.post("http://admin/v2/repository/index").json()


@pytest.fixture
def repository(runtime: Path, made: Any, other: Any) -> Iterator[Repository]:
    """Two versions, of which none is loaded by being there."""
    repository = Repository(runtime)
    repository.add(made, "1")
    repository.add(other, "2")
    yield repository
    repository.client.close()


def wait_for(what: Callable[[], Any]) -> Any:
    """What a condition becomes, once it is true."""
    end = time.monotonic() + 30
    while not (value := what()):
        assert time.monotonic() < end, "it did not happen within thirty seconds"
        time.sleep(0.01)
    return value


def begun(server: Any) -> list[int]:
    """The workers that were there at the start, by their places."""
    [line] = wait_for(lambda: server.lines("workers ready"))
    return line["workers"]


def workers_of(server: Any) -> list[int]:
    """The workers that live."""
    children = psutil.Process(server.process.pid).children()
    return sorted(child.pid for child in children if child.status() != psutil.STATUS_ZOMBIE)


def folders(runtime: Path) -> list[Path]:
    """The folders of parents, dead or alive."""
    return list(runtime.glob("trivet-*"))


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def refuses(port: int) -> bool:
    """Whether nobody listens."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False


class Answer(NamedTuple):
    """What came back, and when."""

    asked: float
    answered: float
    status: int
    package: str
    body: bytes


class Load:
    """Clients that ask the same again and again, half of them on a new connection each time."""

    def __init__(self, server: Any, body: Any) -> None:
        self.answers: list[Answer] = []
        self.broken: list[str] = []
        self.stop = threading.Event()
        self._url = f"{server.model}/infer"
        self._body = json.dumps(body).encode()

    def ask(self, kept: bool) -> None:
        """Ask until told to stop."""
        client = httpx.Client(trust_env=False, timeout=30)
        while not self.stop.is_set():
            asked = time.monotonic()
            try:
                response = client.post(self._url, content=self._body)
                package = response.headers.get("trivet-package", "")
                self.answers.append(Answer(asked, time.monotonic(), response.status_code, package, response.content))
            except httpx.TransportError as error:
                self.broken.append(repr(error))
            if not kept:
                client.close()
                client = httpx.Client(trust_env=False, timeout=30)
        client.close()

    def more(self, count: int = 100) -> None:
        """Wait for that many more answers."""
        wanted = len(self.answers) + count
        wait_for(lambda: len(self.answers) >= wanted)


@contextmanager
def load_on(server: Any, body: Any, clients: int = 4) -> Iterator[Load]:
    """Requests from that many clients, for the time of the block."""
    load = Load(server, body)
    with ThreadPoolExecutor(clients) as pool:
        asking = [pool.submit(load.ask, number % 2 == 0) for number in range(clients)]
        try:
            yield load
        finally:
            load.stop.set()
        for each in asking:
            each.result(30)


def packages_of(server: Any, body: Any, count: int = 30) -> set[str]:
    """Who answers, on many connections at once so that every worker gets some."""

    def ask(_: int) -> str:
        with httpx.Client(trust_env=False, timeout=30) as client:
            return client.post(f"{server.model}/infer", json=body).headers["trivet-package"]

    with ThreadPoolExecutor(8) as pool:
        return set(pool.map(ask, range(count)))


# --- start


def test_ready_is_said_once_all_are(start, made, client, runtime):
    server = start(made, workers=3)
    assert server.said == f"ready {made.digest}"
    pids = workers_of(server)
    assert sorted(begun(server)) == pids
    assert len(pids) == 3
    assert len(server.lines("ready")) == 3
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
    """A parent is killed as soon as its first worker is there, long before any is ready."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        models = [{"name": "loan", "version": "1", "package": str(made.folder)}]
        config = {"models": models, "endpoint": "loans", "fd": listener.fileno(), "workers": 3}
        (tmp_path / "server.json").write_text(json.dumps(config))
        command = [sys.executable, "-m", "trivet.serving", str(tmp_path / "server.json")]
        with (tmp_path / "log").open("wb") as log:
            parent = subprocess.Popen(command, stderr=log, pass_fds=(listener.fileno(),))
        pids = wait_for(lambda: [child.pid for child in psutil.Process(parent.pid).children()])
        parent.kill()
        parent.wait()
        wait_for(lambda: all(gone(pid) for pid in pids))
    marked = [process for process in psutil.process_iter() if str(runtime) in " ".join(_command(process))]
    assert marked == []


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
        wait_for(lambda: len(seen) > 200)
        server.ask_to_leave()
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
    with socket.create_server(("127.0.0.1", 0)) as listener:
        models = [{"name": "loan", "version": "1", "package": str(made.folder)}]
        config = {"models": models, "endpoint": "loans", "fd": listener.fileno(), "workers": 2}
        (tmp_path / "server.json").write_text(json.dumps(config))
        command = [sys.executable, "-m", "trivet.serving", str(tmp_path / "server.json")]
        with (tmp_path / "log").open("wb") as log:
            parent = subprocess.Popen(command, stderr=log, pass_fds=(listener.fileno(),))
        pids = wait_for(lambda: [child.pid for child in psutil.Process(parent.pid).children()])
        parent.terminate()
        assert parent.wait(30) == ExitCode.OK
        assert all(gone(pid) for pid in pids)
    assert folders(runtime) == []


# --- models change in all


def test_a_swap_under_load_shows_one_package_a_response_and_then_only_the_new(start, made, other, repository):
    server = start(made, workers=2, **repository.settings)
    digests = {"1": made.digest, "2": other.digest}
    calls: list[tuple[float, float, str]] = []  # when a load call began and had returned, and with which package
    with load_on(server, made.request(request_id="same")) as load:
        load.more()
        for turn in range(10):
            version = str(2 - turn % 2)
            called = time.monotonic()
            answer = repository.do("loan/load", version=version)
            calls.append((called, time.monotonic(), digests[version]))
            assert answer.json() == {"name": "loan", "version": version, "package": digests[version]}
            load.more(60)
    assert load.broken == []
    assert {answer.status for answer in load.answers} == {200}
    bodies: dict[str, set[bytes]] = {}
    for answer in load.answers:
        bodies.setdefault(answer.package, set()).add(re.sub(rb'"model_version":"\d"', b"", answer.body))
    assert bodies.keys() == {made.digest, other.digest}
    assert all(len(each) == 1 for each in bodies.values()), "a response mixes two models"
    for (_, returned, package), (called, _, _) in pairwise([*calls, (time.monotonic(), 0.0, "")]):
        between = [one.package for one in load.answers if returned <= one.asked and one.answered <= called]
        assert set(between) == {package}
    assert server.stop() == ExitCode.OK


def test_after_the_load_call_every_worker_answers_with_the_new(start, made, other, repository):
    server = start(made, workers=3, **repository.settings)
    for version, package in (("2", other.digest), ("1", made.digest), ("2", other.digest)):
        assert repository.do("loan/load", version=version).status_code == 200
        assert packages_of(server, made.request()) == {package}
        assert repository.index() == [{"name": "loan", "version": version, "state": "READY", "reason": ""}]


def test_the_newest_version_is_the_same_for_all(start, made, other, repository):
    server = start(made, workers=2, **repository.settings)
    assert repository.do("loan/load").json()["version"] == "2"
    assert packages_of(server, made.request()) == {other.digest}


def test_a_load_that_fails_changes_nothing_anywhere(start, made, other, repository):
    repository.add(other, "3")
    (repository.folder / "loan" / "3" / "serving.json").write_text("{}")
    server = start(made, workers=2, **repository.settings)
    for version in ("3", "4"):
        answer = repository.do("loan/load", version=version)
        assert answer.status_code >= 400
        assert list(answer.json()) == ["error"]
    assert packages_of(server, made.request()) == {made.digest}
    assert repository.index() == [{"name": "loan", "version": "1", "state": "READY", "reason": ""}]
    assert repository.do("loan/load", version="2").status_code == 200
    assert packages_of(server, made.request()) == {other.digest}
    assert server.lines("worker ended") == []


@pytest.mark.parametrize("place", [0, 1])
def test_a_load_that_fails_in_one_worker_changes_nothing_in_the_other(start, made, other, repository, place):
    """One of them has no descriptor left with which it could open a file of the package."""
    server = start(made, workers=2, **repository.settings)
    pid = begun(server)[place]
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = {int(one.name) for one in Path(f"/proc/{pid}/fd").iterdir()}
    free = next(number for number in range(1000) if number not in used)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free + 1, limits[1]))  # one, for the connection that asks it
    answer = repository.do("loan/load", version="2")
    assert answer.status_code >= 400
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    assert packages_of(server, made.request()) == {made.digest}
    assert repository.do("loan/load", version="2").status_code == 200
    assert packages_of(server, made.request()) == {other.digest}
    assert server.lines("worker ended") == []


def test_a_replacement_loads_what_is_published_now(start, made, other, repository):
    """Not what was configured at the start, which is even gone from the disk."""
    first = repository.folder / "loan" / "1"
    model = {"name": "loan", "version": "1", "package": str(first)}
    server = start(made, workers=2, models=[model], **repository.settings)
    assert repository.do("loan/load", version="2").status_code == 200
    shutil.rmtree(first)
    for death, pid in enumerate(workers_of(server)):
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda death=death: server.lines("worker ready")[death:])
        assert packages_of(server, made.request()) == {other.digest}
    assert repository.do("loan/unload").status_code == 200
    repository.do("loan/load", version="2")
    assert packages_of(server, made.request()) == {other.digest}


def test_a_replacement_that_finds_another_package_is_not_let_in(start, made, other, repository):
    server = start(made, workers=2, **repository.settings)
    repository.do("loan/load", version="2")
    second = repository.folder / "loan" / "2"
    second.rename(second.with_name("hidden"))
    repository.add(made, "2")
    os.kill(workers_of(server)[0], signal.SIGKILL)
    wait_for(lambda: [line for line in server.lines("worker ended") if f"not {other.digest[:19]}" in line["reason"]])
    shutil.rmtree(second)
    second.with_name("hidden").rename(second)
    wait_for(lambda: server.lines("worker ready"))
    assert packages_of(server, made.request()) == {other.digest}


def test_a_worker_that_dies_while_they_change_changes_with_them(start, made, other, repository):
    server = start(made, workers=2, **repository.settings)
    for turn in range(4):
        version, package = ("2", other.digest) if turn % 2 == 0 else ("1", made.digest)
        victim = workers_of(server)[turn % 2]
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(repository.do, "loan/load", version=version)
            time.sleep(0.05 * turn)
            os.kill(victim, signal.SIGKILL)
            assert answer.result(60).json()["package"] == package
        assert packages_of(server, made.request()) == {package}
        wait_for(lambda turn=turn: server.lines("worker ready")[turn:])
        assert packages_of(server, made.request()) == {package}


def test_a_worker_that_starts_while_they_change_starts_with_the_new(start, made, other, repository):
    """A load call waits for whoever is about to start; it would come up with what was published when it was started."""
    server = start(made, workers=2, **repository.settings)
    before = set(workers_of(server))
    os.kill(min(before), signal.SIGKILL)
    [starting] = wait_for(lambda: set(workers_of(server)) - before)
    os.kill(starting, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(repository.do, "loan/load", version="2")
        time.sleep(0.5)
        os.kill(starting, signal.SIGCONT)
        assert answer.result(60).json()["package"] == other.digest
    wait_for(lambda: server.lines("worker ready"))
    assert packages_of(server, made.request()) == {other.digest}


def test_models_come_and_go_in_all(start, made, other, client, repository):
    repository.add(other, "7", name="second")
    server = start(made, workers=2, **repository.settings)
    assert repository.do("second/load").status_code == 200
    url = f"{server.url}/v2/models/second/ready"
    assert {_status(url) for _ in range(20)} == {200}
    os.kill(workers_of(server)[0], signal.SIGKILL)
    wait_for(lambda: server.lines("worker ready"))
    assert {_status(url) for _ in range(20)} == {200}
    assert repository.do("second/unload").json() == {"name": "second"}
    assert {_status(url) for _ in range(20)} == {404}
    assert repository.do("second/unload").status_code == 404
    assert [model["name"] for model in repository.index()] == ["loan"]
    assert packages_of(server, made.request()) == {made.digest}


def _status(url: str) -> int:
    with httpx.Client(trust_env=False, timeout=30) as client:
        return client.get(url).status_code


def test_the_admin_plane_of_all_asks_for_its_token_and_knows_no_stages(start, made, repository):
    start(made, workers=2, **repository.settings)
    without = {"Authorization": "Bearer something-else-of-that-length"}
    for operation in ("loan/load", "loan/unload"):
        url = f"http://admin/v2/repository/models/{operation}"
        assert repository.client.post(url, headers=without).status_code == 401
        assert repository.client.get(url).status_code == 405
    assert repository.do("loan/load", version="2", stage="publish").status_code == 400
    assert [model["version"] for model in repository.index()] == ["1"]


# --- measures


def test_metrics_add_up_over_workers_and_outlive_them(start, made, client):
    server = start(made, workers=2)
    packages_of(server, made.request(2), 40)
    wait_for(lambda: measure(server, "trivet_rows_total") == 80)  # each worker tells of its own a moment later
    assert measure(server, "trivet_ready") == 2
    assert measure(server, "trivet_request_seconds_count", 'route="/v2/models/{model}/infer"') == 40
    os.kill(workers_of(server)[0], signal.SIGKILL)
    wait_for(lambda: server.lines("worker ready"))
    packages_of(server, made.request(2), 10)
    wait_for(lambda: measure(server, "trivet_rows_total") == 100)
    assert measure(server, "trivet_ready") == 2


def measure(server: Any, name: str, label: str = "") -> float:
    """The sum of a measure's lines that carry a label."""
    with httpx.Client(trust_env=False, timeout=30) as client:
        lines = client.get(f"{server.url}/metrics").text.splitlines()
    found = [line for line in lines if re.match(rf"{name}(\{{|\s)", line) and label in line]
    assert found, f"there is no {name}"
    return sum(float(line.rpartition(" ")[2]) for line in found)
