"""The one door of the fake: SageMaker to us, everything else to moto, ``/trivet-fake/`` to the control API."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from trivet.rehearsal.fakes.aws.calls import Call, Calls, body
from trivet.rehearsal.fakes.aws.control import Control
from trivet.rehearsal.fakes.aws.faults import Fault
from trivet.rehearsal.fakes.aws.refusals import render
from trivet.rehearsal.fakes.aws.sagemaker import SageMaker
from trivet.rehearsal.fakes.aws.world import OWN_KEY, World
from trivet.rehearsal.fakes.faults import Faults
from trivet.rehearsal.fakes.handle import PREFIX
from trivet.rehearsal.fakes.refusing import Answer, Refused
from trivet.rehearsal.locked import UNCHECKED, lacks_checksum

HOST = "127.0.0.1"
_RESET = "/moto-api/reset"
Start = Callable[..., Any]


class _Handler(MotoRequestHandler):
    """Says nothing on the terminal, and answers without waiting for more to send."""

    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  the name is werkzeug's
        """Nothing: the list of calls says more."""


class Service:
    """A WSGI application, called from many threads."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._sagemaker = SageMaker(world)
        self._creating = threading.Lock()
        self._calls = Calls(OWN_KEY, world.principals)
        self._faults = Faults(Fault)
        self._control = Control(world, self._sagemaker, self._calls, self._faults, self._reset_moto)

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """One request."""
        path = environ.get("PATH_INFO", "")
        if path.startswith(PREFIX):
            return _send(self._control.answer(environ["REQUEST_METHOD"], path, body(environ)), start)
        if path.startswith("/moto-api/"):
            if path == _RESET:
                self._world.forget()
            return self._moto(environ, start)
        call, own = self._calls.identify(environ)
        if own:
            return self._moto(environ, start)
        self._calls.note(call)
        return self._weathered(call, environ, start)

    def _weathered(self, call: Call, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        fault = self._faults.next(call)
        if fault is None:
            return self._answer(call, environ, start)
        body(environ)  # whatever happens, it was sent
        if fault.kind == "error":
            return _send(render(fault.error(call), call.protocol), start)
        if fault.kind == "cut":
            return _cut(environ)
        if fault.kind == "delay":
            time.sleep(fault.seconds)
            return self._answer(call, environ, start)
        for _ in self._answer(call, environ, lambda *_: None):
            pass
        return _cut(environ)

    def _answer(self, call: Call, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        if call.service != "sagemaker":
            if self._world.constraints.holds("locked-upload") and lacks_checksum(environ):
                body(environ)
                return _send(render(Refused("InvalidRequest", UNCHECKED), call.protocol), start)
            self._world.scaling |= call.service == "application-autoscaling"
            # moto looks and writes in two steps: of several who create one object at once it would let more than one.
            if environ.get("HTTP_IF_NONE_MATCH") == "*":
                with self._creating:
                    return self._moto(environ, start)
            return self._moto(environ, start)
        try:
            if call.protocol == "json":
                answer = self._sagemaker.control(call.region, call.operation, environ)
            else:
                answer = self._sagemaker.runtime(call.region, environ)
        except Refused as refused:
            return _send(render(refused, "json"), start)
        return self._moto(environ, start) if answer is None else _send(answer, start)

    def _reset_moto(self) -> None:
        environ = {"REQUEST_METHOD": "POST", "PATH_INFO": _RESET, "wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0"}
        usual = {"SERVER_NAME": HOST, "SERVER_PORT": "80", "wsgi.url_scheme": "http", "wsgi.errors": io.StringIO()}
        for _ in self._moto({**environ, **usual, "HTTP_HOST": HOST}, lambda *_: None):
            pass


def listen(world: World, port: int) -> BaseWSGIServer:
    """A server on a port of 127.0.0.1; 0 stands for a free one."""
    server = make_server(HOST, port, Service(world), threaded=True, request_handler=_Handler)
    world.endpoint = f"http://{HOST}:{server.server_port}"
    return server


def _send(answer: Answer, start: Start) -> Iterable[bytes]:
    status, headers, content = answer
    start(f"{status} {'OK' if status < 400 else 'Refused'}", [*headers, ("Content-Length", str(len(content)))])
    return [content]


def _cut(environ: dict[str, Any]) -> Iterable[bytes]:
    """End the connection without an answer.

    :raises ConnectionAbortedError: which the server takes for a client that has left.
    """
    connection: socket.socket = environ["werkzeug.socket"]
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError
