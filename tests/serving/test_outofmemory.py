"""Memory that is not there: what cannot be had fails one request, and who is killed for it is missed by no other."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from trivet.core.errors import ExitCode

from .crew import workers_of
from .plane import Crowd
from .rawhttp import READY, ask, fetch, places_taken, post, read, talk, unharmed, wait_for

NO_LIMIT = resource.RLIM_INFINITY


def limit_memory(pid: int, spare: int | None) -> None:
    """Let a process have ``spare`` bytes of address space more than it has, or as many as it likes."""
    if spare is None:
        resource.prlimit(pid, resource.RLIMIT_AS, (NO_LIMIT, NO_LIMIT))
        return
    kibibytes = int(Path(f"/proc/{pid}/status").read_text().split("VmSize:")[1].split()[0])
    resource.prlimit(pid, resource.RLIMIT_AS, ((kibibytes << 10) + spare, NO_LIMIT))


def large(made, rows: int) -> bytes:
    """A request of many rows, with their contributions."""
    request = made.request(400)
    for tensor in request["inputs"]:
        tensor["data"] = (tensor["data"] * (rows // 400 + 1))[:rows]
        tensor["shape"] = [rows, 1]
    return post(
        json.dumps(request | {"id": "same", "outputs": [{"name": "contributions"}]}).encode(), b"Connection: close"
    )


@pytest.mark.parametrize("spare", [1 << 20, 8 << 20])
def test_a_request_that_finds_no_memory_fails_alone(start, made, spare):
    """It is refused, or its connection ends; it gets no answer that is not whole. Then all is as it was."""
    server = start(made, max_concurrency=2, max_queue=2, max_rows=200_000)
    pid, address = server.process.pid, server.listener.getsockname()
    whole = large(made, 40_000)
    [control] = talk(address, whole, count=1).answers
    assert control.status == 200
    with unharmed(server, made.request(), statuses=frozenset({None, 500, 503})):
        limit_memory(pid, spare)
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda _: talk(address, whole), range(12)))
        limit_memory(pid, None)
        wait_for(lambda: places_taken(server) == 0)
    assert server.process.poll() is None
    for result in results:
        assert result.end != "open"
        assert result.statuses in ([], [200], [429], [500], [503])
        assert all(answer.body == control.body for answer in result.answers if answer.status == 200)
    failed = [result.statuses for result in results if result.statuses not in ([200], [429])]
    assert failed, "there was memory for all"


def test_a_worker_without_memory_takes_nothing_from_the_others(start, made):
    """One of two has nothing left to allocate: its requests fail, those of the other do not, and no answer is wrong."""
    server = start(made, workers=2, max_concurrency=2, max_queue=2, max_rows=200_000)
    whole = large(made, 20_000)
    [control] = talk(server.listener.getsockname(), whole, count=1).answers
    limit_memory(workers_of(server)[0], 1 << 20)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: talk(server.listener.getsockname(), whole), range(16)))
    answered = [answer for result in results for answer in result.answers if answer.status == 200]
    assert 0 < len(answered) < len(results)
    assert {answer.body for answer in answered} == {control.body}
    assert all(result.statuses in ([], [200], [429], [500], [503]) for result in results)
    for pid in workers_of(server):
        limit_memory(pid, None)
    assert [ask(server, made.request()).status_code for _ in range(20)] == [200] * 20
    assert server.stop() == ExitCode.OK


def test_who_is_killed_for_memory_ends_its_own_requests_and_is_replaced(start, slow):
    """SIGKILL, as the kernel does it, to the worker with more in hand."""
    server = start(slow, workers=2, max_concurrency=2, max_queue=20)
    address = server.listener.getsockname()
    whole = post(json.dumps(slow.request()).encode(), b"Connection: close")
    before = workers_of(server)
    with ExitStack() as stack:
        connections = [stack.enter_context(socket.create_connection(address)) for _ in range(8)]
        for connection in connections:
            connection.sendall(whole)
        wait_for(lambda: max(map(clients_of, before)) >= 2)
        victim, other = sorted(before, key=clients_of, reverse=True)
        os.kill(victim, signal.SIGKILL)
        results = [read(connection) for connection in connections]
    assert all(result.end != "open" and not result.rest for result in results)
    assert {tuple(result.statuses) for result in results} <= {(), (200,)}
    assert any(not result.answers for result in results)
    assert fetch("GET", f"{server.url}{READY}").status_code == 200
    wait_for(lambda: len(workers_of(server)) == 2)
    assert victim not in workers_of(server)
    assert other in workers_of(server)
    assert ask(server, slow.request()).status_code == 200
    assert server.stop() == ExitCode.OK


def clients_of(pid: int) -> int:
    """How many clients a worker has at the moment."""
    return sum(one.status == psutil.CONN_ESTABLISHED for one in psutil.Process(pid).net_connections("tcp"))


def test_workers_that_are_killed_one_after_the_other_cost_their_own_requests_only(start, made):
    """Each client has one request under way, so each kill breaks no more requests than there are clients."""
    server = start(made, workers=2)
    crowd = Crowd(server, {"1": made})
    kills, clients = 3, 4
    with crowd.asking(clients):
        for _ in range(kills):
            count = crowd.answers[made.digest]
            wait_for(lambda count=count: crowd.answers[made.digest] > count + 50)
            victim = workers_of(server)[0]
            os.kill(victim, signal.SIGKILL)
            wait_for(lambda victim=victim: len(now := workers_of(server)) == 2 and victim not in now)
    assert crowd.wrong == []
    assert crowd.broken <= kills * clients
    assert len(server.lines("worker ended")) == kills
    assert server.stop() == ExitCode.OK
