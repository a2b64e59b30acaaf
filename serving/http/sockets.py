"""Sockets to listen on: one of the server's own, or one that it is handed."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from trivet.core.errors import ConfigError, PlatformError
from trivet.serving.config import ServerConfig

BACKLOG = 2048
FAMILIES = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)
PATIENCE = 1.0  # seconds for another server that begins or ends in the same folder


def listen(config: ServerConfig) -> socket.socket:
    """The socket to accept from: the inherited one, or one of its own.

    :raises ConfigError: when the inherited descriptor is no listening socket.
    :raises PlatformError: when the port cannot be had.
    """
    if config.fd is not None:
        return _inherited(config.fd)
    return bind(config.host, config.port or 0)


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens.

    :raises PlatformError: when the port cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise PlatformError(
            f"Nothing can listen on port {port} of {host}: {os.strerror(error.errno or 0)}.",
            "Stop what uses it, or choose another port.",
        ) from error


def where(listener: socket.socket) -> dict[str, str | int]:
    """Where a socket listens, for the log: ``host`` and ``port``, or the path of a Unix ``socket``; one without a path
    has an empty one, one in the abstract namespace begins with ``@``."""
    name = listener.getsockname()
    if listener.family != socket.AF_UNIX:
        return {"host": name[0], "port": name[1]}
    return {"socket": name if isinstance(name, str) else os.fsdecode(b"@" + name[1:])}


class UnixSocket:
    """A Unix socket that only its owner may use, at a path that goes with it.

    What a dead server left at the path is removed; whatever else lies there stays, and so does what comes there later.
    """

    def __init__(self, path: Path) -> None:
        """Listen.

        :raises PlatformError: when the path is taken, or nothing can listen there.
        """
        self._path = path
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _alone_in(path.parent):
                _make_room(path)
                self._bind()
        except OSError as error:
            self.listener.close()
            raise PlatformError(
                f"Nothing can listen on {path}: {error.strerror or error}.", "Choose another socket."
            ) from error
        self._identity = _identity(path)

    def remove(self) -> None:
        """Take away the path, if it is still this socket's."""
        try:
            with _alone_in(self._path.parent):
                if _identity(self._path) == self._identity:
                    self._path.unlink()
        except OSError:
            return  # it is gone already, or others have closed the folder since

    def _bind(self) -> None:
        before = os.umask(0o177)
        try:
            self.listener.bind(str(self._path))
            self.listener.listen(BACKLOG)
        finally:
            os.umask(before)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Of several servers that begin or end at once, one looks and acts at a time."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(held)
        yield
    finally:
        os.close(held)


def _lock(descriptor: int) -> None:
    until = monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic() > until:
                raise OSError("somebody keeps its folder locked") from None
            sleep(0.01)
        else:
            return


def _make_room(path: Path) -> None:
    """Remove a socket on which nobody listens any more.

    :raises OSError: when something else is there.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError("what lies there is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.setblocking(False)  # whoever lives may be too busy to answer
        try:
            caller.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass
    raise OSError("another server listens there")


def _identity(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino


def _inherited(descriptor: int) -> socket.socket:
    try:
        inherited = socket.socket(fileno=descriptor)
        listens = inherited.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise ConfigError(f"Descriptor {descriptor} is no socket.", "Pass on one that listens.") from error
    if not listens or inherited.family not in FAMILIES or inherited.type != socket.SOCK_STREAM:
        raise ConfigError(f"The socket {descriptor} does not listen.", "Pass on one that listens, TCP or Unix.")
    inherited.set_inheritable(False)
    return inherited
