"""OpenTelemetry traces: one server span per request, after the W3C's trace context and the semantic conventions.

Nothing of OpenTelemetry is imported before a tracer is opened, and no environment variable opens one. A span holds
what the log holds of a request, never a value of a row.
Sources: https://www.w3.org/TR/trace-context/, https://opentelemetry.io/docs/specs/semconv/http/http-spans/.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import time_ns
from typing import TYPE_CHECKING, Any, Self

from trivet.core.errors import ConfigError
from trivet.platforms.extras import extra
from trivet.serving.config import TraceSettings

if TYPE_CHECKING:
    from opentelemetry import trace

    from trivet.serving.spans import Sender

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"))


class Trace:
    """One request's part of a trace. ``id`` is the trace's, in hex, for the log."""

    __slots__ = ("_span", "id")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self.id = f"{span.get_span_context().trace_id:032x}"

    def end(
        self, status: int, request_id: str, rows: int, model: str | None, package: str | None, failure: str = ""
    ) -> None:
        """Say what became of the request; does nothing where the trace is not sampled.

        :param failure: begins with the kind of the error; the rest is for the log only.
        """
        span = self._span
        if not span.is_recording():
            return
        attributes: dict[str, Any] = {"http.response.status_code": status, "trivet.request_id": request_id}
        if rows:
            attributes["trivet.rows"] = rows
        if model:
            attributes["trivet.model"] = model
        if package:
            attributes["trivet.package"] = package
        kind = failure.partition(" ")[0]
        if kind:
            attributes["trivet.failure"] = kind
        if status >= 500:
            from opentelemetry.trace import Status, StatusCode

            attributes["error.type"] = kind or str(status)
            span.set_status(Status(StatusCode.ERROR))
        span.set_attributes(attributes)
        span.end()


class Tracer:
    """Begins the span of each request. All methods but ``close`` belong to one thread, and none but it ever waits."""

    def __init__(self, tracer: trace.Tracer, sender: Sender) -> None:
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._tracer = tracer
        self._sender = sender
        self._alone = Context()
        self._extract = TraceContextTextMapPropagator().extract
        self._kind = SpanKind.SERVER

    @classmethod
    def open(cls, settings: TraceSettings, endpoint: str, on_drop: Callable[[int], None] | None = None) -> Self:
        """Begin to trace: to the collector that the settings name, whether it is there or not.

        :param endpoint: name of the service.
        :param on_drop: told, in another thread, how many spans the collector or the queue did not take.
        :raises ConfigError: when OpenTelemetry is not installed, or its own variables cannot be read.
        """
        with extra("trace"):
            try:
                from trivet.serving.spans import make_tracer

                return cls(*make_tracer(settings, endpoint, on_drop or _ignore))
            except (ValueError, OSError, RuntimeError) as error:
                raise ConfigError(
                    f"Traces cannot be sent: {error}.", "Look for a variable of the environment that begins with OTEL_."
                ) from error

    def begin(
        self, headers: Mapping[bytes, bytes], method: str, route: str | None, path: str | None = None, ago: float = 0.0
    ) -> Trace:
        """Begin the span of a request, as part of the trace that its client names.

        Whether it is sampled is the client's decision; the settings decide for traces that begin here.

        :param headers: by name in lower case.
        :param path: where it is one of the server's own. What else a client asks for stays out of the span.
        :param ago: seconds since it began.
        """
        context = self._alone
        if (parent := headers.get(b"traceparent")) is not None:
            carrier = {"traceparent": parent.decode("latin-1")}
            if (state := headers.get(b"tracestate")) is not None:
                carrier["tracestate"] = state.decode("latin-1")
            context = self._extract(carrier, context)
        known = method in METHODS
        name = method if known else "HTTP"
        attributes: dict[str, Any] = {"http.request.method": method if known else "_OTHER", "url.scheme": "http"}
        if route is not None:
            name = f"{name} {route}"
            attributes["http.route"] = route
            if path is not None:
                attributes["url.path"] = path
        since = time_ns() - round(ago * 1e9) if ago else None
        return Trace(self._tracer.start_span(name, context, self._kind, attributes, start_time=since))

    def close(self) -> None:
        """Send what is left, for two seconds at most."""
        self._sender.shutdown()


def _ignore(_: int) -> None:
    """Nobody counts."""
