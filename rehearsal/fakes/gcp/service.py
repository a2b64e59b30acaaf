"""The one door of the fake: Cloud Storage by two APIs, Vertex AI, Cloud KMS, Cloud Monitoring and what else
has no SDK here, and ``/trivet-fake/`` to the control API."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from trivet.rehearsal.fakes.befalling import answered
from trivet.rehearsal.fakes.calls import CallLog
from trivet.rehearsal.fakes.faults import Faults
from trivet.rehearsal.fakes.gcp import project
from trivet.rehearsal.fakes.gcp.control import Control
from trivet.rehearsal.fakes.gcp.faults import STORAGE, Call, Fault
from trivet.rehearsal.fakes.gcp.iam import Iam
from trivet.rehearsal.fakes.gcp.kms import Kms
from trivet.rehearsal.fakes.gcp.monitoring import Monitoring
from trivet.rehearsal.fakes.gcp.refusals import left_out, render, render_storage, render_xml
from trivet.rehearsal.fakes.gcp.storage import jsonapi, xmlapi
from trivet.rehearsal.fakes.gcp.storage.uploads import Sessions
from trivet.rehearsal.fakes.gcp.world import NUMBER, PROJECT, World
from trivet.rehearsal.fakes.handle import PREFIX
from trivet.rehearsal.fakes.refusing import Answer, Refused
from trivet.rehearsal.fakes.server import Request, Server

if TYPE_CHECKING:
    from trivet.rehearsal.fakes.gcp.vertex.service import VertexAi

_OF_VERTEX = ("/v1/", "/ui/", "/v2/")
_OF_JSON = (jsonapi.PLAIN, jsonapi.UPLOAD, jsonapi.DOWNLOAD)


class Service:
    """Answers every request, from many threads."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sessions = Sessions(world.storage)
        self._json = jsonapi.JsonApi(world.storage, self._sessions, world.address, PROJECT, NUMBER)
        self._xml = xmlapi.XmlApi(world.storage, self._sessions, world.address)
        self._kms = Kms(world.constraints)
        self._monitoring = Monitoring(world.constraints)
        self._iam = Iam(world.constraints)
        self._apis = (
            self._kms.api(),
            self._monitoring.api(),
            self._iam.api(),
            project.permissions(world.constraints),
            project.images(world.constraints, world.images),
        )
        self._calls = CallLog[Call]()
        self._faults: Faults[Fault] = Faults(Fault)
        self._control = Control(
            world,
            self._calls,
            self._faults,
            forget=self._forget,
            interrupt=lambda job: self._vertex().interrupt(job),
            force=lambda job, word: self._vertex().force(job, word),
            alert=self._monitoring.alert,
        )
        self._loading = threading.Lock()
        self._loaded: VertexAi | None = None

    def __call__(self, request: Request) -> Answer:
        """One request."""
        if request.path.startswith(PREFIX):
            return self._control.answer(request.method, request.path, request.body)
        call, answer, told = self._routed(request)
        self._calls.note(call)
        return answered(call, self._faults.next(call), answer, told)

    def _routed(self, request: Request) -> tuple[Call, Callable[[], Answer], Callable[[Refused], Answer]]:
        """What is asked for, how it is answered, and how it is refused."""
        if request.path.startswith("/batch/storage/v1"):
            return Call(STORAGE, "batch", ""), lambda: _refuse("batches"), render_storage
        if request.path.startswith(_OF_JSON):
            operation, resource = jsonapi.operation(request)
            return Call(STORAGE, operation, resource), lambda: self._json.answer(request, operation), render_storage
        for api in self._apis:
            if api.serves(request):
                return Call(api.service, *api.operation(request)), lambda api=api: api.answer(request), render
        if request.path.startswith(_OF_VERTEX):
            vertex = self._vertex()
            operation, resource = vertex.operation(request)
            service = "logging" if request.path.startswith("/v2/") else "aiplatform"
            return Call(service, operation, resource), lambda: vertex.answer(request), render
        operation, resource = xmlapi.operation(request)
        return Call(STORAGE, operation, resource), lambda: self._xml.answer(request, operation), render_xml

    def _vertex(self) -> VertexAi:
        """Loaded when first asked for: Google's types take seconds, and files need none of them."""
        with self._loading:
            if self._loaded is None:
                from trivet.rehearsal.fakes.gcp.vertex.service import VertexAi

                self._loaded = VertexAi(self._world)
            return self._loaded

    def _forget(self) -> None:
        if self._loaded is not None:
            self._loaded.forget()
        self._kms.forget()
        self._monitoring.forget()
        self._iam.forget()
        self._sessions.clear()
        self._xml.clear()
        self._world.forget()


def _refuse(what: str) -> Answer:
    raise left_out(what)


def listen(world: World, port: int) -> Server:
    """A server on a port of 127.0.0.1; 0 stands for a free one."""

    def make(address: str) -> Service:
        world.listens(address)
        return Service(world)

    return Server(port, make)
