"""Bytes to a server and back, as no client library would send them; and what a server holds while it takes them."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import httpx

INFER, LIVE, READY = "/v2/models/loan/infer", "/v2/health/live", "/v2/health/ready"
PATIENCE = 20.0  # seconds until a test gives up
GROWTH = 40  # MiB by which a server may grow under attack: buffers and arenas, no body and no head
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # nobody speaks TLS here, and to read the usual certificates takes long
T = TypeVar("T")


class Answer(NamedTuple):
    """One response."""

    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """Its request id, the proof of which request it answers."""
        return self.fields.get("x-request-id", "")


class Talk(NamedTuple):
    """What came back on a connection: whole answers, a torn rest, and how it ended."""

    answers: list[Answer]
    rest: bytes
    end: str  # ``open``, ``end`` or ``reset``

    @property
    def statuses(self) -> list[int]:
        """The statuses in their order, those of 1xx left out."""
        return [answer.status for answer in self.answers if answer.status >= 200]


def wait_for(what: Callable[[], T], seconds: float = PATIENCE, describe: Callable[[], object] = str) -> T:
    """What a condition becomes, once it is true; ``describe`` says what keeps it from it."""
    end = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < end, f"it did not happen within {seconds} seconds: {describe()}"
        time.sleep(0.02)
    return value


def get(path: str = LIVE, *fields: bytes) -> bytes:
    """A request without a body."""
    return b"\r\n".join([b"GET %b HTTP/1.1" % path.encode(), b"Host: x", *fields, b"", b""])


def post(body: bytes, *fields: bytes, path: str = INFER, length: bool = True) -> bytes:
    """A request with a body, whose length is said where nothing else says it."""
    said = [b"Content-Length: %d" % len(body)] if length else []
    return b"\r\n".join([b"POST %b HTTP/1.1" % path.encode(), b"Host: x", *fields, *said, b"", body])


def chunked(body: bytes, size: bytes | None = None) -> bytes:
    """A body in one chunk."""
    return b"%b\r\n%b\r\n0\r\n\r\n" % (b"%x" % len(body) if size is None else size, body)


def parse(data: bytes) -> tuple[list[Answer], bytes]:
    """The whole answers in what was received, and the rest."""
    answers: list[Answer] = []
    while b"\r\n\r\n" in data:
        head, _, rest = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status, length = int(first.split(" ")[1]), int(fields.get("content-length", "0"))
        if len(rest) < length:
            break
        answers.append(Answer(status, fields, rest[:length]))
        data = rest[length:]
    return answers, data


def read(connection: socket.socket, count: int | None = None, seconds: float = PATIENCE) -> Talk:
    """Read until ``count`` answers are whole, or, without a count, until the connection ends.

    A connection that does neither within ``seconds`` is still ``open``.
    """
    data = bytearray()
    until = time.monotonic() + seconds
    end = "open"
    while count is None or len([one for one in parse(bytes(data))[0] if one.status >= 200]) < count:
        connection.settimeout(max(0.001, until - time.monotonic()))
        try:
            part = connection.recv(1 << 16)
        except TimeoutError:
            break
        except ConnectionError:
            end = "reset"
            break
        if not part:
            end = "end"
            break
        data += part
    return Talk(*parse(bytes(data)), end)


def talk(
    address: tuple[str, int], *packets: bytes, count: int | None = None, shut: bool = False, pause: float = 0.1
) -> Talk:
    """Send packets on a connection of their own, each on its own, and read as ``read`` does.

    :param shut: whether to end the own direction then.
    """
    with socket.create_connection(address, timeout=PATIENCE) as connection:
        try:
            for number, packet in enumerate(packets):
                if number:
                    time.sleep(pause)
                connection.sendall(packet)
            if shut:
                connection.shutdown(socket.SHUT_WR)
        except ConnectionError:
            return Talk(*parse(b""), "reset")
        return read(connection, count)


def files_of(pid: int) -> int:
    """How many files a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def mebibytes_of(pid: int) -> int:
    """How much memory a process has resident."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) >> 10


def fetch(method: str, url: str, timeout: float = 30.0, **more: Any) -> httpx.Response:
    """One request by a client of good manners, on a connection that does not stay."""
    more["headers"] = {"connection": "close", **more.get("headers", {})}
    return httpx.request(method, url, trust_env=False, timeout=timeout, verify=PLAIN, **more)


def ask(server: Any, body: Any) -> httpx.Response:
    """One request for a decision."""
    return fetch("POST", f"{server.model}/infer", json=body)


def metric(server: Any, name: str) -> int:
    """A measure of a server, as Prometheus would read it; 0 where there is none."""
    text = fetch("GET", f"{server.url}/metrics").text
    return sum(int(float(line.split(" ")[1])) for line in text.splitlines() if line.startswith(f"{name} "))


def places_taken(server: Any) -> int:
    """How many requests are at work or in wait."""
    return metric(server, "trivet_places_taken")


@contextmanager
def unharmed(
    server: Any, body: Any, *, statuses: frozenset[int | None] = frozenset(), growth: int = GROWTH
) -> Iterator[None]:
    """Hold that whatever happens inside leaves the server as it was.

    It still answers, on the only place that it may have; its open files return to what they were; its memory stays;
    and its log has no error but those ``statuses`` that the caller expects.
    """
    pid = server.process.pid
    wait_for(lambda: ask(server, body).status_code == 200)
    files, memory = files_of(pid), mebibytes_of(pid)
    yield
    wait_for(lambda: ask(server, body).status_code == 200)
    wait_for(lambda: files_of(pid) <= files)
    grown = mebibytes_of(pid) - memory
    assert grown <= growth, f"{grown} MiB more than before"
    name = f"last-{time.monotonic_ns()}"
    fetch("GET", f"{server.url}{LIVE}", headers={"x-request-id": name})
    wait_for(lambda: any(line["id"] == name for line in server.lines("request")))  # it is written behind the answers
    failed = [line for line in server.lines() if line["level"] == "error" and line.get("status") not in statuses]
    assert failed == []
