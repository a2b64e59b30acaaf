"""What a network and a machine do to a server: each fault has its stated outcome, and the server is as it was after.

The faults of a connection are those of ``trivet.rehearsal.faultproxy``, between a client and a real server process.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from trivet.core.errors import ExitCode
from trivet.core.records import read_records
from trivet.rehearsal.faultproxy import FaultProxy, Plan, Way

from .rawhttp import LIVE, ask, fetch, files_of, get, metric, places_taken, post, read, talk, unharmed, wait_for

NO_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
ONE_PLACE = {"max_concurrency": 1, "max_queue": 0}
SHORT = {"deadline_seconds": 1.0, "idle_seconds": 1.0}
MANY = 2000


@pytest.fixture
def before(request) -> Iterator[Callable[..., FaultProxy]]:
    """Makes a fault proxy before a server."""
    with ExitStack() as proxies:
        yield lambda server, plan: proxies.enter_context(FaultProxy(server.listener.getsockname(), plan))


@pytest.fixture
def many_files() -> Iterator[None]:
    """Lets this process, and the servers that it starts, open more files than a shell allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 3 * MANY)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def outcome(proxy: FaultProxy, request: bytes, *, shut: bool = False) -> str:
    """What a client sees: a status, or how its connection ended without a whole answer."""
    result = talk(proxy.address, request, count=1, shut=shut)
    return str(result.statuses[0]) if result.statuses else result.end


