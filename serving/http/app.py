"""The HTTP surface, as an ASGI application: routes, errors and their statuses, one log line per request."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import PurePath
from time import perf_counter
from traceback import extract_tb
from typing import Any, NamedTuple

import orjson

from trivet import __version__
from trivet.core.errors import NotFound, NotReady, TrivetError
from trivet.serving.capture import Recorder
from trivet.serving.config import LogLevel, ServerConfig
from trivet.serving.errors import (
    BadInput,
    ClientGone,
    ModelFailed,
    NotRecorded,
    Overloaded,
    TooLarge,
    TooLate,
    TooSlow,
    WrongEncoding,
)
from trivet.serving.http.limits import Place, Places, Receive, read_body, too_large
from trivet.serving.log import Log
from trivet.serving.service import Done, Service
from trivet.serving.wire import v2

Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

STATUS: dict[type[BaseException], int] = {
    BadInput: 400,
    NotFound: 404,
    TooSlow: 408,
    TooLarge: 413,
    WrongEncoding: 415,
    Overloaded: 429,
    ClientGone: 499,  # nginx's number for it; only the log sees it
    ModelFailed: 500,
    NotReady: 503,
    NotRecorded: 503,
    TooLate: 504,
}
RETRY = {429: b"1", 503: b"1"}  # seconds
JSON, BINARY = b"application/json", b"application/octet-stream"
CONTENT_TYPES = (b"", JSON, BINARY)
JSON_LENGTH = b"inference-header-content-length"
REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


class Phase(StrEnum):
    """Where the application stands. It is ready in one phase only."""

    EMPTY = "empty"
    READY = "ready"
    DRAINING = "draining"


class Reply(NamedTuple):
    """What goes back to the client."""

    status: int
    body: bytes
    type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()
    rows: int = 0
    id: str = ""  # the body's own, for the log; it may hold what a header must not
    failure: str = ""  # for the log


class Exchange:
    """One request while it is answered."""

    __slots__ = ("headers", "id", "receive", "start")

    def __init__(self, scope: dict[str, Any], receive: Receive) -> None:
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.receive = receive
        given = self.headers.get(b"x-request-id", b"")
        self.id = given.decode() if REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
        self.start = perf_counter()


class App:
    """The application of one service, empty until ``publish`` gives it one."""

    def __init__(self, config: ServerConfig, log: Log, recorder: Recorder | None = None) -> None:
        self.phase = Phase.EMPTY
        self.places = Places(config.max_concurrency, config.max_queue)
        self._config = config
        self._log = log
        self._recorder = recorder
        self._service: Service | None = None
        names = {"model": config.model, "version": config.version}
        self._routes: dict[str, dict[str, Route]] = {}
        for route in ROUTES:
            self._routes.setdefault(route.path.format(**names), {})[route.method] = route

    def publish(self, service: Service) -> None:
        """Serve this model from the next request on."""
        self._service = service
        self.phase = Phase.READY

    def drain(self) -> None:
        """Be not ready from now on, but serve; every response asks its client to connect anew."""
        self.phase = Phase.DRAINING

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3, ``http`` only)."""
        exchange = Exchange(scope, receive)
        methods = self._routes.get(scope["path"], {})
        route = methods.get(scope["method"])
        try:
            reply = await route.answer(self, exchange) if route else self._no_route(scope, methods)
        except Exception as error:  # noqa: BLE001  the last line of defence: whatever it is, the client gets an answer
            reply = _refusal(error, exchange.id)
        self._note(reply, route, scope["method"], exchange)
        if reply.status != STATUS[ClientGone]:
            await self._send(reply, exchange, send)

    def _note(self, reply: Reply, route: Route | None, method: str, exchange: Exchange) -> None:
        self._log.event(
            _level(reply.status, route),
            "request",
            id=reply.id or exchange.id,
            method=method,
            route=route.path if route else None,
            status=reply.status,
            ms=round((perf_counter() - exchange.start) * 1000, 3),
            rows=reply.rows,
            **({"failure": reply.failure} if reply.failure else {}),
        )

    async def live(self, _: Exchange) -> Reply:
        """The process answers."""
        return _json({"live": True})

    async def ready(self, _: Exchange) -> Reply:
        """The model answered its golden request, and this process means to stay."""
        if self.phase is not Phase.READY:
            raise NotReady(f"This server is {self.phase}.", "Ask another, or ask again.")
        return _json({"ready": True})

    async def server(self, _: Exchange) -> Reply:
        """What this server is."""
        return _json(v2.server_metadata(__version__))

    async def model(self, _: Exchange) -> Reply:
        """What the model takes and gives."""
        service = self._serving()
        return _json(v2.model_metadata(service.engine, service.model, service.version))

    async def infer(self, exchange: Exchange) -> Reply:
        """Decide on the rows of a request."""
        service = self._serving()
        json_length = self._check_headers(exchange.headers)
        with self.places.place() as place:
            done = await self._within_deadline(service, exchange, place, json_length)
        if done.json_length is None:
            return Reply(200, done.body, rows=done.rows, id=done.id)
        return Reply(200, done.body, BINARY, ((JSON_LENGTH, b"%d" % done.json_length),), done.rows, done.id)

    async def _within_deadline(
        self, service: Service, exchange: Exchange, place: Place, json_length: int | None
    ) -> Done:
        body = None
        try:
            async with asyncio.timeout(self._config.deadline_seconds):
                body = await read_body(exchange.receive, self._config.max_body_bytes)
                if len(body) <= service.inline_bytes:
                    done = service.infer(body, json_length, exchange.id)
                else:
                    done = await place.work(service.infer, body, json_length, exchange.id)
                if self._recorder is not None:
                    await self._recorder.write(done.records, done.rows)
                return done
        except TimeoutError:
            seconds = self._config.deadline_seconds
            if body is None:
                raise TooSlow(f"The body did not arrive within {seconds} seconds.") from None
            raise TooLate(f"There was no answer within {seconds} seconds.", "Send fewer rows, or wait.") from None

    def _serving(self) -> Service:
        if self._service is None:
            raise NotReady("This server has no model yet.", "Ask again in a second.")
        return self._service

    def _check_headers(self, headers: dict[bytes, bytes]) -> int | None:
        """What can be refused before the body is read; the length of the JSON, where binary tensors follow it."""
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise WrongEncoding("This server takes bodies without compression only.", "Send it as it is.")
        if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() not in CONTENT_TYPES:
            raise WrongEncoding("This server takes application/json.", "Set the Content-Type, or none.")
        declared = headers.get(b"content-length", b"0")
        if int(declared) > self._config.max_body_bytes:
            raise too_large(self._config.max_body_bytes)
        json_length = headers.get(JSON_LENGTH)
        if json_length is None:
            return None
        if not json_length.isdigit() or len(json_length) > len(declared) + 10:
            raise BadInput("Inference-Header-Content-Length is no number of bytes.")
        return int(json_length)

    def _no_route(self, scope: dict[str, Any], methods: dict[str, Route]) -> Reply:
        if methods:
            allow = ", ".join(methods)
            return _error(405, f"This route takes {allow}.", ((b"allow", allow.encode()),))
        if scope["path"].startswith("/v2/models/"):
            raise NotFound(f"This server has model {self._config.model}, version {self._config.version}.")
        raise NotFound("There is no such route.", "The routes are those of the Open Inference Protocol v2, under /v2.")

    async def _send(self, reply: Reply, exchange: Exchange, send: Send) -> None:
        headers: Headers = [
            (b"content-type", reply.type),
            (b"content-length", b"%d" % len(reply.body)),
            (b"x-request-id", exchange.id.encode()),
            *reply.headers,
        ]
        if self.phase is Phase.DRAINING:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})


