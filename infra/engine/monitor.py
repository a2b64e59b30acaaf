"""What the program talks to: Pulumi's resource monitor and engine services.

A request becomes a :class:`~trivet.infra.engine.steps.Goal`; whatever in it the engine does not implement is refused by
name. The first error closes the gate, and every further call is told that the monitor is gone, which ends the program.
"""

# ruff: noqa: N802, ARG002 — names and signatures are the protocol's
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf import empty_pb2
from google.protobuf.message import Message
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, resource_pb2, resource_pb2_grpc

from trivet.core.errors import Unsupported
from trivet.infra.engine.events import Report
from trivet.infra.engine.gate import Gate
from trivet.infra.engine.plugins import require
from trivet.infra.engine.state import Resource, make_urn
from trivet.infra.engine.steps import Goal, Steps
from trivet.infra.engine.values import from_struct, to_struct

FEATURES = {
    "secrets": resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    "aliasSpecs": resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
}
"""What is announced to the SDK, and works. Without ``secrets`` the SDK would send secrets in clear."""

_TAKEN = {
    "type", "name", "parent", "custom", "object", "protect", "dependencies", "propertyDependencies",
    "deleteBeforeReplace", "deleteBeforeReplaceDefined", "ignoreChanges", "additionalSecretOutputs",
    "retainOnDelete", "aliases",
}  # fmt: skip
_ABOUT_THE_SDK = {
    "acceptSecrets", "acceptResources", "supportsPartialValues", "supportsResultReporting", "aliasSpecs",
    "sourcePosition", "stackTrace", "parentStackTraceHandle", "accepts_byte_string",
}  # fmt: skip
_SEVERITIES = {engine_pb2.INFO: "info", engine_pb2.WARNING: "warning", engine_pb2.ERROR: "error"}


