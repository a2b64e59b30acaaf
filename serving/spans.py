"""Spans on their way to a collector. Imports OpenTelemetry, so only ``tracing`` imports this, and only to trace."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any
from uuid import uuid4

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import (
    SERVICE_INSTANCE_ID,
    SERVICE_NAME,
    SERVICE_VERSION,
    TELEMETRY_SDK_LANGUAGE,
    TELEMETRY_SDK_NAME,
    TELEMETRY_SDK_VERSION,
    OTELResourceDetector,
    Resource,
)
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.sdk.version import __version__ as sdk_version
from opentelemetry.trace import Tracer

from trivet import __version__
from trivet.serving.config import TraceSettings
from trivet.serving.log import say

SCHEMA = "https://opentelemetry.io/schemas/1.38.0"  # of the names below and in ``tracing``
QUEUE = 2048  # spans that may wait
BATCH = 128  # spans sent at a time: encoding them takes about 5 ms, for which requests wait
DELAY = 1.0  # seconds for which spans gather
SEND_SECONDS = 5.0  # for one batch, with its repetitions
CLOSE_SECONDS = 2.0  # for what is left when the server leaves
QUIET_SECONDS = 60.0  # between two lines about what was dropped

OnDrop = Callable[[int], None]


class Sender(SpanProcessor):
    """Takes spans without ever waiting, and sends them from a thread of its own.

    What the queue or the collector does not take is dropped and counted: ``on_drop`` is told of it in that thread, and
    the log at most once a minute.
    """

    def __init__(self, exporter: SpanExporter, why: Callable[[], str], on_drop: OnDrop) -> None:
        """:param why: says what became of the last attempt to send."""
        self._exporter = exporter
        self._why = why
        self._on_drop = on_drop
        self._waiting: deque[ReadableSpan] = deque()
        self._refused = 0  # only ever raised by those who bring spans
        self._counted = 0  # of these, those that were reported
        self._untold = 0
        self._told_at = float("-inf")
        self._in_hand = 0
        self._lock = Lock()
        self._wake = Event()
        self._leaving = self._abandoned = False
        self._thread = Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span, or count it as dropped."""
        if len(self._waiting) >= QUEUE or self._leaving:
            self._refused += 1
            return
        self._waiting.append(span)
        if len(self._waiting) == BATCH:
            self._wake.set()

    def shutdown(self) -> None:
        """Send what is left, for ``CLOSE_SECONDS`` at most."""
        if self._leaving:
            return
        self._leaving = True
        self._wake.set()
        self._thread.join(CLOSE_SECONDS)
        with self._lock:
            self._abandoned = True  # a thread that hangs ends with the process
            self._drop(self._in_hand + len(self._waiting))
        self._exporter.shutdown()
        if self._untold:
            self._tell()

    def _run(self) -> None:
        while not self._leaving:
            self._wake.wait(DELAY)
            self._wake.clear()
            self._send_all()
        self._send_all()

    def _send_all(self) -> None:
        while self._waiting and not self._abandoned:
            self._send([self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))])

    def _send(self, batch: list[ReadableSpan]) -> None:
        self._in_hand = len(batch)
        try:
            sent = self._exporter.export(batch) is SpanExportResult.SUCCESS
        except Exception:  # noqa: BLE001  whatever it is, the next batch may fare better
            sent = False
        with self._lock:
            if not self._abandoned:
                self._drop(0 if sent else len(batch))
            self._in_hand = 0

    def _drop(self, count: int) -> None:
        """Count these, and those that did not fit since the last call."""
        refused = self._refused
        count += refused - self._counted
        self._counted = refused
        if not count:
            return
        self._untold += count
        self._on_drop(count)
        if monotonic() - self._told_at >= QUIET_SECONDS:
            self._tell()

    def _tell(self) -> None:
        self._told_at = monotonic()
        say("warning", "spans dropped", count=self._untold, reason=self._why())
        self._untold = 0


class Session(requests.Session):
    """Goes to the collector and nowhere else, and remembers what became of the last attempt.

    A proxy or a password that the environment or the user's home holds for other purposes stays out of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.outcome = "nothing was sent yet"

    def request(self, *arguments: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        """Send one request."""
        self.outcome = "the collector does not answer"
        try:
            response = super().request(*arguments, **options)
        except requests.RequestException as error:
            self.outcome = type(error).__name__
            raise
        self.outcome = f"the collector answered {response.status_code}"
        return response


def make_tracer(settings: TraceSettings, endpoint: str, on_drop: OnDrop) -> tuple[Tracer, Sender]:
    """What begins spans, and what sends those that are sampled.

    Of the environment it reads what cannot change where spans go: attributes of the resource, and what the collector
    asks for by way of header fields, certificates and compression.
    """
    for library in ("opentelemetry", "urllib3"):  # the sender says what matters, once a minute
        logging.getLogger(library).addHandler(logging.NullHandler())
        logging.getLogger(library).propagate = False
    session = Session()
    exporter = OTLPSpanExporter(settings.endpoint, timeout=SEND_SECONDS, session=session)
    sender = Sender(exporter, lambda: session.outcome, on_drop)
    provider = TracerProvider(
        sampler=ParentBasedTraceIdRatio(settings.sample), resource=resource(endpoint), shutdown_on_exit=False
    )
    provider.add_span_processor(sender)
    return provider.get_tracer("trivet.serving", __version__, SCHEMA), sender


def resource(endpoint: str) -> Resource:
    """Who sends: this endpoint, in this process, with what ``OTEL_RESOURCE_ATTRIBUTES`` adds."""
    own = {
        TELEMETRY_SDK_LANGUAGE: "python",
        TELEMETRY_SDK_NAME: "opentelemetry",
        TELEMETRY_SDK_VERSION: sdk_version,
        SERVICE_INSTANCE_ID: str(uuid4()),
    }
    fixed = {SERVICE_NAME: endpoint, SERVICE_VERSION: __version__}
    return Resource(own, SCHEMA).merge(OTELResourceDetector().detect()).merge(Resource(fixed))
