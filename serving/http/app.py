"""The application: routes, errors and their statuses, one log line, one measure and one span per request."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable
from itertools import count
from time import perf_counter, time
from typing import Any, NamedTuple

from trivet.core.errors import NotReady, TrivetError
from trivet.serving import openapi
from trivet.serving.appender import DELAY, TOGETHER
from trivet.serving.capture import Recorder
from trivet.serving.compression import WORTH, accepted_by, compress, encoding_of, expand
from trivet.serving.config import LogLevel, ServerConfig
from trivet.serving.errors import BadInput, ClientGone, Overloaded, TooLarge, TooLate, TooSlow, WrongEncoding
from trivet.serving.http.limits import Place, Places
from trivet.serving.http.message import Request
from trivet.serving.http.metrics import Metrics
from trivet.serving.http.reply import Reply, error_reply, level_of, refusal
from trivet.serving.http.routes import NOWHERE, Target, targets
from trivet.serving.log import Log
from trivet.serving.models import Models
from trivet.serving.service import Done, Service
from trivet.serving.tracing import Trace, Tracer
from trivet.serving.wire.base import Wire
from trivet.serving.wire.sagemaker import media_type


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
        self._recorder = recorder
        self._tracer = tracer
        self._document: bytes | None = None
        self._targets = targets(config, self.models)
        self._notes: list[Note] = []
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

    def document(self) -> bytes:
        """The OpenAPI document of what is served now."""
        if self._document is None:
            self._document = openapi.document(self.config, self.models)
        return self._document

    def methods(self, path: str) -> list[str]:
        """What a path takes; nothing for one that is not there."""
        return list(self._targets.get(path, ()))

    # --- a connection's handler

    def answer(self, request: Request) -> Reply | Awaitable[Reply]:
        """Answer a whole request, at once where it takes next to no time."""
        self._name(request)
        target = self._target(request)
        trace = None
        if self._tracer is not None and target.level != "debug":
            path = request.path if target.route else None  # what a client made up stays out
            trace = self._tracer.begin(request.fields, request.method, target.route, path)
        try:
            reply = target.answer(self, request, target)  # type: ignore[arg-type]  # one class under two names
        except Exception as error:  # noqa: BLE001  the last line of defence: whatever it is, the client gets an answer
            reply = refusal(error, request.id)
        if request.place is not None:  # of a body that nobody wanted
            request.place.leave()
        if type(reply) is not Reply:
            return self._later(reply, request, target, trace)  # type: ignore[arg-type]
        self._note(reply, request, target, trace)
        return reply

    def admit(self, request: Request) -> Reply | None:
        """Give a request whose body is on its way a place, so that there are never more bodies than places; a route
        that wants no body answers without it."""
        target = self._target(request)
        if target.wire is None and not target.reads:
            answer = self.answer(request)
            return answer if isinstance(answer, Reply) else None
        try:
            request.place = self.places.place()
        except NotReady as error:
            return self._noted(refusal(error, request.id), request)
        return None

    def give_up(self, request: Request | None, status: int) -> Reply:
        """Say why a request is not waited for, or no longer; without any, what came was no request."""
        if request is None:
            reply = error_reply(status, "What came is no request in HTTP/1.1, or its head is too large or too slow.")
            self._log.event("warning", "http", message="What came is no request.", status=status)
            self.metrics.observe("unknown", status, 0.0, "", 0)
            return reply
        if request.place is not None:
            request.place.leave()
        return self._noted(refusal(self._reason(status), request.id)._replace(status=status), request)

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
        self._note(reply, request, self._target(request), None)
        return reply

    async def _later(
        self, waited_for: Awaitable[Reply], request: Request, target: Target, trace: Trace | None
    ) -> Reply:
        try:
            reply = await waited_for
        except Exception as error:  # noqa: BLE001  as in answer
            reply = refusal(error, request.id)
        self._note(reply, request, target, trace)
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
            request.id = f"{self._prefix}{next(self._numbers):08x}"

    # --- inference

    def infer(self, service: Service, request: Request, wire: Wire) -> Reply | Awaitable[Reply]:
        """Decide on the rows of a request: a small one in passing, a larger one in a thread."""
        place, request.place = request.place or self.places.place(), None
        leave = True
        try:
            if media_type(request.fields.get(b"content-type", b"")) not in wire.types:
                there = ", ".join(sorted(kind.decode() for kind in wire.types if kind))
                raise WrongEncoding(f"This route takes {there}.", "Set the Content-Type to one of them.")
            coding = encoding_of(request.fields)
            if coding or len(request.body) > service.inline_bytes:
                leave = False
                return self._work_aside(service, request, wire, coding, place)
            done = self._work(service, request, wire, coding)
            if (written := self._record(done)) is None:
                return _reply(done, service)
            leave = False
            return self._recorded(written, done, service, request, place)
        finally:
            if leave:
                place.leave()

    def _work(self, service: Service, request: Request, wire: Wire, coding: bytes) -> Done:
        """All that takes time; may run in any thread."""
        body = expand(request.body, coding, self.config.max_body_bytes) if coding else request.body
        done = service.infer(wire, body, request.fields, request.id)
        if len(done.body) >= WORTH and (wanted := accepted_by(request.fields)):
            fields = (*done.fields, (b"content-encoding", wanted), (b"vary", b"accept-encoding"))
            done = done._replace(body=compress(done.body, wanted), fields=fields)
        return done

    def _work_and_write(self, service: Service, request: Request, wire: Wire, coding: bytes) -> Done:
        """The same with the records, which of many rows take time too."""
        done = self._work(service, request, wire, coding)
        if done.records is None:
            return done
        lines = done.records()
        return done._replace(records=lambda: lines)

    def _record(self, done: Done) -> Awaitable[None] | None:
        if self._recorder is None or done.records is None:
            return None
        return self._recorder.write(done.records, done.rows)

    async def _work_aside(self, service: Service, request: Request, wire: Wire, coding: bytes, place: Place) -> Reply:
        with place:
            async with self._deadline(request):
                done = await place.work(self._work_and_write, service, request, wire, coding)
                if (written := self._record(done)) is not None:
                    await written
                return _reply(done, service)

    async def _recorded(
        self, written: Awaitable[None], done: Done, service: Service, request: Request, place: Place
    ) -> Reply:
        with place:
            async with self._deadline(request):
                await written
                return _reply(done, service)

    def _deadline(self, request: Request) -> _Deadline:
        return _Deadline(self.config.deadline_seconds, request)

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
        if not self._notes:
            asyncio.get_running_loop().call_later(DELAY, self.settle)
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

    def settle(self) -> None:
        """Measure and log what was answered since: for many at once it costs a fraction of what it does between."""
        notes, self._notes = self._notes, []
        for note in notes:
            self.metrics.observe(note.route or "unknown", note.status, note.seconds, note.model, note.rows)
            if self._log.takes(note.level):
                self._log.past(note.time, note.level, "request", note.fields())


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

    def fields(self) -> dict[str, Any]:
        """For the log."""
        fields: dict[str, Any] = {
            "id": self.id,
            "method": self.method,
            "route": self.route,
            "status": self.status,
            "ms": round(self.seconds * 1000, 3),
            "rows": self.rows,
        }
        if self.failure:
            fields["failure"] = self.failure
        if self.trace:
            fields["trace"] = self.trace
        return fields


class _Deadline:
    """What is left of a request's time, as a context; past it, ``TooLate``."""

    def __init__(self, seconds: float, request: Request) -> None:
        self._seconds = seconds
        left = max(0.0, seconds - (perf_counter() - request.start))
        self._timeout = asyncio.timeout(left)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, *error: Any) -> None:
        try:
            await self._timeout.__aexit__(*error)
        except TimeoutError:
            raise TooLate(f"There was no answer within {self._seconds} seconds.", "Send fewer rows, or wait.") from None


def _reply(done: Done, service: Service) -> Reply:
    headers = service.fields + done.fields
    return Reply(200, done.body, done.type, headers, done.rows, done.id, service.name, service.engine.digest)
