"""What a program and its plugins tell the engine itself: Pulumi's engine service."""

# ruff: noqa: N802, ARG002 — names and signatures are the protocol's
from __future__ import annotations

from contextlib import AbstractContextManager

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc
from semver import VersionInfo

from trivet.core.errors import ConfigError
from trivet.infra.engine.checkpoint import VERSION
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

    def RequirePulumiVersion(
        self, request: engine_pb2.RequirePulumiVersionRequest, context: grpc.ServicerContext
    ) -> engine_pb2.RequirePulumiVersionResponse:
        """What versions of Pulumi a program runs with."""
        with self.serving(context):
            wanted = request.pulumi_version_range
            if not _is_within(wanted):
                raise ConfigError(
                    f"The program requires Pulumi {wanted}, and the embedded engine stands for {VERSION}.",
                    "Use the pulumi CLI, or widen the range.",
                )
        return engine_pb2.RequirePulumiVersionResponse()


def _is_within(wanted: str) -> bool:
    """Whether the version that the engine stands for is within a range such as ``>=3.1.0 <4.0.0 || 5.0.0``."""
    version = VersionInfo.parse(VERSION)
    try:
        return any(all(map(version.match, alternative.split())) for alternative in wanted.split("||"))
    except ValueError as error:
        raise ConfigError(f"'{wanted}' is no range of versions: {error}", "Write it as in >=3.1.0 <4.0.0.") from error


refuse_the_rest(Logs, engine_pb2.DESCRIPTOR.services_by_name["Engine"])


def serving(logs: Logs) -> AbstractContextManager[str]:
    """The address at which it is served."""
    return served(lambda server: engine_pb2_grpc.add_EngineServicer_to_server(logs, server), _THREADS)
