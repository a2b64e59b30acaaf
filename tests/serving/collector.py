"""A collector of traces, as OTLP over HTTP knows it: it takes, holds back or refuses what it is told to."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP, and answers as it is told to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Door)
        self.statuses: list[int] = []  # of the next answers; 200 after that
        self.usual = 200
        self.hold = threading.Event()
        self.hold.set()
        self.bodies: list[bytes] = []
        self.fields: list[dict[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1/traces"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A server that was killed is no news."""

    def requests(self) -> list[ExportTraceServiceRequest]:
        """All that arrived."""
        return [ExportTraceServiceRequest.FromString(body) for body in list(self.bodies)]

    def spans(self) -> list[Span]:
        """Every span of it."""
        return [
            span
            for request in self.requests()
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def resource(self) -> dict[str, Any]:
        """Who sent the first of them."""
        return attributes_of(self.requests()[0].resource_spans[0].resource)


class Door(BaseHTTPRequestHandler):
    """One connection to the collector."""

    protocol_version = "HTTP/1.1"
    server: Collector

    def do_POST(self) -> None:
        """Keep what was sent where it is taken."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.hold.wait()
        status = self.server.statuses.pop(0) if self.server.statuses else self.server.usual
        if status == 200:
            self.server.fields.append({name.lower(): value for name, value in self.headers.items()})
            self.server.bodies.append(body)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if status == 503:
            self.send_header("Retry-After", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


def attributes_of(thing: Any) -> dict[str, Any]:
    """Attributes as Python has them."""
    return {
        one.key: getattr(one.value, one.value.WhichOneof("value"))  # a string or a number
        for one in thing.attributes
    }
