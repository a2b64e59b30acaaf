"""Ports of this machine for the services of a rehearsal."""

from __future__ import annotations

import socket

HOST = "127.0.0.1"


def free_port() -> int:
    """A port of the loopback address that nobody uses now."""
    with socket.create_server((HOST, 0)) as probe:
        return probe.getsockname()[1]
