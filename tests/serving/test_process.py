"""Server processes as a supervisor starts them: ready, full, late, leaving and replaced."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from trivet.core.errors import ExitCode
from trivet.core.inference import request_of
from trivet.core.signing import new_key, public_key

from .rawhttp import talk, wait_for


def test_ready_is_said_once_the_model_answered(start, made, client):
    server = start(made)
    assert server.said == f"ready {made.digest}"
    response = client.post(f"{server.model}/infer", json=made.request(2))
    assert response.json()["parameters"]["package"] == made.digest
    assert client.get(f"{server.url}/v2/health/ready").json() == {"ready": True}
    assert server.stop() == ExitCode.OK


def test_the_log_has_a_line_per_request_and_no_value(start, made, client):
    server = start(made)
    client.post(f"{server.model}/infer", json=made.request(request_id="r-1"))
    client.post(f"{server.model}/infer", json={"inputs": [{"name": "secret-name"}]}, headers={"X-Request-ID": "r-2"})
    client.get(f"{server.url}/v2/health/live")
    client.get(f"{server.url}/secret-path")
    server.stop()
    good, bad, live, unknown = server.lines("request")
    assert good["id"] == "r-1"
    assert (good["method"], good["route"], good["status"], good["rows"]) == ("POST", "/v2/models/{model}/infer", 200, 1)
    assert 0 < good["ms"] < 30_000
    assert (bad["id"], bad["status"], bad["failure"], bad["level"]) == ("r-2", 400, "BadInput", "warning")
    assert live["level"] == "debug"
    assert (unknown["status"], unknown["route"]) == (404, None)
    text = server.log.read_text()
    assert "secret" not in text
    assert str(made.rows(1)[0]["amount"]) not in text


def test_the_log_says_why_the_model_failed(start, infinite, client):
    server = start(infinite)
    row = {"amount": 0.0, "income": 31.25, "term": 12, "purpose": "car"}
    assert client.post(f"{server.model}/infer", json=request_of([row], infinite.serving)).status_code == 500
    server.stop()
    [line] = server.lines("request")
    assert (line["level"], line["status"]) == ("error", 500)
    assert line["failure"].startswith("ModelFailed at engine.py:")
    assert line["failure"].endswith("The model gave score that is not a finite number.")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"models": [{"name": "loan", "version": "1", "package": "/nowhere"}]}, "no manifest.json"),
        ({"public_key": public_key(new_key())}, "not made with the stack's key"),
        ({"fd": 0}, "no socket"),
        ({"fd": None, "port": None}, "either port or fd"),
        ({"port": 80}, "either port or fd"),
        ({"models": [{"name": "a/b", "version": "1", "package": "/nowhere"}]}, "models.0.name"),
        ({"threads": 2}, "threads"),
        ({"records": "/proc/records"}, "folder of records"),
    ],
)
def test_a_start_that_fails_says_why_in_one_sentence(start, made, settings, message):
    server = start(made, **settings)
    assert server.process.wait(30) in (ExitCode.CONFIG, ExitCode.PLATFORM)
    [line] = server.lines("failed")
    assert message in line["message"]
    if message not in ("no socket", "either port or fd", "models.0.name", "threads"):
        assert server.said.startswith("failed ")
        assert message in server.said


def test_a_port_that_is_taken_is_named(start, made):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = start(made, fd=None, port=port)
        assert server.process.wait(30) == ExitCode.PLATFORM
        assert f"failed Nothing can listen on port {port} of 127.0.0.1: Address already in use." in server.said


def test_a_port_of_its_own(start, made, client):
    server = start(made, fd=None, port=0)
    [ready] = server.lines("ready") or wait_for(lambda: server.lines("ready"))
    assert client.get(f"http://127.0.0.1:{ready['port']}/v2/health/ready").status_code == 200


def test_without_a_configuration_it_says_how_to_call_it():
    run = subprocess.run([sys.executable, "-m", "trivet.serving"], capture_output=True, check=False)
    assert run.returncode == ExitCode.USAGE
    assert "configuration file" in json.loads(run.stderr)["message"]


def test_more_than_fits_is_shed_at_once(start, slow, client):
    server = start(slow, max_concurrency=1, max_queue=2)
    url = f"{server.model}/infer"
    with ThreadPoolExecutor(12) as pool:
        responses = list(pool.map(lambda _: client.post(url, json=slow.request()), range(12)))
    counts = Counter(response.status_code for response in responses)
    assert counts[200] >= 3
    assert counts[429] >= 1
    assert counts[200] + counts[429] == 12
    for response in responses:
        if response.status_code == 429:
            assert response.headers["retry-after"] == "1"
            assert list(response.json()) == ["error"]
    assert client.post(url, json=slow.request()).status_code == 200


def test_a_place_is_free_only_when_its_work_has_ended(start, slow, client):
    """The request is answered 504 at its deadline, but its work goes on and keeps the only place."""
    server = start(slow, max_concurrency=1, max_queue=0, deadline_seconds=0.1)
    url = f"{server.model}/infer"
    began = time.monotonic()
    late = client.post(url, json=slow.request())
    assert late.status_code == 504
    assert list(late.json()) == ["error"]
    assert client.post(url, json=slow.request()).status_code == 429
    assert client.get(f"{server.url}/v2/health/ready").status_code == 200
    wait_for(lambda: client.post(url, json=slow.request()).status_code == 504)
    assert time.monotonic() - began > 0.25


def test_a_slow_body_is_given_up(start, made):
    server = start(made, deadline_seconds=0.3)
    with socket.create_connection(server.listener.getsockname()) as connection:
        connection.sendall(b"POST /v2/models/loan/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert connection.recv(4096).startswith(b"HTTP/1.1 408 ")


def test_a_client_that_leaves_early_takes_no_place(start, made, client):
    server = start(made, max_concurrency=1, max_queue=0)
    with socket.create_connection(server.listener.getsockname()) as connection:
        connection.sendall(b"POST /v2/models/loan/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    wait_for(lambda: [line for line in server.lines("request") if line["status"] == 499])
    assert client.post(f"{server.model}/infer", json=made.request()).status_code == 200


def test_what_is_no_http_is_refused_and_not_repeated(start, made):
    """It has an id of its own, by which its line in the log is found."""
    server = start(made)
    answers = [talk(server.listener.getsockname(), b"secret nonsense\r\n\r\n").answers[0] for _ in range(2)]
    assert [answer.status for answer in answers] == [400, 400]
    server.stop()
    lines = server.lines("http")
    assert [line["message"] for line in lines] == ["What came is no request."] * 2
    assert [line["id"] for line in lines] == [answer.id for answer in answers]
    assert all(len(answer.id) == 32 for answer in answers)
    assert answers[0].id != answers[1].id
    assert "secret" not in server.log.read_text()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_route_of_two_meanings_is_refused_at_the_start(start, made, workers):
    server = start(made, vertex={"health": "/ping"}, workers=workers)
    assert server.process.wait(30) == ExitCode.CONFIG
    assert server.said.startswith("failed vertex.health cannot be /ping: GET /ping is another front's route already.")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_above_the_cap_is_refused(start, made, client, chunked):
    server = start(made, max_body_bytes=1000)
    body = b" " * 100_000
    content = (body[at : at + 1000] for at in range(0, len(body), 1000)) if chunked else body
    response = client.post(f"{server.model}/infer", content=content)
    assert response.status_code == 413
    assert list(response.json()) == ["error"]
    assert client.post(f"{server.model}/infer", json=made.request()).status_code == 200


def test_memory_stays_when_too_much_is_sent(start, made, client):
    server = start(made, max_body_bytes=1 << 20)

    def megabytes() -> int:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) >> 10

    before = megabytes()
    for _ in range(3):
        client.post(f"{server.model}/infer", content=(b" " * 65536 for _ in range(1600)))
    assert megabytes() - before < 30


def test_leaving_under_load_fails_nothing(start, made):
    """SIGTERM: not ready at once, still serving, then refused; what was accepted is answered."""
    server = start(made, drain_seconds=1.0)
    failures: list[str] = []
    seen: list[int] = []
    stop = threading.Event()

    def keep_asking() -> None:
        with httpx.Client(trust_env=False) as client:
            while not stop.is_set():
                if client.get(f"{server.url}/v2/health/ready").status_code != 200:
                    return  # what a load balancer does
                response = client.post(f"{server.model}/infer", json=made.request())
                seen.append(response.status_code)
                if response.status_code != 200:
                    failures.append(response.text)

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(keep_asking) for _ in range(4)]
        try:
            wait_for(lambda: len(seen) > 100, 60)
        finally:
            server.ask_to_leave()  # else they would ask for ever
        with httpx.Client(trust_env=False) as client:
            wait_for(lambda: client.get(f"{server.url}/v2/health/ready").status_code == 503)
            late = client.post(f"{server.model}/infer", json=made.request())
            assert late.status_code == 200
            assert late.headers["connection"] == "close"
        for each in asking:
            each.result(20)
        stop.set()
    assert failures == []
    server.listener.close()
    assert server.process.wait(20) == ExitCode.OK
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])))


def test_work_in_hand_is_answered_before_it_leaves(start, slow, client):
    server = start(slow)
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(client.post, f"{server.model}/infer", json=slow.request()) for _ in range(2)]
        time.sleep(0.2)
        assert server.stop() == ExitCode.OK
        assert [answer.result().status_code for answer in answers] == [200, 200]


def test_the_second_signal_is_fast(start, slow, client):
    server = start(slow, drain_seconds=60)
    with ThreadPoolExecutor(1) as pool:
        broken = pool.submit(client.post, f"{server.model}/infer", json=slow.request())
        time.sleep(0.1)
        server.ask_to_leave()
        wait_for(lambda: client.get(f"{server.url}/v2/health/ready").status_code == 503)
        began = time.monotonic()
        server.ask_to_leave()
        assert server.process.wait(30) == ExitCode.INTERRUPTED
        assert time.monotonic() - began < 20
        broken.exception()
    assert server.lines("stopped")[0]["forced"] is True


def test_a_swap_on_one_socket_loses_nothing(start, made, other):
    """2,000 requests, half of them on kept connections, while one process takes over from another without a drain."""
    old = start(made)
    url, wanted = f"{old.model}/infer", 2000
    body = json.dumps(made.request()).encode()
    answers: list[str] = []
    failures: list[str] = []

    def ask(kept: bool) -> None:
        client = httpx.Client(trust_env=False)
        while len(answers) < wanted and len(failures) < 10:
            try:
                response = client.post(url, content=body)
                answers.append(response.json()["parameters"]["package"] if response.is_success else response.text)
            except httpx.TransportError as error:
                failures.append(repr(error))
            if not kept:
                client.close()
                client = httpx.Client(trust_env=False)
        client.close()

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask, number % 2 == 0) for number in range(4)]
        wait_for(lambda: len(answers) > 200)
        new = start(other, listener=old.listener, version="2")
        assert new.said == f"ready {other.digest}"
        assert old.stop() == ExitCode.OK
        left_at = len(answers)
        for each in asking:
            each.result(60)
    assert failures == []
    assert len(answers) >= wanted
    assert set(answers) == {made.digest, other.digest}
    assert set(answers[left_at + 4 :]) == {other.digest}


def test_what_waits_in_the_backlog_is_not_lost(start, made, other):
    """A connection that was made while both processes were stopped is answered by the one that stays."""
    old = start(made)
    new = start(other, listener=old.listener)
    for server in (old, new):
        server.process.send_signal(signal.SIGSTOP)
    address = old.listener.getsockname()
    body = json.dumps(made.request()).encode()
    connections = [socket.create_connection(address) for _ in range(20)]
    for connection in connections:
        connection.sendall(b"POST /v2/models/loan/infer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n")
    old.ask_to_leave()
    for server in (old, new):
        server.process.send_signal(signal.SIGCONT)
    time.sleep(0.3)
    for connection in connections:
        connection.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    for connection in connections:
        with connection, connection.makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
    assert old.process.wait(20) == ExitCode.OK


def test_a_log_that_cannot_be_written_harms_nothing(start, made, client, tmp_path):
    """The server's standard error is a file, and the disk is full."""
    import resource

    server = start(made)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    for _ in range(20):
        assert client.post(f"{server.model}/infer", json=made.request()).status_code == 200
    time.sleep(0.2)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert client.post(f"{server.model}/infer", json=made.request()).status_code == 200
    assert server.stop() == ExitCode.OK
    assert server.lines("log lines dropped")[0]["count"] >= 20


def test_the_index_reads_a_body_that_comes_behind_its_head(start, made):
    server = start(made, max_concurrency=1, max_queue=0)
    for body, status in ((b'{"ready": "x"}', b"400"), (b'{"ready": true}', b"200")):
        with socket.create_connection(server.listener.getsockname()) as connection:
            head = b"POST /v2/repository/index HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
            connection.sendall(head)
            time.sleep(0.2)
            connection.sendall(body)
            assert connection.recv(4096).split()[1] == status


FAULTS = """
import resource, sys
from trivet.serving.heap import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def work():
    return [bytes(100_000) for _ in range(5)]
work()
before = faults()
for _ in range(100):
    work()
print(faults() - before)
"""


def test_memory_that_the_next_request_needs_is_kept():
    seen = {
        how: int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, check=True).stdout)
        for how in ("kept", "given back")
    }
    assert seen["kept"] < 100
    assert seen["given back"] > 1000, "the control: this C library gives nothing back by itself"
