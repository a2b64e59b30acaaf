"""One connection: HTTP/1.1 over httptools' parser, with bounds on all that a client can make it hold or wait for.

A request is handed on once it is whole, and most are answered in the same call: no task, no queue, one write. What a
general server gives an application (streams in both directions, upgrades, lifespans) a model server has no use for, and
it costs more than a prediction does: see docs/adr/0005.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from functools import partial

import httptools

from trivet.serving.http.message import CLOSE, Bounds, Handler, Request, head_of, path_of
from trivet.serving.http.reply import Reply

MAX_HEAD = 64 << 10  # bytes of a request's line and header fields
CHUNKED = 8  # bytes on the wire for a byte of a body, at worst: a chunk of one
FIELD = 32  # bytes that a field costs besides its text
MAX_WAITING = 16  # requests that a client may send before it has its answers
FAREWELL = 2.0  # seconds for which a client that was refused may go on sending, so that it gets to read why
ONCE = frozenset((b"host", b"content-length", b"transfer-encoding", b"content-type", b"content-encoding"))
HOP = frozenset((b"connection", b"upgrade", b"http2-settings"))
MOST_TOGETHER = 32  # requests that are answered before any of them is written
BYTES_TOGETHER = 64 << 10  # of bodies, likewise
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Turn:
    """The connections whose requests came in together: all are read, then all are answered, then all are written.

    Between two system calls a processor forgets much of what it knew of the program, so what many do together costs a
    fraction of what each does alone. Nobody waits for others to come.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._loop = asyncio.get_running_loop()
        self._connections: dict[Connection, None] = {}
        self._scheduled = False

    def take(self, connection: Connection) -> None:
        """Have its next request answered."""
        self._connections[connection] = None
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._run)

    def _run(self) -> None:
        self._scheduled = False
        asked: list[tuple[Connection, Request, bool]] = []
        size = 0
        while self._connections and len(asked) < MOST_TOGETHER and size < BYTES_TOGETHER:
            connection = next(iter(self._connections))
            del self._connections[connection]
            if (waiting := connection.next()) is not None:
                asked.append((connection, *waiting))
                size += len(waiting[0].body)
        if self._connections:
            self._scheduled = True
            self._loop.call_soon(self._run)
        with suppress(Exception):  # whoever has no answer is given up
            self._handler.answer([request for _, request, _ in asked])
        for connection, request, keep in asked:
            connection.reply(request, keep)