def test_every_harm_to_a_connection_has_its_outcome_and_no_other(start, made, before):
    """One server takes them all, one after the other, with the only place that it has."""
    server = start(made, **ONE_PLACE, **SHORT)
    body = json.dumps(made.request()).encode()
    request = post(body, b"Connection: close")
    head = len(request) - len(body)
    faults = {
        "latency both ways": (Plan(Way(wait=0.2), Way(wait=0.2)), "200"),
        "every byte on its own": (Plan(Way(piece=1), Way(piece=1)), "200"),
        "a body that dribbles": (Plan(Way(piece=head, wait=0.01)), "200"),
        "reset before the request": (Plan(Way(cut=0, fault="reset")), "reset"),
        "reset in the head": (Plan(Way(cut=head // 2, fault="reset")), "reset"),
        "reset between head and body": (Plan(Way(cut=head, fault="reset")), "reset"),
        "reset in the body": (Plan(Way(cut=head + 9, fault="reset")), "reset"),
        "reset after the request": (Plan(Way(cut=len(request), fault="reset")), "reset"),
        "reset before the response": (Plan(response=Way(cut=0, fault="reset")), "reset"),
        "reset in the response": (Plan(response=Way(cut=99, fault="reset")), "reset"),
        "head cut short": (Plan(Way(cut=head // 2)), "end"),
        "body cut short": (Plan(Way(cut=head + 9)), "end"),
        "response cut short": (Plan(response=Way(cut=200)), "end"),
        "half a close in the head": (Plan(Way(cut=head // 2, fault="end")), "end"),
        "half a close in the body": (Plan(Way(cut=head + 9, fault="end")), "end"),
        "half a close after the request": (Plan(Way(cut=len(request), fault="end")), "200"),
    }
    seen: dict[str, str] = {}
    with unharmed(server, made.request()):
        for name, (plan, _) in faults.items():
            proxy = before(server, plan)
            seen[name] = _in_words(outcome(proxy, request), name)
            ends = [way for way in (plan.request, plan.response) if way.cut is not None]
            assert proxy.struck == len(ends), name
    assert seen == {name: how for name, (_, how) in faults.items()}


def _in_words(how: str, name: str) -> str:
    """A proxy that closes with bytes unread resets: to the client of a request cut short, both mean broken off."""
    return "end" if how == "reset" and ("cut short" in name or "half a close in" in name) else how


def test_a_client_library_takes_no_part_of_an_answer_for_the_whole(start, made, before):
    server = start(made)
    whole = ask(server, made.request()).content
    proxy = before(server, Plan(response=Way(cut=300)))
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message"):
        fetch("POST", f"{proxy.url}/v2/models/loan/infer", json=made.request())
    assert len(whole) > 300


@pytest.mark.parametrize("package", ["made", "slow"])
def test_a_client_that_only_stopped_sending_gets_its_answer(start, request, package):
    server = start(served := request.getfixturevalue(package), **ONE_PLACE)
    whole = post(json.dumps(served.request()).encode())
    with unharmed(server, served.request()):
        result = talk(server.listener.getsockname(), whole, shut=True)
        assert (result.statuses, result.end) == ([200], "end")


def test_a_body_that_trickles_is_given_up(start, made, before):
    server = start(made, **ONE_PLACE, **SHORT)
    body = json.dumps(made.request()).encode()
    with unharmed(server, made.request()):
        assert outcome(before(server, Plan(Way(piece=20, wait=0.2))), post(body, b"X-Padding: " + b"x" * 10)) == "408"


HEAD = b"POST /v2/models/loan/infer HTTP/1.1\r\nHost: x\r\n"


def test_a_head_that_never_ends_holds_no_connection(start, made):
    """Neither does a client that says nothing: it is let go after a while, however often it says a little."""
    server = start(made, **ONE_PLACE, **SHORT)
    with unharmed(server, made.request()), ExitStack() as clients:
        held: dict[tuple[bytes, bytes], socket.socket] = {}
        for begin in (b"", HEAD, get(LIVE)):
            for piece in (b"", b"X-A: 1\r\n", b"x", b"\r\n"):
                held[begin, piece] = clients.enter_context(socket.create_connection(server.listener.getsockname()))
                held[begin, piece].sendall(begin)

        def left() -> list[tuple[bytes, bytes]]:
            return [one for one, connection in held.items() if not _ends(connection, one[1])]

        wait_for(lambda: left() == [], describe=left)


def _ends(connection: socket.socket, piece: bytes) -> bool:
    """Whether the server has ended a connection, after it was sent a little more."""
    connection.setblocking(False)
    try:
        connection.sendall(piece)
        while connection.recv(4096):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        pass
    return True


def test_a_body_that_nobody_reads_any_more_holds_no_connection(start, made):
    """The answer is out, 404 or 413; what still trickles in of the body is not waited for."""
    server = start(made, **ONE_PLACE, **SHORT)
    head = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n"
    with unharmed(server, made.request()), socket.create_connection(server.listener.getsockname()) as connection:
        connection.sendall(head)
        assert read(connection, count=1).statuses[0] in (404, 413)

        wait_for(lambda: _ends(connection, b"x"))


def test_a_black_hole_before_the_request_is_left_behind(start, made, before):
    server = start(made, **ONE_PLACE, **SHORT)
    with unharmed(server, made.request()):
        proxy = before(server, Plan(Way(cut=0, fault="hold")))
        with pytest.raises(httpx.ReadTimeout):
            fetch("GET", f"{proxy.url}{LIVE}", timeout=0.5)
        assert proxy.struck == 1


@pytest.mark.parametrize(("rows", "count"), [(110_000, 1), (6000, 30)])
def test_an_answer_that_is_never_read_holds_neither_place_nor_connection(start, made, rows, count):
    """The client reads nothing, its answers fill every buffer on the way, and the server goes on without it."""
    bounds = {"deadline_seconds": 2.5, "idle_seconds": 1.0, "max_body_bytes": 8 << 20, "max_rows": 200_000}
    server = start(made, **ONE_PLACE, **bounds)
    body = json.dumps(_large(made, rows)).encode()
    size = len(ask(server, json.loads(body)).content) * count
    assert size > 5 << 20, "it would fit into the kernel's buffers"
    with unharmed(server, made.request(), growth=120), ExitStack() as clients:
        files = files_of(server.process.pid)
        for _ in range(2):
            client = clients.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(server.listener.getsockname())
            client.settimeout(2)
            with suppress(OSError):
                client.sendall(post(body) * count)
        wait_for(lambda: files_of(server.process.pid) <= files)


def test_the_last_bytes_that_are_never_read_hold_no_connection_either(start, made):
    """So few that nothing has to wait for them: they lie in the server, for the kernel's buffers are full."""
    server = start(made, **ONE_PLACE, **SHORT)
    address, request = server.listener.getsockname(), get("/openapi.json")
    with unharmed(server, made.request()), socket.socket() as client:
        files = files_of(server.process.pid)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(address)
        size = queued = _queued(client, request)
        count = 1
        while queued == count * size:
            assert count < 1000, "the kernel takes whatever it is given"
            queued, count = _queued(client, request), count + 1
        assert queued < count * size <= queued + size
        wait_for(lambda: files_of(server.process.pid) <= files)


def _queued(client: socket.socket, request: bytes) -> int:
    """Bytes that the kernel holds of all answers to a client, once they are no more for a while after a request."""
    client.sendall(request)
    before, since = -1, time.monotonic()
    while time.monotonic() - since < 0.05:
        if (now := _in_the_kernel(client)) != before:
            before, since = now, time.monotonic()
        time.sleep(0.005)
    return before


def _in_the_kernel(client: socket.socket) -> int:
    """Unread at the client, and not acknowledged at the server."""
    ends = [f"0100007F:{name[1]:04X}" for name in (client.getsockname(), client.getpeername())]
    total = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        sent, received = (int(one, 16) for one in queues.split(":"))
        if [local, remote] == ends:
            total += received
        elif [remote, local] == ends:
            total += sent
    return total


def _large(made, rows: int) -> dict:
    """A request whose answer is large, contributions of every row included."""
    request = made.request(400)
    for tensor in request["inputs"]:
        tensor["data"] = (tensor["data"] * (rows // 400 + 1))[:rows]
        tensor["shape"] = [rows, 1]
    return request | {"outputs": [{"name": "score"}, {"name": "decision"}, {"name": "contributions"}]}


HEADS: dict[str, Callable[[], Iterator[bytes]]] = {
    "one long field": lambda: iter([b"GET /v2 HTTP/1.1\r\nX: ", *[b"x" * 65536] * 4, b"\r\n\r\n"]),
    "one field without end": lambda: iter([b"GET /v2 HTTP/1.1\r\nX: ", *[b"x" * 65536] * 2000]),
    "one name without end": lambda: iter([b"GET /v2 HTTP/1.1\r\n", *[b"x" * 65536] * 2000]),
    "many fields": lambda: iter([b"GET /v2 HTTP/1.1\r\n", *[b"X: 1\r\n" * 4000] * 20, b"\r\n"]),
    "many fields without end": lambda: iter([b"GET /v2 HTTP/1.1\r\n", *[b"X: 1\r\n" * 10000] * 2000]),
    "a long path": lambda: iter([b"GET /", *[b"x" * 65536] * 4, b" HTTP/1.1\r\n\r\n"]),
    "a path without end": lambda: iter([b"GET /", *[b"x" * 65536] * 2000]),
    "a method without end": lambda: iter([b"G" * 65536] * 2000),
    "empty lines without end": lambda: iter([b"\r\n" * 32768] * 2000),
    "a trailer without end": lambda: iter(
        [post(b"1\r\nx\r\n0\r\n", b"Transfer-Encoding: chunked", length=False), *[b"X: 1\r\n" * 10000] * 2000]
    ),
    "a chunk's extension without end": lambda: iter(
        [post(b"1;", b"Transfer-Encoding: chunked", length=False), *[b"x" * 65536] * 2000]
    ),
}


def _pour(address: tuple[str, int], parts: Iterator[bytes]) -> str:
    """Send until the server has had enough, and say what came of it."""
    with socket.create_connection(address, timeout=10) as connection:
        with suppress(OSError):
            for part in parts:
                connection.sendall(part)
        with suppress(OSError):
            result = read(connection)
            return str(result.statuses[0]) if result.statuses else result.end
    return "reset"


def test_a_head_that_is_too_large_is_refused_before_it_is_stored(start, made):
    """64 KiB are enough for any head; of 128 MB the server keeps next to nothing."""
    server = start(made, **ONE_PLACE, **SHORT)
    with unharmed(server, made.request()):
        seen = {name: _pour(server.listener.getsockname(), parts()) for name, parts in HEADS.items()}
    assert {how for name, how in seen.items()} <= {"400", "408", "413", "414", "431", "reset", "end"}, seen


def test_a_head_below_the_bound_is_taken(start, made):
    server = start(made)
    fields = [b"X-%d: %b" % (number, b"x" * 1000) for number in range(50)]
    assert talk(server.listener.getsockname(), get(LIVE, *fields), count=1).statuses == [200]


def test_thousands_of_idle_connections_are_in_nobody_s_way_and_not_kept(start, made, many_files):
    server = start(made, **ONE_PLACE, deadline_seconds=1.0, idle_seconds=4.0)
    address = server.listener.getsockname()
    with unharmed(server, made.request(), growth=60), ExitStack() as idle:
        for number in range(MANY):
            connection = idle.enter_context(socket.create_connection(address))
            if number % 2:
                connection.sendall(b"GET /v2 HTTP/1.1\r\n")
        for _ in range(20):
            assert ask(server, made.request()).status_code == 200
        wait_for(lambda: files_of(server.process.pid) < MANY // 10)


def test_a_server_without_a_file_to_spare_recovers(start, made, many_files):
    """Its limit of open files is reached: nobody new is answered, and that ends when connections end."""
    server = start(made, **ONE_PLACE)
    pid = server.process.pid
    address = server.listener.getsockname()
    with unharmed(server, made.request()):
        with ExitStack() as connections:
            limit = files_of(pid) + 10
            hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, hard))
            for _ in range(60):
                connections.enter_context(socket.create_connection(address))
            wait_for(lambda: files_of(pid) >= limit - 1)
        wait_for(lambda: files_of(pid) < limit - 1)
        assert ask(server, made.request()).status_code == 200
    assert server.process.poll() is None


@pytest.mark.parametrize(("mode", "status"), [("complete", 503), ("sampled", 200)])
def test_a_disk_that_is_full_for_records_and_log_alike(start, made, tmp_path, mode, status):
    """``complete`` withholds what it cannot write down; ``sampled`` answers and counts; neither loses its place."""
    records = tmp_path / "records"
    server = start(made, **ONE_PLACE, records=str(records), records_mode=mode)
    pid = server.process.pid
    with unharmed(server, made.request(), statuses=frozenset({503, None})):
        time.sleep(0.2)  # what gathers to be written is written by then
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        assert [ask(server, made.request()).status_code for _ in range(20)] == [status] * 20
        assert fetch("GET", f"{server.url}{LIVE}").status_code == 200
        wait_for(lambda: metric(server, "trivet_records_dropped_total") == (0 if mode == "complete" else 20))
        time.sleep(0.2)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, NO_LIMIT)
    assert server.stop() == ExitCode.OK
    assert sum(1 for _ in read_records(records, "prediction")) == 2
    assert server.lines("log lines dropped")[0]["count"] >= 20


CLOCK = """
import datetime, os, pathlib, time
REAL, now, stamp = datetime.datetime, time.time, time.time_ns

def shift():
    try:
        return float(pathlib.Path(os.environ["CLOCK_SHIFT"]).read_text() or 0)
    except FileNotFoundError:
        return 0.0

class Shifted(REAL):
    @classmethod
    def now(cls, tz=None):
        return REAL.now(tz) + datetime.timedelta(seconds=shift())

    @classmethod
    def fromtimestamp(cls, stamp, tz=None):
        return REAL.fromtimestamp(stamp, tz)

datetime.datetime = Shifted
time.time = lambda: now() + shift()
time.time_ns = lambda: stamp() + int(shift() * 1e9)
"""
DAY = 86400


def test_a_clock_that_jumps_moves_no_deadline(start, slow, tmp_path, monkeypatch):
    """Time of day is for records and the log; what waits for it counts on a clock that never jumps.

    The server's own idea of the time of day is moved, since a process cannot have a time of day of its own. That it
    was moved is seen in the log.
    """
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(CLOCK)
    moved = tmp_path / "shift"
    monkeypatch.setenv("CLOCK_SHIFT", str(moved))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "clock") + os.pathsep + os.environ.get("PYTHONPATH", ""))
    server = start(slow, **ONE_PLACE, deadline_seconds=2.0, idle_seconds=1.0, drain_seconds=0.5)
    whole = post(json.dumps(slow.request()).encode(), b"Connection: close")
    address = server.listener.getsockname()
    days: list[int] = []
    for day in (1, -1):
        with socket.create_connection(address) as connection, socket.create_connection(address) as stuck:
            stuck.sendall(b"GET /v2 HTTP/1.1\r\n")
            connection.sendall(whole)
            wait_for(lambda: places_taken(server) == 1)
            moved.write_text(str(day * DAY))
            assert read(connection).statuses == [200], "its deadline had not come"
            assert read(stuck).end in ("end", "reset"), "its deadline came"
        talk(address, get(LIVE, b"X-Request-ID: day-%d" % day), count=1)
        [line] = wait_for(lambda name=f"day-{day}": [one for one in server.lines("request") if one["id"] == name])
        days.append(_days_from_now(line["time"]))
    assert days == [1, -1]
    assert server.stop() == ExitCode.OK


def _days_from_now(time_of_day: str) -> int:
    return round((datetime.fromisoformat(time_of_day) - datetime.now(UTC)) / timedelta(days=1))