class Route(NamedTuple):
    """One operation: its log level on success keeps the many health checks out of the log."""

    method: str
    path: str
    answer: Callable[[App, Exchange], Awaitable[Reply]]
    level: LogLevel = "info"


ROUTES = (
    Route("GET", "/v2/health/live", App.live, "debug"),
    Route("GET", "/v2/health/ready", App.ready, "debug"),
    Route("GET", "/v2", App.server),
    Route("GET", "/v2/", App.server),
    Route("GET", "/v2/models/{model}", App.model),
    Route("GET", "/v2/models/{model}/versions/{version}", App.model),
    Route("GET", "/v2/models/{model}/ready", App.ready, "debug"),
    Route("GET", "/v2/models/{model}/versions/{version}/ready", App.ready, "debug"),
    Route("POST", "/v2/models/{model}/infer", App.infer),
    Route("POST", "/v2/models/{model}/versions/{version}/infer", App.infer),
)


def _json(value: dict[str, Any]) -> Reply:
    return Reply(200, orjson.dumps(value))


def _error(status: int, message: str, headers: tuple[tuple[bytes, bytes], ...] = (), failure: str = "") -> Reply:
    return Reply(status, orjson.dumps({"error": message}), headers=headers, failure=failure)


def _refusal(error: Exception, request_id: str) -> Reply:
    """The answer to a request that failed: the client's mistakes in full, ours without any detail."""
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
    if status == 500:
        return _error(status, f"The server failed; the request id is {request_id}.", failure=_failure(error))
    retry = RETRY.get(status)
    return _error(status, str(error), ((b"retry-after", retry),) if retry else (), type(error).__name__)


def _failure(error: Exception) -> str:
    """What the log says of a failure of ours. A library's text is left out: it may hold the values of a row."""
    kinds = " from ".join(type(each).__name__ for each in (error, error.__cause__) if each)
    place = extract_tb(error.__traceback__)[-1]
    sentence = f": {error.message}" if isinstance(error, TrivetError) else ""
    return f"{kinds} at {PurePath(place.filename).name}:{place.lineno}{sentence}"


def _level(status: int, route: Route | None) -> LogLevel:
    if status >= 500:
        return "error"
    return "warning" if status >= 400 or route is None else route.level
