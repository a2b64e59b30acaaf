"""The fault proxy before a plain echo server: each fault is seen by the side that it is meant for, and only there."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from trivet.core.errors import ConfigError
from trivet.rehearsal.faultproxy import FaultProxy, Plan, Way

MESSAGE = bytes(range(256)) * 1000  # more than one read


class Echo:
    """A server that sends back what it gets; knows what each connection got, in which pieces, and how it ended."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address: tuple[str, int] = self.listener.getsockname()
        self.reads: list[int] = []
        self.ends: list[str] = []
        self._ended = threading.Semaphore(0)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def end(self) -> str:
        """How the next connection ended: ``end`` or ``reset``."""
        assert self._ended.acquire(timeout=10), "no connection ended within ten seconds"
        return self.ends[-1]

    def close(self) -> None:
        """Stop, and wait for what is connected."""
        self.listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self.listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                thread = threading.Thread(target=self._echo, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _echo(self, connection: socket.socket) -> None:
        how = "end"
        with connection:
            try:
                while data := connection.recv(1 << 16):
                    self.reads.append(len(data))
                    connection.sendall(data)
            except OSError:
                how = "reset"
        self.ends.append(how)
        self._ended.release()


Through = Callable[..., FaultProxy]


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def through(echo: Echo) -> Iterator[Through]:
    """A proxy before the echo server."""
    proxies: list[FaultProxy] = []

    def make(request: Way | None = None, response: Way | None = None) -> FaultProxy:
        proxies.append(FaultProxy(echo.address, Plan(request or Way(), response or Way())))
        return proxies[-1]

    yield make
    for proxy in proxies:
        proxy.close()


def connect(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(proxy.address, timeout=10)


def send_all(connection: socket.socket, message: bytes, shut: bool) -> None:
    """Send a message, while somebody else reads the answer."""
    with suppress(OSError):
        connection.sendall(message)
        if shut:
            connection.shutdown(socket.SHUT_WR)


def exchange(proxy: FaultProxy, message: bytes = MESSAGE, *, shut: bool = True) -> tuple[bytes, str]:
    """What comes back for a message, and how that ends.

    :param shut: whether the client ends its own direction after the message.
    """
    got = bytearray()
    with connect(proxy) as connection:
        sender = threading.Thread(target=send_all, args=(connection, message, shut))
        sender.start()
        try:
            while data := connection.recv(1 << 16):
                got += data
            how = "end"
        except ConnectionResetError:
            how = "reset"
        sender.join(10)
    return bytes(got), how


def test_without_a_fault_every_byte_passes_and_each_end_with_it(echo, through):
    proxy = through()
    assert exchange(proxy) == (MESSAGE, "end")
    assert echo.end() == "end"
    assert (proxy.accepted, proxy.struck, proxy.passed) == (1, 0, [len(MESSAGE)] * 2)


def test_many_connections_pass_side_by_side(echo, through):
    proxy = through()
    connections = [connect(proxy) for _ in range(100)]
    for number, connection in enumerate(connections):
        connection.sendall(b"%03d" % number)
    for number, connection in enumerate(connections):
        assert connection.recv(3, socket.MSG_WAITALL) == b"%03d" % number
        connection.close()
    assert [echo.end() for _ in connections] == ["end"] * 100


def test_a_client_that_breaks_off_is_seen_by_the_server_as_such(echo, through):
    with connect(through()) as connection:
        connection.sendall(b"ab")
        assert connection.recv(2, socket.MSG_WAITALL) == b"ab"
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert echo.end() == "reset"


@pytest.mark.parametrize("cut", [0, 1, 100_000])
def test_a_reset_of_the_request_comes_after_so_many_bytes(echo, through, cut):
    proxy = through(request=Way(cut=cut, fault="reset"))
    got, how = exchange(proxy)
    assert (echo.end(), how) == ("reset", "reset")
    assert (proxy.struck, proxy.passed[0]) == (1, cut)
    assert MESSAGE.startswith(got)


@pytest.mark.parametrize("cut", [0, 1, 100_000])
def test_a_reset_of_the_response_comes_after_so_many_bytes(echo, through, cut):
    proxy = through(response=Way(cut=cut, fault="reset"))
    got, how = exchange(proxy, shut=False)
    assert (echo.end(), how) == ("reset", "reset")
    assert (proxy.struck, proxy.passed[1]) == (1, cut)
    assert MESSAGE[:cut].startswith(got)


@pytest.mark.parametrize("cut", [0, 1, 100_000])
def test_a_response_that_is_cut_short_ends_as_if_it_were_whole(echo, through, cut):
    assert exchange(through(response=Way(cut=cut)), MESSAGE) == (MESSAGE[:cut], "end")


@pytest.mark.parametrize("cut", [0, 1, 100_000])
def test_a_request_that_is_cut_short_reaches_the_server_to_there(echo, through, cut):
    exchange(through(request=Way(cut=cut)))
    echo.end()
    assert sum(echo.reads) <= cut
    assert cut > 1 or sum(echo.reads) == cut  # the proxy's end may overtake bytes that the server has yet to read


def test_half_a_close_leaves_the_other_direction_open(echo, through):
    assert exchange(through(request=Way(cut=1000, fault="end"))) == (MESSAGE[:1000], "end")
    assert echo.end() == "end"


def test_a_black_hole_takes_the_connection_and_lets_nothing_through(echo, through):
    proxy = through(request=Way(cut=0, fault="hold"))
    with connect(proxy) as connection:
        connection.sendall(b"hello")
        assert silent(connection)
        assert echo.reads == []
        proxy.close()
        assert ends_in_reset(connection)
    assert echo.end() == "reset"


def test_a_black_hole_after_the_request_never_reads_the_response(echo, through):
    proxy = through(response=Way(cut=2, fault="hold"))
    with connect(proxy) as connection:
        connection.sendall(b"hello")
        assert connection.recv(2, socket.MSG_WAITALL) == b"he"
        assert silent(connection)
        assert sum(echo.reads) == 5


def descriptors() -> int:
    """How many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def wait_for(condition: Callable[[], bool]) -> None:
    """Return once it is true."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it did not happen within ten seconds"
        time.sleep(0.002)


def silent(connection: socket.socket) -> bool:
    """Whether nothing comes for a fifth of a second."""
    return not select.select([connection], [], [], 0.2)[0]


def ends_in_reset(connection: socket.socket) -> bool:
    """Whether the connection is broken, rather than ended."""
    try:
        return connection.recv(1) == b"never"
    except ConnectionResetError:
        return True


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits of the proxy, written down instead of waited."""
    seen: list[float] = []
    sleep = asyncio.sleep

    def wait(seconds: float) -> Coroutine[None, None, None]:
        seen.append(seconds)
        return sleep(0)

    monkeypatch.setattr("trivet.rehearsal.faultproxy.asyncio.sleep", wait)
    return seen


def test_a_slow_loris_sends_each_byte_on_its_own_and_waits_before_it(echo, through, waits):
    assert exchange(through(request=Way(piece=1, wait=0.5)), b"dribble") == (b"dribble", "end")
    assert waits == [0.5] * 7


def test_latency_is_one_wait_for_each_read(echo, through, waits):
    assert exchange(through(request=Way(wait=0.2), response=Way(wait=0.3)), b"hello") == (b"hello", "end")
    assert waits == [0.2, 0.3]


def test_a_wait_is_really_waited(echo, through):
    """What came within the wait is nothing; without a wait it is everything."""
    for wait, quick in ((0.0, True), (30.0, False)):
        with connect(through(response=Way(wait=wait))) as connection:
            connection.sendall(b"x")
            assert bool(select.select([connection], [], [], 0.5)[0]) == quick


@pytest.mark.parametrize(("piece", "apart"), [(1, True), (1 << 16, False)])
def test_a_small_piece_splits_what_was_one_write(echo, through, piece, apart):
    """Pieces may meet again in the kernel, but not all two thousand of them."""
    message = os.urandom(2000)
    assert exchange(through(request=Way(piece=piece), response=Way(piece=piece)), message) == (message, "end")
    assert (len(echo.reads) > 1) == apart


def test_a_plan_counts_for_connections_from_then_on(echo, through):
    proxy = through()
    with connect(proxy) as before:
        before.sendall(b"a")
        assert before.recv(1) == b"a"
        proxy.plan = Plan(response=Way(cut=0))
        assert exchange(proxy, b"x") == (b"", "end")
        before.sendall(b"b")
        assert before.recv(1) == b"b"


def test_a_server_that_refuses_is_seen_by_the_client_as_a_reset():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    with FaultProxy(address) as proxy, pytest.raises(ConnectionResetError), connect(proxy) as connection:
        connection.recv(1)


def test_closing_leaves_no_descriptor_and_no_thread(echo, through):
    opened, threads = descriptors(), threading.active_count()
    with FaultProxy(echo.address, Plan(request=Way(cut=0, fault="hold"))) as proxy:
        connections = [connect(proxy) for _ in range(20)]
        for connection in connections:
            connection.sendall(b"x")
        wait_for(lambda: proxy.struck == len(connections))
    for connection in connections:
        connection.close()
    for _ in connections:
        echo.end()
    assert descriptors() <= opened
    assert threading.active_count() <= threads
    proxy.close()  # again, and nothing happens


@pytest.mark.parametrize("host", ["10.0.0.1", "0.0.0.0", "169.254.169.254"])
def test_a_server_elsewhere_is_refused(host):
    with pytest.raises(ConfigError, match="not on loopback"):
        FaultProxy((host, 80))
