"""Inferences over HTTP: what is small is decided in passing, together with what came in the same turn; what is large,
in a thread. With complete records no answer leaves before its own are written."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import NamedTuple

from trivet.serving.capture import Recorder
from trivet.serving.compression import WORTH, accepted_by, compress, encoding_of, expand
from trivet.serving.config import ServerConfig
from trivet.serving.errors import NotRecorded, TooLate, WrongEncoding
from trivet.serving.http.limits import Place, Places
from trivet.serving.http.message import Request
from trivet.serving.http.reply import Reply, refusal
from trivet.serving.scoring import Scorer
from trivet.serving.scribe import render
from trivet.serving.service import Call, Done, Service
from trivet.serving.wire.base import Wire
from trivet.serving.wire.sagemaker import media_type

UNWRITTEN = "The decision could not be recorded and is therefore withheld."


class Inference(NamedTuple):
    """What a route wants to have decided."""

    service: Service | Scorer
    wire: Wire
    request: Request


class Inferences:
    """Decides. All methods belong to one event loop."""

    def __init__(self, config: ServerConfig, places: Places, recorder: Recorder | None) -> None:
        self._max_body_bytes = config.max_body_bytes
        self._deadline = config.deadline_seconds
        self._places = places
        self._recorder = recorder
        self._withholds = recorder is not None and config.records_mode == "complete"

    def decide(self, inferences: Sequence[Inference]) -> None:
        """Give each request its answer, whatever happens. What is put off holds its place from here on."""
        together: dict[Service | Scorer, list[Inference]] = {}
        for one in inferences:
            try:
                if self._is_small(one):
                    together.setdefault(one.service, []).append(one)
            except Exception as error:  # noqa: BLE001  whatever it is, the client gets an answer
                one.request.answer = refusal(error, one.request.id)
        for service, some in together.items():
            try:
                self._decide_together(service, some)
            except Exception as error:  # noqa: BLE001  what could not be recorded is withheld, too
                for one in some:
                    one.request.answer = refusal(error, one.request.id)

    def _is_small(self, one: Inference) -> bool:
        """Whether to decide on it in passing; if not, it is on its way in a thread."""
        request = one.request
        if media_type(request.fields.get(b"content-type", b"")) not in one.wire.types:
            there = ", ".join(sorted(kind.decode() for kind in one.wire.types if kind))
            raise WrongEncoding(f"This route takes {there}.", "Set the Content-Type to one of them.")
        coding = encoding_of(request.fields)
        is_small = not coding and len(request.body) <= one.service.inline_bytes
        if is_small and not self._withholds:  # it is over before another begins
            if request.place is None:
                self._places.check()
            else:
                request.place.leave()
                request.place = None
            return True
        place, request.place = request.place or self._places.place(), None
        if is_small:
            request.place = place
        else:
            request.answer = asyncio.ensure_future(self._decide_aside(one, coding, place))
        return is_small

    def _decide_together(self, service: Service | Scorer, some: Sequence[Inference]) -> None:
        requests = [one.request for one in some]
        outcome = service.infer([_call(one, one.request.body) for one in some])
        for request, done in zip(requests, outcome.each, strict=True):
            request.answer = _reply(done, service, request)
        if self._recorder is not None and (written := self._recorder.write(outcome.records)) is not None:
            decided = [one for one, done in zip(requests, outcome.each, strict=True) if type(done) is Done]
            Withheld(decided, self._deadline).until(written)

    async def _decide_aside(self, one: Inference, coding: bytes, place: Place) -> Reply:
        request = one.request
        try:
            with place:
                async with asyncio.timeout(max(0.0, request.start + self._deadline - perf_counter())):
                    reply, lines = await place.work(self._work, one, coding)
                    if (written := self._write(lines, reply.rows)) is not None:
                        place.until(written)
                        await asyncio.shield(written)
                    return reply
        except TimeoutError:
            return refusal(_too_late(self._deadline), request.id)
        except Exception as error:  # noqa: BLE001  whatever it is, the client gets an answer
            return refusal(error, request.id)

    def _work(self, one: Inference, coding: bytes) -> tuple[Reply, bytes | None]:
        """All that takes time, the records too; none where they cannot be rendered. Runs in a thread."""
        request = one.request
        body = expand(request.body, coding, self._max_body_bytes) if coding else request.body
        outcome = one.service.infer([_call(one, body)])
        reply = _reply(outcome.each[0], one.service, request)
        try:
            return reply, render(outcome.records)
        except Exception:
            if self._withholds:
                raise
            return reply, None

    def _write(self, lines: bytes | None, rows: int) -> asyncio.Future[None] | None:
        if self._recorder is None or lines == b"":
            return None
        if lines is None:
            self._recorder.lose(rows)
            return None
        return self._recorder.write_lines(lines, rows)


class Withheld:
    """Answers that leave once their records are written, or are refused when their time is up before.

    A request keeps its place until the writing has ended, either way.
    """

    def __init__(self, requests: Sequence[Request], seconds: float) -> None:
        """Hold back the answers of ``requests``, of which each has ``seconds`` from its start."""
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._held: list[tuple[Request, Reply, asyncio.Future[Reply], Place | None]] = []
        for request in requests:
            assert type(request.answer) is Reply  # noqa: S101  it was decided just now
            later: asyncio.Future[Reply] = self._loop.create_future()
            self._held.append((request, request.answer, later, request.place))
            request.answer, request.place = later, None
        self._timer = self._loop.call_later(self._left(), self._refuse_the_late)

    def until(self, written: asyncio.Future[None]) -> None:
        """Let them go when this is done."""
        written.add_done_callback(self._let_go)

    def _let_go(self, written: asyncio.Future[None]) -> None:
        self._timer.cancel()
        error = NotRecorded(UNWRITTEN) if written.cancelled() else written.exception()
        for request, reply, later, place in self._held:
            if place is not None:
                place.leave()
            if not later.done():
                later.set_result(refusal(error, request.id) if isinstance(error, Exception) else reply)

    def _left(self) -> float:
        """Seconds until the next of them is late."""
        starts = (request.start for request, _, later, _ in self._held if not later.done())
        return max(0.0, min(starts) + self._seconds - perf_counter())

    def _refuse_the_late(self) -> None:
        now = perf_counter()
        for request, _, later, _ in self._held:
            if not later.done() and request.start + self._seconds <= now:
                later.set_result(refusal(_too_late(self._seconds), request.id))
        if not all(later.done() for _, _, later, _ in self._held):
            self._timer = self._loop.call_later(self._left(), self._refuse_the_late)


def _call(one: Inference, body: bytes) -> Call:
    return Call(one.wire, body, one.request.fields, one.request.id)


def _reply(done: Done | Exception, service: Service | Scorer, request: Request) -> Reply:
    if isinstance(done, Exception):
        return refusal(done, request.id)
    name, rows, body, kind, fields = done
    if len(body) >= WORTH and (wanted := accepted_by(request.fields)):
        body = compress(body, wanted)
        fields = (*fields, (b"content-encoding", wanted), (b"vary", b"accept-encoding"))
    return Reply(200, body, kind, service.fields + fields, rows, name, service.name, service.engine.digest)


def _too_late(seconds: float) -> TooLate:
    return TooLate(f"There was no answer within {seconds} seconds.", "Send fewer rows, or wait.")
