"""The application: routes, errors and their statuses, one log line, one measure and one span per request."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import count
from time import perf_counter, time
from typing import NamedTuple

import numpy as np
import orjson

from trivet.core.errors import NotReady, TrivetError
from trivet.serving.appender import DELAY, TOGETHER
from trivet.serving.capture import Recorder
from trivet.serving.config import LogLevel, ServerConfig
from trivet.serving.errors import BadInput, ClientGone, Overloaded, TooLarge, TooSlow
from trivet.serving.http.inference import Inference, Inferences
from trivet.serving.http.limits import Places
from trivet.serving.http.message import Request
from trivet.serving.http.metrics import Metrics
from trivet.serving.http.reply import Reply, error_reply, level_of, refusal
from trivet.serving.http.routes import NOWHERE, Target, targets
from trivet.serving.log import Log
from trivet.serving.models import Models
from trivet.serving.openapi import Documents
from trivet.serving.service import Service
from trivet.serving.tracing import Trace, Tracer


class App:
    """Answers requests, empty until models are published. All methods belong to one event loop."""

    def __init__(
        self,
        config: ServerConfig,
        log: Log,
        recorder: Recorder | None = None,
        metrics: Metrics | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self.config = config
        self.max_body_bytes = config.max_body_bytes
        self.models = Models((model.name, model.version) for model in config.models)
        self.places = Places(config.max_concurrency, config.max_queue)
        self.metrics = metrics or Metrics()
        self.metrics.watch(self.places, config.max_concurrency + config.max_queue)
        self.draining = False
        self._log = log
        self._tracer = tracer
        self._documents = Documents(config)
        self._document: bytes | None = None
        self._rendering: asyncio.Future[bytes] | None = None
        self._targets = targets(config, self.models)
        self._inferences = Inferences(config, self.places, recorder)
        self._notes: list[Note] = []
        self._settles = False
        self._began = perf_counter()
        self._prefix, self._numbers = secrets.token_hex(12), count()

    def publish(self, service: Service) -> None:
        """Serve this version of its model from the next request on."""
        self.models.publish(service)
        self._changed()

    def withdraw(self, model: str) -> None:
        """Serve this model no longer.

        :raises NotFound: when it is not served.
        """
        self.models.withdraw(model)
        self._changed()

    def drain(self) -> None:
        """Be not ready from now on, but serve; every response asks its client to connect anew."""
        self.draining = True
        self.metrics.ready.set(0)

    def check_ready(self) -> None:
        """Pass where requests are welcome.

        :raises NotReady: saying why they are not.
        """
        if self.draining:
            raise NotReady("This server is draining: it is about to leave.", "Ask another.")
        if not self.models.ready:
            raise NotReady("This server is empty: not every model is loaded yet.", "Ask again in a second.")

    def check_time(self) -> None:
        """Pass while a batch may go on.

        :raises BadInput: when its time is over: what is refused so is not sent again, and the batch's job fails.
        """
        limit = self.config.batch_seconds
        if limit is not None and perf_counter() - self._began > limit:
            error = BadInput(f"The batch took longer than its {limit:g} s.", "Give it a longer timeout.")
            self._log.event("error", "too long", message=str(error))
            raise error

    async def document(self) -> bytes:
        """The OpenAPI document of what is served now. It is rendered once for a set of models, in a thread, for with
        many models that takes longer than a request should wait."""
        if self._document is not None:
            return self._document
        if self._rendering is None:
            self._rendering = asyncio.ensure_future(self._render())
        return await asyncio.shield(self._rendering)

    async def _render(self) -> bytes:
        try:
            while True:
                services = self.models.services
                document = await asyncio.to_thread(self._documents.render, tuple(services.values()))
                if services is self.models.services:
                    self._document = document
                    return document
        finally:
            self._rendering = None

    def methods(self, path: str) -> list[str]:
        """What a path takes; nothing for one that is not there."""
        return list(self._targets.get(path, ()))

    # --- a connection's handler

    def answer(self, requests: Sequence[Request]) -> None:
        """Give each whole request its answer, at once where it takes next to no time."""
        inferences: list[Inference] = []
        begun = [self._begin(request, inferences) for request in requests]
        self._inferences.decide(inferences)
        for request in requests:
            if request.place is not None:
                request.place.leave()
                request.place = None
        for request, (target, trace) in zip(requests, begun, strict=True):
            if isinstance(request.answer, Reply):
                self._note(request.answer, request, target, trace)
            elif request.answer is not None:
                request.answer.add_done_callback(partial(self._note_later, request, target, trace))

    def _begin(self, request: Request, inferences: list[Inference]) -> tuple[Target, Trace | None]:
        """Answer what needs no model, and gather what does."""
        target, trace = NOWHERE, None
        try:
            self._name(request)
            target = self._target(request)
            trace = self._trace(request, target)
            wanted = target.answer(self, request, target)  # type: ignore[arg-type]  # one class under two names
        except Exception as error:  # noqa: BLE001  whatever it is, the client gets an answer
            wanted = refusal(error, request.id)
        if isinstance(wanted, Inference):
            inferences.append(wanted)
        else:
            request.answer = wanted
        return target, trace

    def _trace(self, request: Request, target: Target, ago: float = 0.0) -> Trace | None:
        if self._tracer is None or target.level == "debug":
            return None
        path = request.path if target.route else None  # what a client made up stays out
        return self._tracer.begin(request.fields, request.method, target.route, path, ago)

    def admit(self, request: Request) -> Reply | None:
        """Give a request whose body is on its way a place, so that there are never more bodies than places; a route
        that wants no body answers without it."""
        target = self._target(request)
        if target.wire is None and not target.reads:
            self.answer([request])
            return request.answer if isinstance(request.answer, Reply) else None
        try:
            request.place = self.places.place()
        except NotReady as error:
            return self._noted(refusal(error, request.id), request)
        return None

    def give_up(self, request: Request | None, status: int) -> Reply:
        """Say why a request is not waited for, or no longer; without any, what came was no request."""
        if request is None:
            return self._no_request(status)
        if request.place is not None:
            request.place.leave()
        return self._noted(refusal(self._reason(status), request.id)._replace(status=status), request)

    def _no_request(self, status: int) -> Reply:
        reply = error_reply(status, "What came is no request in HTTP/1.1, or its head is too large or too slow.")
        reply = reply._replace(id=self._new_id())
        if self._tracer is not None:
            self._tracer.begin({}, "", None).end(status, reply.id, 0, None, None)
        self._log.event("warning", "http", message="What came is no request.", status=status, id=reply.id)
        self.metrics.observe("unknown", status, 0.0)
        return reply

    def _reason(self, status: int) -> TrivetError:
        limit = self.config.max_body_bytes
        return {
            400: BadInput("The request is not valid HTTP/1.1, or can be read in two ways."),
            408: TooSlow(f"The body did not arrive within {self.config.deadline_seconds} seconds."),
            413: TooLarge(f"The body is longer than the {limit} bytes that this server takes.", "Send fewer rows."),
            431: BadInput("The head of the request, or what surrounds its body, is too large."),
            503: Overloaded("There is no memory for this request.", "Send it again later."),
        }.get(status) or ClientGone("The client closed the connection before its request was complete.")

    def _noted(self, reply: Reply, request: Request) -> Reply:
        self._name(request)
        target = self._target(request)
        self._note(reply, request, target, self._trace(request, target, perf_counter() - request.start))
        return reply

    def _target(self, request: Request) -> Target:
        methods = self._targets.get(request.path)
        if methods is None:
            return NOWHERE
        return methods.get("GET" if request.method == "HEAD" else request.method, NOWHERE)

    def _name(self, request: Request) -> None:
        """Take over the client's id, where it can stand in a header and in a log; else make one."""
        if request.id:
            return
        given = request.fields.get(b"x-request-id")
        if given is None or not request.adopt(given):
            request.id = self._new_id()

    def _new_id(self) -> str:
        return f"{self._prefix}{next(self._numbers):08x}"

    # --- bookkeeping

    def _changed(self) -> None:
        self._targets = targets(self.config, self.models)
        self._document = None
        self.metrics.ready.set(self.models.ready and not self.draining)
        services = self.models.services.values()
        self.metrics.serves({one.name: one.engine.digest for one in services})

    def _note(self, reply: Reply, request: Request, target: Target, trace: Trace | None) -> None:
        """Remember a request for the measures and the log; ``settle`` tells them."""
        seconds = perf_counter() - request.start
        name = reply.id or request.id
        if trace is not None:
            trace.end(reply.status, name, reply.rows, reply.model or None, reply.package or None, reply.failure)
        if not self._settles:
            self._settles = True
            asyncio.get_running_loop().call_later(DELAY, self._settle_in_time)
        self._notes.append(
            Note(
                time(),
                seconds,
                level_of(reply.status, target.level),
                target.route,
                request.method,
                reply.status,
                name,
                reply.rows,
                reply.model,
                reply.failure,
                trace.id if trace is not None else "",
            )
        )
        if len(self._notes) >= TOGETHER:
            self.settle()

    def _note_later(self, request: Request, target: Target, trace: Trace | None, answer: asyncio.Future[Reply]) -> None:
        if not answer.cancelled():
            self._note(answer.result(), request, target, trace)

    def settle(self) -> None:
        """Measure and log what was answered since: for many at once it costs a fraction of what it does between."""
        notes, self._notes = self._notes, []
        for tell in (self._measure, self._write):
            try:
                tell(notes)
            except Exception:  # noqa: BLE001  of the disk or the memory, and no reason to lose the answers
                self._log.event("error", "requests not measured", count=len(notes))

    def _measure(self, notes: Sequence[Note]) -> None:
        took: dict[tuple[str, int], list[float]] = {}
        for note in notes:
            took.setdefault((note.route or "unknown", note.status), []).append(note.seconds)
        for (route, status), seconds in took.items():
            self.metrics.observe(route, status, *seconds)
        self.metrics.decided([(note.model, note.rows) for note in notes if note.rows])

    def _write(self, notes: Sequence[Note]) -> None:
        if wanted := [note for note in notes if self._log.takes(note.level)]:
            self._log.put(lines_of(wanted))

    def _settle_in_time(self) -> None:
        self._settles = False
        self.settle()


