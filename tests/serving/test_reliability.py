"""Leaving, overload and broken packages: what a load balancer, a crowd and a bad release see of a server process."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from trivet.core.canonical import canonical_json
from trivet.core.errors import ExitCode
from trivet.core.modelpackage import GOLDEN, MANIFEST, MODEL, SERVING, SIGNATURE, seal
from trivet.core.signing import new_key, public_key

from .rawhttp import INFER, LIVE, READY, ask, fetch, get, places_taken, post, read, talk, wait_for

pytestmark = pytest.mark.slow

POLL = 0.05  # seconds between two looks of the load balancer


class Balancer:
    """A load balancer as clouds have them: it asks each backend whether it is ready, and sends only there.

    It repeats nothing: a request that fails has failed.
    """

    def __init__(self, health: str, body: bytes) -> None:
        self.sent: Counter[int] = Counter()
        self.failures: list[str] = []
        self._health = health
        self._body = body
        self._ready: dict[int, bool] = {}
        self._stop = threading.Event()
        self._turn = 0
        self._lock = threading.Lock()

    def add(self, port: int) -> None:
        """Send there too, from the first time that it is ready."""
        self._ready[port] = self._look(port)

    def remove(self, port: int) -> None:
        """Never ask for it again."""
        del self._ready[port]

    @property
    def answered(self) -> int:
        """How many requests were answered with 200."""
        return sum(self.sent.values())

    @contextmanager
    def load(self, clients: int) -> Iterator[None]:
        """Clients that ask one request after the other, on connections that stay."""
        with ThreadPoolExecutor(clients + 1) as pool:
            jobs = [pool.submit(self._poll), *[pool.submit(self._client) for _ in range(clients)]]
            try:
                yield
            finally:
                self._stop.set()
            for job in jobs:
                job.result(30)

    def _poll(self) -> None:
        while not self._stop.wait(POLL):
            for port in list(self._ready):
                now = self._look(port)
                if port in self._ready:
                    self._ready[port] = now

    def _look(self, port: int) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", self._health, headers={"connection": "close"})
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def _choose(self) -> int | None:
        with self._lock:
            self._turn += 1
            ready = [port for port, is_ready in self._ready.items() if is_ready]
            return ready[self._turn % len(ready)] if ready else None

    def _client(self) -> None:
        with ExitStack() as kept:
            connections: dict[int, http.client.HTTPConnection] = {}
            while not self._stop.is_set() and len(self.failures) < 10:
                if (port := self._choose()) is None:
                    self.failures.append("no backend is ready")
                    continue
                if port not in connections:
                    connections[port] = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
                    kept.callback(connections[port].close)
                self._ask(port, connections[port])

    def _ask(self, port: int, connection: http.client.HTTPConnection) -> None:
        try:
            connection.request("POST", INFER, self._body)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            self.failures.append(f"{port}: {error!r}")
            return
        if response.status == 200:
            self.sent[port] += 1
        else:
            self.failures.append(f"{port}: {response.status} {text!r}")


def alone(server: Any) -> Any:
    """A server that is the only one to hold its socket, as in a container."""
    server.listener.close()
    server.port = int(server.url.rpartition(":")[2])
    return server


@pytest.mark.parametrize(("health", "settings"), [(READY, {}), ("/ping", {}), ("/health", {}), (READY, {"workers": 2})])
def test_both_backends_leave_one_after_the_other_and_no_request_fails(start, made, health, settings):
    """SIGTERM under load: not ready at once, still serving, then refused; 2,000 requests and no failure."""
    balancer = Balancer(health, json.dumps(made.request()).encode())
    settings = {"drain_seconds": 10 * POLL, **settings}
    old = [alone(start(made, **settings)) for _ in range(2)]
    for server in old:
        balancer.add(server.port)
    with balancer.load(clients=4):
        wait_for(lambda: balancer.answered > 300 or balancer.failures)
        for server in old:
            new = alone(start(made, **settings))
            balancer.add(new.port)
            wait_for(lambda port=new.port: balancer.sent[port] > 50 or balancer.failures)
            _leave(server, health, made)
            balancer.remove(server.port)
        wait_for(lambda: balancer.answered > 2000 or balancer.failures, 60)
    assert balancer.failures == []
    assert len(balancer.sent) == 4
    assert [line for server in old for line in server.lines() if line["level"] == "error"] == [
        line for server in old for line in server.lines("request") if line["status"] == 503
    ]


def _leave(server: Any, health: str, made: Any) -> None:
    """SIGTERM: what is asked of it while it is not ready any more is answered, and says that the connection ends."""
    address = ("127.0.0.1", server.port)
    server.ask_to_leave()
    wait_for(lambda: fetch("GET", f"{server.url}{health}").status_code == 503, 5)
    late = talk(address, post(json.dumps(made.request()).encode()))
    assert (late.statuses, late.end) == ([200], "end")
    assert late.answers[0].fields["connection"] == "close"
    assert talk(address, get(LIVE), count=1).statuses == [200]
    assert server.process.wait(30) == ExitCode.OK
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address).close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_a_drain_at_once(start, slow, number):
    """It would serve on for ten minutes; the work in hand is given up and the exit code says so."""
    server = start(slow, drain_seconds=600.0)
    with ThreadPoolExecutor(1) as pool:
        broken = pool.submit(talk, server.listener.getsockname(), post(json.dumps(slow.request()).encode()), count=1)
        wait_for(lambda: places_taken(server) == 1)
        server.process.send_signal(number)
        wait_for(lambda: fetch("GET", f"{server.url}{READY}").status_code == 503)
        assert ask(server, slow.request()).status_code == 200
        server.process.send_signal(number)
        assert server.process.wait(30) == ExitCode.INTERRUPTED
        broken.result(30)


def test_ten_times_what_fits_is_shed_or_served_and_nothing_else(start, slow):
    """Four places, forty clients. Nobody who was let in waits for more than the three before it."""
    server = start(slow, max_concurrency=1, max_queue=3, deadline_seconds=30.0)
    body = slow.request()
    taken: list[int] = []
    with ThreadPoolExecutor(40) as pool:
        asked = [pool.submit(ask, server, body) for _ in range(40)]
        while not all(one.done() for one in asked):
            taken.append(places_taken(server))
            time.sleep(0.02)
        responses = [one.result() for one in asked]
    counts = Counter(response.status_code for response in responses)
    assert counts.keys() == {200, 429}
    assert counts[200] >= 4
    for response in responses:
        if response.status_code == 429:
            assert int(response.headers["retry-after"]) >= 1
            assert list(response.json()) == ["error"]
    assert max(taken) == 4
    wait_for(lambda: len(served(server)) == counts[200])
    lines = served(server)
    for line in lines:
        assert len([one for one in lines if _begin(line) < _end(one) < _end(line)]) <= 3
    assert ask(server, body).status_code == 200
    assert places_taken(server) == 0


def served(server: Any) -> list[dict[str, Any]]:
    """What the log says of the requests that were decided."""
    return [line for line in server.lines("request") if line["status"] == 200 and line["rows"]]


def _end(line: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(line["time"])


def _begin(line: dict[str, Any]) -> datetime:
    return _end(line) - timedelta(milliseconds=line["ms"])


def test_who_waits_beyond_the_deadline_is_told_so_and_readiness_is_another_matter(start, slow):
    """504 to those whose turn does not come in time, 429 to those who find no place, and never 503."""
    server = start(slow, max_concurrency=1, max_queue=16, deadline_seconds=2.0)
    with ThreadPoolExecutor(40) as pool:
        asked = [pool.submit(ask, server, slow.request()) for _ in range(40)]
        ready = []
        while not all(one.done() for one in asked):
            ready.append(fetch("GET", f"{server.url}{READY}").status_code)
            time.sleep(0.02)
        responses = [one.result() for one in asked]
    counts = Counter(response.status_code for response in responses)
    assert counts.keys() == {200, 429, 504}
    assert set(ready) == {200}
    assert all(list(one.json()) == ["error"] for one in responses if one.status_code != 200)
    wait_for(lambda: places_taken(server) == 0)
    assert ask(server, slow.request()).status_code == 200


@pytest.mark.parametrize("leaves", [False, True])
def test_a_place_is_taken_until_its_work_ends_whatever_its_client_does(start, slow, leaves):
    """Late or gone: the work cannot be stopped, so what it occupies is not given away twice."""
    server = start(slow, max_concurrency=1, max_queue=0, deadline_seconds=30.0 if leaves else 0.02)
    body = post(json.dumps(slow.request()).encode())
    with socket.create_connection(server.listener.getsockname()) as connection:
        connection.sendall(body)
        if leaves:
            wait_for(lambda: places_taken(server) == 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        else:
            assert read(connection, count=1).statuses == [504]
    assert talk(server.listener.getsockname(), body, count=1).statuses == [429]
    wait_for(lambda: places_taken(server) == 0)
    assert talk(server.listener.getsockname(), body, count=1).statuses == ([200] if leaves else [504])


def test_a_server_that_leaves_is_full_and_late_as_before(start, slow):
    """Not ready means that nobody new should come, not that those who come are treated otherwise."""
    server = start(slow, max_concurrency=1, max_queue=1, drain_seconds=600.0)
    server.ask_to_leave()
    wait_for(lambda: fetch("GET", f"{server.url}{READY}").status_code == 503)
    with ThreadPoolExecutor(10) as pool:
        statuses = Counter(pool.map(lambda _: ask(server, slow.request()).status_code, range(10)))
    assert statuses.keys() == {200, 429}
    server.ask_to_leave()
    assert server.process.wait(30) == ExitCode.INTERRUPTED


def _change(name: str, change: Callable[[bytes], bytes], *, sealed: bool = False) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).write_bytes(change((folder / name).read_bytes()))
        if sealed:
            seal(folder)

    return damage


def _link(folder: Path) -> None:
    shutil.move(folder / MODEL, folder.parent / "elsewhere.onnx")
    (folder / MODEL).symlink_to(folder.parent / "elsewhere.onnx")


def _another_score(golden: bytes) -> bytes:
    document = json.loads(golden)
    return canonical_json(document | {"scores": [score / 2 for score in document["scores"]]})


DAMAGES: dict[str, tuple[Callable[[Path], None], ExitCode]] = {
    "model cut short": (_change(MODEL, lambda data: data[: len(data) // 2]), ExitCode.CONFIG),
    "one bit": (_change(MODEL, lambda data: data[:99] + bytes([data[99] ^ 1]) + data[100:]), ExitCode.CONFIG),
    "model away": (lambda folder: (folder / MODEL).unlink(), ExitCode.CONFIG),
    "a file too many": (lambda folder: (folder / "extra.py").touch(), ExitCode.CONFIG),
    "a link": (_link, ExitCode.CONFIG),
    "no manifest": (lambda folder: (folder / MANIFEST).unlink(), ExitCode.CONFIG),
    "an empty manifest": (_change(MANIFEST, lambda _: b""), ExitCode.CONFIG),
    "a manifest of another kind": (_change(MANIFEST, lambda _: b"[" * 100_000), ExitCode.CONFIG),
    "sealed, but no model": (_change(MODEL, lambda _: b"no model", sealed=True), ExitCode.CONFIG),
    "sealed, but other inputs": (
        _change(SERVING, lambda data: data.replace(b'"amount"', b'"amounts"'), sealed=True),
        ExitCode.CONFIG,
    ),
    "sealed, but another answer": (_change(GOLDEN, _another_score, sealed=True), ExitCode.NOT_READY),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_broken_package_is_refused_in_one_sentence_and_never_served(start, made, tmp_path, name):
    """On a port of its own a server is alive before it has loaded, and never ready."""
    damage, code = DAMAGES[name]
    folder = Path(shutil.copytree(made.folder, tmp_path / "broken"))
    damage(folder)
    _refused(start(made, models=[{"name": "loan", "version": "1", "package": str(folder)}]), code)


@pytest.mark.parametrize("signature", [None, "another's", "garbage"])
def test_a_package_without_the_right_signature_is_refused(start, made, tmp_path, signature):
    folder = Path(shutil.copytree(made.folder, tmp_path / "unsigned"))
    key = public_key(new_key()) if signature == "another's" else made.public_key
    if signature is None:
        (folder / SIGNATURE).unlink()
    elif signature == "garbage":
        (folder / SIGNATURE).write_bytes(b"garbage")
    models = [{"name": "loan", "version": "1", "package": str(folder)}]
    _refused(start(made, models=models, public_key=key, signed=True), ExitCode.CONFIG)


def test_where_a_signature_is_asked_for_there_is_a_key_to_check_it_with(start, made):
    server = start(made, signed=True)
    assert server.process.wait(30) == ExitCode.CONFIG
    assert "public_key" in server.lines("failed")[0]["message"]


def test_a_server_with_one_good_and_one_broken_package_is_never_ready(start, made, tmp_path):
    """On a port of its own it is alive while it loads; whoever asks then is told to wait, until it is gone."""
    broken = Path(shutil.copytree(made.folder, tmp_path / "broken"))
    (broken / MODEL).write_bytes(b"")
    models = [
        {"name": name, "version": "1", "package": str(folder)}
        for name, folder in (("loan", made.folder), ("other", broken))
    ]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    statuses: set[int] = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            with suppress(OSError):
                statuses.update(talk(("127.0.0.1", port), get(READY, b"Connection: close"), count=1).statuses)
            time.sleep(0.002)

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        server = start(made, fd=None, port=port, models=models)
        _refused(server, ExitCode.CONFIG)
        stop.set()
        looking.result(30)
    assert statuses <= {503}


def _refused(server: Any, code: ExitCode) -> None:
    """Hold that a process said why it does not serve, in one sentence with what to do, and ended."""
    assert server.process.wait(30) == code
    [line] = server.lines("failed")
    assert server.said == f"failed {line['message']}"
    assert line["message"].endswith(".")
    assert "\n" not in line["message"]
    assert "Traceback" not in server.log.read_text()
    assert server.lines("ready") == []
