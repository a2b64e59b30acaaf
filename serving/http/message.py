"""What passes between a connection and what answers it: requests, replies on the wire, bounds."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from functools import lru_cache
from http import HTTPStatus
from time import perf_counter
from typing import NamedTuple, Protocol
from urllib.parse import unquote

import httptools

from trivet.serving.http.limits import Place
from trivet.serving.http.reply import Headers, Reply

REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
CLOSE = b"connection: close\r\n"
STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


class Request:
    """One request, whole once it is handed on. ``fields`` are named in lower case; of a path the query is left out."""

    __slots__ = ("answer", "body", "fields", "id", "method", "path", "place", "start")

    def __init__(self, method: str, path: str, fields: dict[bytes, bytes], body: bytes = b"") -> None:
        self.method = method
        self.path = path
        self.fields = fields
        self.body = body
        self.id = ""
        self.place: Place | None = None  # of its own until it has its answer
        self.answer: Reply | asyncio.Future[Reply] | None = None
        self.start = perf_counter()

    def adopt(self, given: bytes) -> bool:
        """Take over the client's own id, where it can stand in a header and in a log; whether it could."""
        if not REQUEST_ID.fullmatch(given):
            return False
        self.id = given.decode()
        return True


class Handler(Protocol):
    """What answers the requests of a connection. Nothing here raises."""

    draining: bool
    max_body_bytes: int

    def admit(self, request: Request) -> Reply | None:
        """Whether to read on, of a request whose body has not come whole; else what to answer."""
        ...

    def answer(self, requests: Sequence[Request]) -> None:
        """Give whole requests their ``answer``, now or later."""
        ...

    def give_up(self, request: Request | None, status: int) -> Reply:
        """The answer to one that will never be whole: 400, 408, 413, 431, 503, or 499 for a client that left. Without a
        request, what came was none, and the answer has the id."""
        ...


class Bounds(NamedTuple):
    """Seconds of patience."""

    request: float  # from the first byte of a request to its last
    idle: float  # without a request
    taken: float  # until a client has taken its response


class Clock:
    """The field that says when a response was made, written anew once a second."""

    line = b""


def head_of(reply: Reply, request_id: str, keep: bool) -> bytes:
    """Status line and header fields of a response."""
    return b"%bcontent-length: %d\r\nx-request-id: %b\r\n%b%b\r\n" % (
        _rendered(reply.status, reply.type, reply.headers),
        len(reply.body),
        request_id.encode(),
        Clock.line,
        b"" if keep else CLOSE,
    )


@lru_cache(maxsize=1024)
def _rendered(status: int, kind: bytes, headers: Headers) -> bytes:
    fields = ((b"content-type", kind), *headers)
    return STATUS_LINES[status] + b"".join(b"%b: %b\r\n" % field for field in fields)


def path_of(url: bytes) -> str:
    """The path of a request's target, decoded once; empty for a target that has none."""
    if not url.startswith(b"/"):
        try:
            url = httptools.parse_url(url).path or b""
        except httptools.HttpParserInvalidURLError:
            return ""
    path = url.partition(b"?")[0].decode("latin-1")
    return unquote(path, errors="replace") if "%" in path else path