class Note(NamedTuple):
    """What is told of a request."""

    time: float
    seconds: float
    level: LogLevel
    route: str | None
    method: str
    status: int
    id: str
    rows: int
    model: str
    failure: str
    trace: str

    def line(self, time: bytes) -> bytes:
        """For the log, as ``log.line`` renders it, in a third of its time; ``time`` is in JSON."""
        return b'{"time":%b,"level":"%b","event":"request","id":%b,%b,"ms":%.3f,"rows":%d%b}\n' % (
            time,
            self.level.encode(),
            orjson.dumps(self.id),
            _operation(self.method, self.route, self.status),
            self.seconds * 1000,
            self.rows,
            self._more() if self.failure or self.trace else b"",
        )

    def _more(self) -> bytes:
        told = {"failure": self.failure, "trace": self.trace}
        return b"," + orjson.dumps({name: value for name, value in told.items() if value})[1:-1]


def lines_of(notes: Sequence[Note]) -> list[bytes]:
    """The lines of the log; their times are rendered together, for all about as fast as for one."""
    moments = np.rint(np.array([note.time for note in notes]) * 1e6).astype("datetime64[us]")
    times = orjson.dumps(moments, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC)[1:-1].split(b",")
    return [note.line(time) for note, time in zip(notes, times, strict=True)]


@lru_cache(maxsize=1024)
def _operation(method: str, route: str | None, status: int) -> bytes:
    return orjson.dumps({"method": method, "route": route, "status": status})[1:-1]