class Monitor(resource_pb2_grpc.ResourceMonitorServicer, engine_pb2_grpc.EngineServicer):
    """Serves one run of one program."""

    def __init__(self, stack: str, project: str, steps: Steps, report: Report, gate: Gate) -> None:
        self._stack = stack
        self._project = project
        self._steps = steps
        self._report = report
        self._gate = gate
        self._aliases: dict[str, tuple[str, ...]] = {}
        self._root = ""

    @contextmanager
    def _serving(self, context: grpc.ServicerContext) -> Iterator[None]:
        """Close the gate on the first error; the SDK takes the status for the end of the monitor."""
        try:
            with self._gate:
                yield
        except BaseException as error:  # noqa: BLE001 kept, and raised by the thread that runs the operation
            self._gate.close(error)
            context.abort(grpc.StatusCode.UNAVAILABLE, "the operation is ending")

    def GetDeploymentInfo(self, request: Any, context: grpc.ServicerContext) -> resource_pb2.DeploymentInfo:
        """Announce what this engine implements."""
        return resource_pb2.DeploymentInfo(
            project=self._project, stack=self._stack, supportedFeatures=FEATURES.values()
        )

    def SupportsFeature(self, request: Any, context: grpc.ServicerContext) -> resource_pb2.SupportsFeatureResponse:
        """The same for SDKs that ask one by one."""
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id in FEATURES)

    def RegisterResource(
        self, request: resource_pb2.RegisterResourceRequest, context: grpc.ServicerContext
    ) -> resource_pb2.RegisterResourceResponse:
        """One resource of the program."""
        with self._serving(context):
            goal = self._goal(request)
            self._report.hide(goal.want.inputs)
            made = self._steps.register(goal)
            return resource_pb2.RegisterResourceResponse(
                urn=made.urn, id=made.id, object=to_struct(made.outputs if made.custom else made.inputs)
            )
        raise AssertionError("abort raises")

    def RegisterResourceOutputs(
        self, request: resource_pb2.RegisterResourceOutputsRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """A component's or the stack's outputs."""
        with self._serving(context):
            outputs = from_struct(request.outputs)
            self._report.hide(outputs)
            self._steps.outputs(request.urn, outputs)
        return empty_pb2.Empty()

    def SignalAndWaitForShutdown(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """The program has registered everything."""
        return empty_pb2.Empty()

    def GetRootResource(self, request: Any, context: grpc.ServicerContext) -> engine_pb2.GetRootResourceResponse:
        """The URN of the stack's own resource."""
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def SetRootResource(self, request: Any, context: grpc.ServicerContext) -> engine_pb2.SetRootResourceResponse:
        """Told by SDKs that keep it here."""
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()

    def Log(self, request: engine_pb2.LogRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """What the program or a plugin logs; its own account of an error comes with the end of its run."""
        ending = self._gate.closed or request.message.startswith("python inline source runtime error")
        if request.severity in _SEVERITIES and not (request.severity == engine_pb2.ERROR and ending):
            self._report.diagnostic(_SEVERITIES[request.severity], request.message, request.urn)
        return empty_pb2.Empty()

    def _goal(self, request: resource_pb2.RegisterResourceRequest) -> Goal:
        _refuse_unknown(request)
        urn = make_urn(self._stack, self._project, request.parent, request.type, request.name)
        aliases = tuple(dict.fromkeys(self._alias_urns(request, urn)))
        self._aliases[urn] = aliases
        return Goal(
            Resource(
                urn=urn,
                custom=request.custom,
                type=request.type,
                inputs=from_struct(request.object),
                parent=request.parent,
                protect=request.protect,
                dependencies=tuple(sorted(request.dependencies)),
                property_dependencies={
                    name: sorted(deps.urns) for name, deps in sorted(request.propertyDependencies.items())
                },
                additional_secret_outputs=tuple(request.additionalSecretOutputs),
                aliases=aliases,
                retain_on_delete=request.retainOnDelete,
                ignore_changes=tuple(request.ignoreChanges),
            ),
            request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        )

    def _alias_urns(self, request: resource_pb2.RegisterResourceRequest, urn: str) -> Iterator[str]:
        """Every URN that the resource may have had: by its own aliases, its parent's, and both together."""
        parents = [request.parent, *self._aliases.get(request.parent, ())]
        for parent in parents[1:]:
            yield make_urn(self._stack, self._project, parent, request.type, _name_under(request, parent))
        for alias in request.aliases:
            if alias.urn:
                yield alias.urn
                continue
            spec = alias.spec
            for parent in [spec.parentUrn] if spec.parentUrn else [""] if spec.noParent else parents:
                name = spec.name or _name_under(request, parent)
                stack, project = spec.stack or self._stack, spec.project or self._project
                former = make_urn(stack, project, parent, spec.type or request.type, name)
                if former != urn:
                    yield former


def _name_under(request: resource_pb2.RegisterResourceRequest, parent: str) -> str:
    """A child that is named after its parent was named after its parent's former name."""
    current, former = (urn.rsplit("::", 1)[-1] for urn in (request.parent, parent))
    return former + request.name[len(current) :] if request.name.startswith(current) else request.name


def _refuse_unknown(request: resource_pb2.RegisterResourceRequest) -> None:
    """:raises Unsupported: for a package without a plugin, or an option that would have to be ignored."""
    if request.custom:
        require(request.type.split(":", 1)[0])
    for field, value in request.ListFields():
        empty = isinstance(value, Message) and not value.ByteSize()
        if field.name not in _TAKEN | _ABOUT_THE_SDK and not empty:
            raise _unsupported(f"the resource option '{field.name}'", request)
    for option in ("ignoreChanges", "additionalSecretOutputs"):
        for path in getattr(request, option):
            if any(sign in path for sign in ".[]*"):
                raise _unsupported(f"the nested path '{path}' in '{option}'", request)


def _unsupported(what: str, request: resource_pb2.RegisterResourceRequest) -> Unsupported:
    return Unsupported(
        f"The embedded engine does not implement {what}, which {request.name} ({request.type}) has.",
        "Leave it out or use the pulumi CLI.",
    )


def _refusing(method: str) -> Callable[..., Any]:
    """A method of the protocol that this engine does not implement: the operation fails, naming it and its subject."""

    def refuse(self: Monitor, request: Any, context: grpc.ServicerContext) -> None:
        with self._serving(context):
            subject = next(
                (str(getattr(request, name)) for name in ("tok", "name", "id") if hasattr(request, name)), ""
            )
            raise Unsupported(
                f"The embedded engine does not implement {method}{f' ({subject})' if subject else ''}.",
                "Leave it out or use the pulumi CLI.",
            )

    refuse.__name__ = method
    return refuse


for _service in (
    resource_pb2.DESCRIPTOR.services_by_name["ResourceMonitor"],
    engine_pb2.DESCRIPTOR.services_by_name["Engine"],
):
    for _method in _service.methods_by_name.keys() - vars(Monitor).keys():
        setattr(Monitor, _method, _refusing(_method))
