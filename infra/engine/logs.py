"""What a program and its plugins tell the engine itself: Pulumi's engine service."""

# ruff: noqa: N802, ARG002 — names and signatures are the protocol's
from __future__ import annotations

from contextlib import AbstractContextManager

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from trivet.infra.engine.events import Report
from trivet.infra.engine.gate import Gate
from trivet.infra.engine.services import Service, refuse_the_rest, served

_SEVERITIES = {engine_pb2.INFO: "info", engine_pb2.WARNING: "warning", engine_pb2.ERROR: "error"}
_THREADS = 4


class Logs(Service, engine_pb2_grpc.EngineServicer):
    """Takes messages, and keeps the URN of the stack's own resource."""

    def __init__(self, report: Report, gate: Gate) -> None:
        self.gate = gate
        self._report = report
        self._root = ""

    def Log(self, request: engine_pb2.LogRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """What the program or a plugin logs; its own account of an error comes with the end of its run."""
        ending = self.gate.closed or request.message.startswith("python inline source runtime error")
        if request.severity in _SEVERITIES and not (request.severity == engine_pb2.ERROR and ending):
            self._report.diagnostic(_SEVERITIES[request.severity], request.message, request.urn)
        return empty_pb2.Empty()

    def GetRootResource(
        self, request: engine_pb2.GetRootResourceRequest, context: grpc.ServicerContext
    ) -> engine_pb2.GetRootResourceResponse:
        """The URN of the stack's own resource."""
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def SetRootResource(
        self, request: engine_pb2.SetRootResourceRequest, context: grpc.ServicerContext
    ) -> engine_pb2.SetRootResourceResponse:
        """Told by SDKs that keep it here."""
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()


refuse_the_rest(Logs, engine_pb2.DESCRIPTOR.services_by_name["Engine"])


def serving(logs: Logs) -> AbstractContextManager[str]:
    """The address at which it is served."""
    return served(lambda server: engine_pb2_grpc.add_EngineServicer_to_server(logs, server), _THREADS)
