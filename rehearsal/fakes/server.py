"""HTTP on loopback: a request read whole, an answer written whole, connections kept.

Where a fake has names of its own, clients reach them through this server as their proxy: what they ask a name for is
read here, over the TLS that they began with it, and goes nowhere else.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote

from trivet.rehearsal.fakes.refusing import Answer
from trivet.rehearsal.ports import HOST

_LARGEST_LINE = 1 << 16


@dataclass(frozen=True)
class Request:
    """One request. ``path`` is as it was sent; the names of ``headers`` are in lower case."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    host: str = ""
    """Whom it was sent to, without the port."""
    spelled: Mapping[str, str] = field(default_factory=dict)
    """The names of the headers as they were sent, by those in lower case."""

    def one(self, name: str, usual: str = "") -> str:
        """The last value of a parameter in the query."""
        return self.query.get(name, [usual])[-1]

    def segments(self) -> list[str]:
        """The path's parts between slashes, decoded."""
        return [unquote(part) for part in self.path.strip("/").split("/")]


class CutOff(Exception):
    """The connection is to end without an answer."""


Door = Callable[[Request], Answer]
Names = Callable[[str], ssl.SSLContext | None]
"""From a name to what it shows of itself, or None: it is nobody's here."""


class Server(ThreadingHTTPServer):
    """Listens on 127.0.0.1 only; a thread per connection."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int, make: Callable[[str], Door], names: Names = lambda _name: None) -> None:
        """
        :param make: from the address of this server to what answers its requests.
        :param names: those that it answers for as a proxy; it is none without.
        """
        super().__init__((HOST, port), _Handler)
        self.names = names
        self.door = make(f"http://{HOST}:{self.server_port}")

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no mistake; all else is told on standard error."""
        import sys

        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server  # type: ignore[assignment]

    def handle_any(self) -> None:
        """One request."""
        path, _, query = self.path.partition("?")
        values: dict[str, list[str]] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            values.setdefault(name, []).append(value)
        headers = {name.lower(): value for name, value in self.headers.items()}
        host = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
        spelled = {name.lower(): name for name in self.headers}
        request = Request(self.command, path, values, headers, self._body(), host.lower(), spelled)
        try:
            self._send(*self.server.door(request))
        except CutOff:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def do_CONNECT(self) -> None:
        """Speak for a name from here on; where it is nobody's here, the connection ends."""
        name = self.path.rpartition(":")[0].lower()
        context = self.server.names(name)
        if context is None:
            self.server.door(Request(self.command, self.path, {}, {}, b"", name))
            self.send_error(403, f"{name} is not of this fake")
            self.close_connection = True
            return
        self.send_response(200)
        self.end_headers()
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.close_connection = False

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815  the base's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is the base's
        """Nothing: the list of calls says more."""

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(_LARGEST_LINE).split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline(_LARGEST_LINE)
        while self.rfile.readline(_LARGEST_LINE) not in (b"\r\n", b"\n", b""):
            pass
        return b"".join(parts)

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(body)
