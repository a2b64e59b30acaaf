"""The one door of the fake: every service by its name, and ``/trivet-fake/`` to the control API."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from trivet.rehearsal.fakes.azure.access import IDENTITY
from trivet.rehearsal.fakes.azure.faults import Call, Fault
from trivet.rehearsal.fakes.azure.names import service
from trivet.rehearsal.fakes.azure.refusals import render, render_login, render_storage
from trivet.rehearsal.fakes.azure.storage.service import BlobService
from trivet.rehearsal.fakes.azure.vault.service import Vaults
from trivet.rehearsal.fakes.azure.world import World
from trivet.rehearsal.fakes.befalling import answered
from trivet.rehearsal.fakes.calls import CallLog
from trivet.rehearsal.fakes.control import AnyControl
from trivet.rehearsal.fakes.faults import Faults
from trivet.rehearsal.fakes.handle import PREFIX
from trivet.rehearsal.fakes.refusing import Answer, Refused
from trivet.rehearsal.fakes.server import Request, Server
from trivet.rehearsal.ports import HOST

if TYPE_CHECKING:
    from trivet.rehearsal.fakes.azure.ml.service import MachineLearning

_Routed = tuple[Call, Callable[[], Answer], Callable[[Refused], Answer]]


class Service:
    """Answers every request, from many threads."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._calls = CallLog[Call]()
        self._faults: Faults[Fault] = Faults(Fault)
        self._control = AnyControl(world, self._calls, self._faults, self._forget)
        self._blobs = BlobService(world)
        self._vaults = Vaults(world)
        self._loading = threading.Lock()
        self._loaded: MachineLearning | None = None

    def __call__(self, request: Request) -> Answer:
        """One request."""
        if request.host == HOST and request.path.startswith(PREFIX):
            return self._control.answer(request.method, request.path, request.body)
        call, answer, told = self._routed(request)
        self._calls.note(call)
        return answered(call, self._faults.next(call), answer, told)

    def _routed(self, request: Request) -> _Routed:
        """What is asked for, how it is answered, and how it is refused."""
        name = service(request.host)
        if request.host == HOST and request.path == IDENTITY:
            return Call("identity", "GetToken", ""), lambda: self._world.tokens.of_identity(request), render_login
        if name == "login":
            return Call(name, "GetToken", request.path), lambda: self._world.tokens.of_login(request), render_login
        if name == "blob":
            operation, resource = self._blobs.operation(request)
            return Call(name, operation, resource), lambda: self._blobs.answer(request), render_storage
        if name == "keyvault":
            operation, resource = self._vaults.operation(request)
            return Call(name, operation, resource), lambda: self._vaults.answer(request), render
        if name:
            learning = self._learning()
            operation, resource = learning.operation(name, request)
            return Call(name, operation, resource), lambda: learning.answer(name, request), render
        said = f"{request.host} is no name of this fake."
        return Call("elsewhere", request.method, request.host), lambda: _refuse(said), render

    def _learning(self) -> MachineLearning:
        """Loaded when first asked for: the SDK takes seconds, and files need none of it."""
        with self._loading:
            if self._loaded is None:
                from trivet.rehearsal.fakes.azure.ml.service import MachineLearning

                self._loaded = MachineLearning(self._world)
            return self._loaded

    def _forget(self) -> None:
        with self._loading:
            if self._loaded is not None:
                self._loaded.close()
            self._loaded = None
        self._vaults.forget()
        self._world.forget()
        self._world.begin()


def _refuse(said: str) -> Answer:
    raise Refused("NotFound", said, 404)


def listen(world: World, port: int) -> Server:
    """A server on a port of 127.0.0.1; 0 stands for a free one."""

    def make(address: str) -> Service:
        world.address = address
        return Service(world)

    return Server(port, make, lambda name: world.authority.context(name) if service(name) else None)
