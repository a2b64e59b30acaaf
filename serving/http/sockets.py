"""Sockets to listen on: one of the server's own, or one that it is handed."""

from __future__ import annotations

import os
import socket

from trivet.core.errors import ConfigError, PlatformError
from trivet.serving.config import ServerConfig

BACKLOG = 2048


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


def _inherited(descriptor: int) -> socket.socket:
    try:
        inherited = socket.socket(fileno=descriptor)
        listens = inherited.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise ConfigError(f"Descriptor {descriptor} is no socket.", "Pass on one that listens.") from error
    if not listens:
        raise ConfigError(f"The socket {descriptor} does not listen.", "Pass on one that listens.")
    inherited.set_inheritable(False)
    return inherited