class Connection(asyncio.Protocol):
    """Parses, hands on, and writes what comes back, in the order of the requests."""

    def __init__(self, handler: Handler, bounds: Bounds, connections: set[Connection], turn: Turn) -> None:
        self.active_at = 0.0
        self._handler = handler
        self._bounds = bounds
        self._connections = connections
        self._turn = turn
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._pending: asyncio.Future[Reply] | None = None
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._stuck_at: float | None = None  # since when the client has not taken what was written
        self._paused = False
        self._last = b""  # what a client is told that is listened to no more, after the answers that it waits for
        self._begun = self._fresh = self._admitted = self._twice = self._refused = self._ended = False
        self._request: Request | None = None
        self._url = b""
        self._fields: dict[bytes, bytes] = {}
        self._body: bytes | bytearray = b""
        self._size = self._head = self._raw = 0

    # --- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = transport  # type: ignore[assignment]
        self.active_at = self._loop.time()
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """It is gone; what it asked for and is being worked on comes to an end by itself."""
        self._connections.discard(self)
        self._forget_timer()
        self._forget_requests()
        self._refused = True
        self._body = self._last = b""
        del self._parser  # each holds the other, and so all that was read

    def eof_received(self) -> bool:
        """It will send no more. Whether to stay: yes, while it waits for an answer."""
        self._ended = True
        return self._owes

    def data_received(self, data: bytes) -> None:
        """It has sent something."""
        if self._refused:
            return
        try:
            self._parse(data)
        except httptools.HttpParserError as error:
            self._refuse(self._handler.give_up(self._request, self._status_of(error)))
        if self._begun and not self._refused:
            if not self._fresh:
                self._raw += len(data)
            self._fresh = False  # of what came in one piece with the request before, the parser does not say how much
            if self._raw > 2 * MAX_HEAD + CHUNKED * self._size:  # held by the parser: a field, a trailer, an extension
                self._refuse(self._handler.give_up(self._request, 431))
            else:
                self._wait_for_the_rest()

    def pause_writing(self) -> None:
        """The client does not read: write and read no more."""
        self._stuck_at = self._loop.time()
        self._paused = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It does again."""
        self._stuck_at = None
        self.go_on()

    # --- what the parser calls

    def on_message_begin(self) -> None:
        """A request begins; blank lines before it are none."""
        self.active_at = self._loop.time()
        self._begun, self._fresh, self._admitted, self._twice = True, True, False, False
        self._url = b""
        self._fields = {}
        self._body = b""
        self._size = self._head = self._raw = 0

    def on_url(self, url: bytes) -> None:
        """A part of its target."""
        self._head += len(url)
        if self._head > MAX_HEAD:
            raise ValueError("the head is too large")
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field; of a repeated one the values are joined."""
        self._head += len(name) + len(value) + FIELD
        if self._head > MAX_HEAD:
            raise ValueError("the head is too large")
        if self._request is not None:
            return  # a trailer: what was checked is not changed behind its back
        name = name.lower()
        fields = self._fields
        if name in fields:
            self._twice = self._twice or name in ONCE
            value = fields[name] + b", " + value
        fields[name] = value

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self._refused:
            return
        fields = self._fields
        if self._parser.should_upgrade():
            return
        self._request = Request(self._parser.get_method().decode("latin-1"), path_of(self._url), fields)
        if not self._is_clear(fields):
            self._refuse(self._handler.give_up(self._request, 400))
            return
        declared = fields.get(b"content-length")
        if declared is not None and int(declared) > self._handler.max_body_bytes:
            self._refuse(self._handler.give_up(self._request, 413))
        elif b"expect" in fields and fields[b"expect"].lower() == b"100-continue" and not self._owes:
            self._transport.write(CONTINUE)  # while answers are due it would be taken for one of them

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        if self._refused:
            return
        self._size += len(data)
        if self._size > self._handler.max_body_bytes:
            self._refuse(self._handler.give_up(self._request, 413))
        elif not self._body:
            self._body = data
        else:
            if type(self._body) is bytes:
                self._body = bytearray(self._body)
            self._body += data

    def on_message_complete(self) -> None:
        """The request is whole."""
        request = self._request
        if request is None or self._refused:
            return
        request.body = bytes(self._body)
        self._body = b""
        self._request, self._begun = None, False
        self._forget_timer()
        keep = self._parser.should_keep_alive() and self._parser.get_http_version() != "1.0"
        self._waiting.append((request, keep))
        if len(self._waiting) >= MAX_WAITING:
            self._paused = True
            self._transport.pause_reading()
        if self._pending is None:
            self._turn.take(self)

    def _parse(self, data: bytes) -> None:
        """Feed the parser. It stops at a request that would rather speak another protocol, as some clients' first one
        does; a server need not follow, so the request is read once more without that wish."""
        while True:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as stop:
                method = self._parser.get_method()
                if method == b"CONNECT" or self._refused:
                    raise httptools.HttpParserError("a tunnel") from None
                data = method + b" " + self._url + b" HTTP/1.1\r\n" + self._fields_again() + data[stop.args[0] :]
                self._parser = httptools.HttpRequestParser(self)
            else:
                return

    def _fields_again(self) -> bytes:
        close = CLOSE if b"close" in self._fields.get(b"connection", b"").lower() else b""
        kept = [b"%b: %b\r\n" % field for field in self._fields.items() if field[0] not in HOP]
        return b"".join(kept) + close + b"\r\n"

    # --- what the server calls

    @property
    def busy(self) -> bool:
        """Whether somebody waits for something here."""
        return self._owes or self._begun

    @property
    def _owes(self) -> bool:
        """Whether whole requests wait for their answers."""
        return self._pending is not None or bool(self._waiting)

    def close(self) -> None:
        """End as soon as what was written is sent."""
        self._transport.close()

    def abort(self) -> None:
        """End at once."""
        self._transport.abort()

    def sweep(self, now: float) -> None:
        """End it where nothing has come of it for too long."""
        stuck = self._stuck_at if self._stuck_at is not None else self.active_at
        if self._stuck_at is not None or self._transport.is_closing():
            if now - stuck > self._bounds.taken:
                self._transport.abort()  # what was written last is not taken either
        elif not self.busy and now - self.active_at > self._bounds.idle:
            self._transport.close()

    # --- answers

    def next(self) -> tuple[Request, bool] | None:
        """The request to answer next, and whether the connection outlives it; none while there is no saying when its
        answer could be taken."""
        if not self._waiting or self._pending is not None or self._stuck_at is not None or self._transport.is_closing():
            return None
        return self._waiting.popleft()

    def reply(self, request: Request, keep: bool) -> None:
        """Write its answer, now or once it is there."""
        try:
            if isinstance(request.answer, asyncio.Future):
                self._pending = request.answer
                self._pending.add_done_callback(partial(self._reply_later, request, keep))
                return
            # Without an answer there was no memory for one: its place is given back.
            self._write(request, request.answer or self._handler.give_up(request, 503), keep)
            self.go_on()
        except Exception:  # noqa: BLE001  no memory for the answer, most likely: the client must not wait for it
            self._transport.abort()

    def _reply_later(self, request: Request, keep: bool, answer: asyncio.Future[Reply]) -> None:
        self._pending = None
        request.answer = None if answer.cancelled() or answer.exception() is not None else answer.result()
        self.reply(request, keep)

    def go_on(self) -> None:
        """Have answered what has come whole."""
        if self._stuck_at is not None or self._transport.is_closing():
            return
        if self._waiting:
            self._turn.take(self)
        elif self._last and self._pending is None:
            self._dismiss(self._last)
        if self._paused and len(self._waiting) < MAX_WAITING:
            self._paused = False
            self._transport.resume_reading()

    def _write(self, request: Request, reply: Reply, keep: bool) -> None:
        transport = self._transport
        if transport.is_closing():
            return
        self.active_at = self._loop.time()
        keep = keep and not self._handler.draining and not (self._ended and not self._waiting)
        head = head_of(reply, request.id, keep)
        transport.write(head if request.method == "HEAD" else head + reply.body)
        if not keep:
            self._refused = True
            self._forget_requests()
            transport.close()

    def _refuse(self, reply: Reply) -> None:
        """Answer at once and listen no more; the client may go on sending for a while, and read."""
        if self._refused:
            return
        request, self._request, self._refused, self._begun = self._request, None, True, False
        self._forget_timer()
        head = head_of(reply, request.id if request else reply.id, keep=False)
        self._last = head if request and request.method == "HEAD" else head + reply.body
        if not self._owes:  # else the answers to earlier requests come first
            self._dismiss(self._last)

    def _dismiss(self, last: bytes) -> None:
        self._last = b""
        self._transport.write(last)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._timer = self._loop.call_later(FAREWELL, self._transport.close)

    def _wait_for_the_rest(self) -> None:
        if self._request is not None and not self._admitted:
            self._admitted = True
            if (reply := self._handler.admit(self._request)) is not None:
                self._refuse(reply)
                return
        if self._timer is None:
            self._timer = self._loop.call_later(self._bounds.request, self._late)

    def _late(self) -> None:
        self._refuse(self._handler.give_up(self._request, 408))

    def _status_of(self, error: Exception) -> int:
        if isinstance(error.__context__, MemoryError):
            return 503
        return 431 if self._head > MAX_HEAD else 400

    def _forget_requests(self) -> None:
        """Nobody waits any more for what has no answer yet: give its places back."""
        unanswered = [request for request, _ in self._waiting]
        if self._request is not None:
            unanswered.append(self._request)
        self._waiting.clear()
        self._request = None
        for request in unanswered:
            self._handler.give_up(request, 499)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _is_clear(self, fields: dict[bytes, bytes]) -> bool:
        """Whether this and every other server would read the head alike: one host, one coding that is undone here."""
        version = self._parser.get_http_version()
        if self._twice or version not in ("1.1", "1.0") or (version == "1.1" and b"host" not in fields):
            return False
        coding = fields.get(b"transfer-encoding")
        return coding is None or coding.strip().lower() == b"chunked"
