"""Sockets that lie in a folder: what a dead server left makes way, and nothing else does."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from trivet.core.errors import ExitCode, PlatformError
from trivet.serving.http.sockets import UnixSocket

from .plane import repository_of, stranger, with_admin
from .rawhttp import wait_for


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a server is to listen."""
    return tmp_path / "admin.sock"


@pytest.fixture
def crowd() -> Iterator[ExitStack]:
    """What is closed at the end."""
    with ExitStack() as stack:
        yield stack


def left_by_the_dead(path: Path) -> None:
    """As a server that was killed leaves its socket."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()


def test_what_the_dead_left_makes_way_and_goes_with_its_successor(path):
    left_by_the_dead(path)
    own = UnixSocket(path)
    with own.listener, socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(path))
        assert path.stat().st_mode & 0o777 == 0o600
        own.remove()
    assert not path.exists()
    own.remove()


def a_file(path: Path) -> None:
    path.write_text("somebody's work")


def a_folder(path: Path) -> None:
    path.mkdir()


def a_link(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))
    left_by_the_dead(path.with_name("elsewhere"))


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("put", [a_file, a_folder, a_link, a_pipe])
def test_what_is_no_socket_stays(path, put: Callable[[Path], None]):
    put(path)
    before = path.lstat()
    with pytest.raises(PlatformError, match=r"admin\.sock: what lies there is no socket\.") as refused:
        UnixSocket(path)
    assert refused.value.next_step
    assert path.lstat() == before


@pytest.mark.parametrize("busy", [False, True])
def test_who_lives_stays_even_one_too_busy_to_answer(path, crowd, busy):
    living = crowd.enter_context(socket.socket(socket.AF_UNIX))
    living.bind(str(path))
    living.listen(0)
    if busy:
        while True:
            caller = crowd.enter_context(socket.socket(socket.AF_UNIX))
            caller.setblocking(False)
            if caller.connect_ex(str(path)):
                break
    before = path.lstat()
    with pytest.raises(PlatformError, match="another server listens there"):
        UnixSocket(path)
    assert path.lstat() == before


def test_of_many_that_begin_at_once_one_listens(path):
    """Each finds the same dead socket; none takes another's fresh one for it."""
    for _ in range(10):
        left_by_the_dead(path)

        def begin(_: int) -> UnixSocket | None:
            try:
                return UnixSocket(path)
            except PlatformError:
                return None

        with ThreadPoolExecutor(8) as pool:
            [own] = filter(None, pool.map(begin, range(8)))
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(path))
        own.listener.close()
        path.unlink()


def test_who_leaves_takes_its_own_path_only(path, crowd):
    own = UnixSocket(path)
    crowd.callback(own.listener.close)
    path.unlink()
    successor = UnixSocket(path)
    crowd.callback(successor.listener.close)
    own.remove()
    assert path.exists()
    successor.remove()
    assert not path.exists()


def test_a_folder_that_is_not_there_is_said(path):
    with pytest.raises(PlatformError, match="No such file or directory"):
        UnixSocket(path / "admin")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_server_does_not_take_the_admin_plane_of_the_first(start, made, tmp_path, workers):
    repository = repository_of(tmp_path / "repository", _1=made)
    first, plane = with_admin(start, made, repository)
    admin = {"socket": str(plane.socket), "token_file": str(tmp_path / "token"), "repository": str(repository)}
    second = start(made, admin=admin, workers=workers)
    assert second.process.wait(30) == ExitCode.PLATFORM
    assert "another server listens there" in second.lines("failed")[-1]["message"]
    assert plane.loaded() == {"loan": "1"}
    first.process.kill()
    first.process.wait()
    third = start(made, admin=admin, workers=workers)
    wait_for(lambda: plane.load("1").status_code == 200)
    assert third.stop() == ExitCode.OK
    assert not plane.socket.exists()


@pytest.mark.parametrize("name", ["served.sock", "\0served-by-no-path"])
def test_an_inherited_unix_socket_is_served_and_named(start, made, path, name):
    address = name if name.startswith("\0") else str(path.with_name(name))
    address = f"{address}-{os.getpid()}" if name.startswith("\0") else address
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        server = start(made, Handed(listener))
        with stranger(Path(address)) as client:
            assert client.post("/v2/models/loan/infer", json=made.request()).status_code == 200
        [line] = wait_for(lambda: server.lines("ready"))
        assert line["socket"] == address.replace("\0", "@")
        assert server.stop() == ExitCode.OK


class Handed(socket.socket):
    """A Unix socket where tests know of ports only."""

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(fileno=os.dup(listener.fileno()))

    def getsockname(self) -> tuple[str, int]:
        return "", 0


def test_a_socket_of_another_kind_is_refused(start, made):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind("")
        listener.listen()
        server = start(made, Handed(listener))
        assert server.process.wait(30) == ExitCode.CONFIG
        assert "does not listen" in server.said
