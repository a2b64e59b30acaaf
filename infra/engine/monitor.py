"""What the program talks to: Pulumi's resource monitor.

A request becomes a :class:`~trivet.infra.engine.steps.Goal`; whatever in it the engine does not implement is refused by
name. The first error closes the gate, and every further call is told that the monitor is gone, which ends the program.
"""

# ruff: noqa: N802, ARG002 — names and signatures are the protocol's
from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from itertools import chain
from typing import Any

import grpc
from google.protobuf import empty_pb2, struct_pb2
from google.protobuf.message import Message
from pulumi.runtime.proto import callback_pb2, provider_pb2, resource_pb2, resource_pb2_grpc

from trivet.core.errors import ConfigError, Unsupported
from trivet.infra.engine.callbacks import Callbacks
from trivet.infra.engine.events import Report
from trivet.infra.engine.gate import Gate
from trivet.infra.engine.hooks import KINDS
from trivet.infra.engine.remote import Surroundings, call, construct
from trivet.infra.engine.services import Service, refuse_the_rest
from trivet.infra.engine.state import Resource, make_urn
from trivet.infra.engine.steps import Goal, Steps
from trivet.infra.engine.transforms import Transforms
from trivet.infra.engine.values import from_struct, has_unknown, to_struct, without_outputs, without_references

FEATURES = {
    "secrets": resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    "aliasSpecs": resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    "deletedWith": resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    "transforms": resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
    "invokeTransforms": resource_pb2.RESOURCE_MONITOR_FEATURE_INVOKE_TRANSFORMS,
    "resourceReferences": resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    "outputValues": resource_pb2.RESOURCE_MONITOR_FEATURE_OUTPUT_VALUES,
    "replaceWith": resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
    "replacementTrigger": resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER,
    "resourceHooks": resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
    "errorHooks": resource_pb2.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS,
}
"""What is announced to the SDK, and works. Without ``secrets`` the SDK would send secrets in clear."""

OPTIONS = {
    "type", "name", "parent", "custom", "object", "protect", "dependencies", "propertyDependencies",
    "deleteBeforeReplace", "deleteBeforeReplaceDefined", "ignoreChanges", "additionalSecretOutputs",
    "retainOnDelete", "aliases", "provider", "version", "replaceOnChanges", "customTimeouts", "deletedWith",
    "importId", "transforms", "hooks", "replace_with", "replacement_trigger", "remote", "providers",
}  # fmt: skip
"""The fields of a registration that are read."""

_READ = {"id", "type", "name", "parent", "properties", "dependencies", "provider", "version", "additionalSecretOutputs"}
_INVOKED = {"tok", "args", "provider", "version"}
_CALLED = {"tok", "args", "argDependencies", "provider", "version"}
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_ABOUT_THE_SDK = {
    "acceptSecrets", "acceptResources", "supportsPartialValues", "supportsResultReporting", "aliasSpecs",
    "sourcePosition", "stackTrace", "parentStackTraceHandle", "accepts_byte_string", "accept_output_values",
}  # fmt: skip


class Monitor(Service, resource_pb2_grpc.ResourceMonitorServicer):
    """Serves one run of one program."""

    def __init__(self, around: Surroundings, steps: Steps, callbacks: Callbacks, report: Report, gate: Gate) -> None:
        self._around = around
        self._stack = around.stack
        self._project = around.project
        self._steps = steps
        self._report = report
        self.gate = gate
        self.address = ""
        self._transforms = Transforms(callbacks)
        self._registered = threading.Event()
        self._may_end = threading.Event()
        self._aliases: dict[str, tuple[str, ...]] = {}
        self._parents: dict[str, resource_pb2.RegisterResourceRequest] = {}

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
        with self.serving(context):
            urn = make_urn(self._stack, self._project, request.parent, request.type, request.name)
            self._report.hide(from_struct(request.object))  # a transform may fail and tell it
            request = self._inheriting(self._transforms.resource(request, urn), urn)
            _refuse_unknown(request, OPTIONS)
            self._warn_of_nested(request)
            if request.remote:
                self._report.hide(from_struct(request.object))
                provider = self._steps.provider(request.type, request.provider, request.version)
                return construct(provider, request, self._around, self.address)
            goal = self._goal(request, urn)
            self._report.hide(goal.want.inputs)
            made = self._steps.register(goal)
            given = made.outputs if made.custom else made.inputs
            return resource_pb2.RegisterResourceResponse(
                urn=made.urn,
                id=made.id,
                object=to_struct(given if request.acceptResources else without_references(given)),
                unknown=self._steps.is_left_out(made.urn),
                result=resource_pb2.FAIL if self._steps.fails(made.urn) else resource_pb2.SUCCESS,
            )
        raise AssertionError("abort raises")

    def ReadResource(
        self, request: resource_pb2.ReadResourceRequest, context: grpc.ServicerContext
    ) -> resource_pb2.ReadResourceResponse:
        """One resource that is there already and that the program only looks at."""
        with self.serving(context):
            _refuse_unknown(request, _READ)
            urn = make_urn(self._stack, self._project, request.parent, request.type, request.name)
            want = Resource(
                urn=urn,
                custom=True,
                type=request.type,
                id=request.id,
                inputs=without_outputs(from_struct(request.properties)),
                parent=request.parent,
                dependencies=tuple(sorted(request.dependencies)),
                provider=request.provider,
                additional_secret_outputs=tuple(request.additionalSecretOutputs),
            )
            self._report.hide(want.inputs)
            made = self._steps.read(want, request.version)
            self._report.hide(made.outputs)
            result = resource_pb2.FAIL if self._steps.fails(urn) else resource_pb2.SUCCESS
            return resource_pb2.ReadResourceResponse(urn=urn, properties=to_struct(made.outputs), result=result)
        raise AssertionError("abort raises")

    def Invoke(
        self, request: resource_pb2.ResourceInvokeRequest, context: grpc.ServicerContext
    ) -> resource_pb2.ResourceInvokeResponse:
        """A function of a provider."""
        with self.serving(context):
            self._report.hide(from_struct(request.args))
            request = self._transforms.invoke(request)
            _refuse_unknown(request, _INVOKED)
            package = request.tok.split(":", 1)[0]
            arguments = without_outputs(from_struct(request.args))
            self._report.hide(arguments)
            if has_unknown(arguments) and not self._around.preview:
                return resource_pb2.ResourceInvokeResponse(unknown=True)
            given = self._steps.invoke(package, request.provider, request.version, request.tok, arguments)
            self._report.hide(given)
            return resource_pb2.ResourceInvokeResponse(**{"return": to_struct(given)})  # pyright: ignore[reportArgumentType]
        raise AssertionError("abort raises")

    def Call(
        self, request: resource_pb2.ResourceCallRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CallResponse:
        """A method of a resource."""
        with self.serving(context):
            _refuse_unknown(request, _CALLED)
            self._report.hide(from_struct(request.args))
            provider = self._steps.provider(request.tok, request.provider, request.version)
            given = call(provider, request, self._around, self.address)
            self._report.hide(from_struct(getattr(given, "return")))
            return given
        raise AssertionError("abort raises")

    def RegisterResourceOutputs(
        self, request: resource_pb2.RegisterResourceOutputsRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """A component's or the stack's outputs."""
        with self.serving(context):
            outputs = without_outputs(from_struct(request.outputs))
            self._report.hide(outputs)
            self._steps.outputs(request.urn, outputs)
        return empty_pb2.Empty()

    def RegisterStackTransform(self, request: callback_pb2.Callback, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """A function of the program through which every registration goes."""
        self._transforms.add(request)
        return empty_pb2.Empty()

    def RegisterStackInvokeTransform(
        self, request: callback_pb2.Callback, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """The same for function calls."""
        self._transforms.add_for_invokes(request)
        return empty_pb2.Empty()

    def RegisterResourceHook(
        self, request: resource_pb2.RegisterResourceHookRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """A function to call before or after something is done to a resource."""
        with self.serving(context):
            self._steps.hooks.add(request)
        return empty_pb2.Empty()

    def RegisterErrorHook(
        self, request: resource_pb2.RegisterErrorHookRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """A function to call when something failed."""
        with self.serving(context):
            self._steps.hooks.add_on_error(request)
        return empty_pb2.Empty()

    def SignalAndWaitForShutdown(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """The program has registered everything; it stays, with its hooks, until everything is done."""
        self._registered.set()
        self._may_end.wait()
        return empty_pb2.Empty()

    def wait_until_registered(self) -> None:
        """Return when the program has registered everything, or has ended."""
        self._registered.wait()

    def has_ended(self) -> None:
        """Nothing more comes from the program."""
        self._registered.set()

    def let_go(self) -> None:
        """Let the program end."""
        self._may_end.set()

    def _inheriting(
        self, request: resource_pb2.RegisterResourceRequest, urn: str
    ) -> resource_pb2.RegisterResourceRequest:
        """What a resource does not say for itself of its end is as its parent's: no SDK does that for all three.

        Source: Pulumi's documentation of the options ``protect`` and ``retainOnDelete``, which "inherit this value from
        the parent resource"; the engine hands down ``deletedWith`` likewise.
        """
        if parent := self._parents.get(request.parent):
            for option in ("protect", "retainOnDelete"):
                if not request.HasField(option) and parent.HasField(option):
                    setattr(request, option, getattr(parent, option))
            request.deletedWith = request.deletedWith or parent.deletedWith
        self._parents[urn] = request
        return request

    def _warn_of_nested(self, request: resource_pb2.RegisterResourceRequest) -> None:
        for path in request.additionalSecretOutputs:
            if any(sign in path for sign in ".[]*"):
                told = f"'{path}' in additional_secret_outputs of {request.name} hides nothing: it takes whole outputs."
                self._report.diagnostic("warning", told)

    def _goal(self, request: resource_pb2.RegisterResourceRequest, urn: str) -> Goal:
        aliases = tuple(dict.fromkeys(self._alias_urns(request, urn)))
        self._aliases[urn] = aliases
        by_property = {name: sorted(deps.urns) for name, deps in sorted(request.propertyDependencies.items())}
        return Goal(
            Resource(
                urn=urn,
                custom=request.custom,
                type=request.type,
                inputs=without_outputs(from_struct(request.object)),
                parent=request.parent,
                protect=request.protect,
                # A transform may have dropped those that come from properties.
                dependencies=tuple(sorted({*request.dependencies, *chain.from_iterable(by_property.values())})),
                property_dependencies=by_property,
                additional_secret_outputs=tuple(request.additionalSecretOutputs),
                aliases=aliases,
                retain_on_delete=request.retainOnDelete,
                ignore_changes=tuple(request.ignoreChanges),
                replace_on_changes=tuple(request.replaceOnChanges),
                custom_timeouts=_timeouts(request.customTimeouts),
                deleted_with=request.deletedWith,
                provider=request.provider,
                import_id=request.importId,
                replace_with=tuple(request.replace_with),
                replacement_trigger=_trigger(request),
                resource_hooks=_hooks(request),
            ),
            request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
            request.version,
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


def _hooks(request: resource_pb2.RegisterResourceRequest) -> dict[str, list[str]]:
    """Names of hooks by their kinds, as the state has them."""
    given = {kind: list(getattr(request.hooks, name)) for name, kind in KINDS.items()}
    return {kind: names for kind, names in given.items() if names}


def _trigger(request: resource_pb2.RegisterResourceRequest) -> Any:
    if not request.HasField("replacement_trigger"):
        return None
    held = struct_pb2.Struct(fields={"trigger": request.replacement_trigger})
    return without_outputs(from_struct(held)["trigger"])


def _timeouts(given: resource_pb2.RegisterResourceRequest.CustomTimeouts) -> dict[str, float]:
    """Seconds by what they are for, of those that are given."""
    texts = {"create": given.create, "update": given.update, "delete": given.delete}
    return {name: _seconds(text) for name, text in texts.items() if text}


def _seconds(text: str) -> float:
    """Seconds of a duration as Go writes it, such as ``1h30m`` or ``500ms``.

    :raises ConfigError: for what is none.
    """
    parts = re.findall(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)", text)
    if not parts or "".join(map("".join, parts)) != text.lstrip("+"):
        raise ConfigError(f"The timeout '{text}' is no duration.", "Write it as in 1h30m or 90s.")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _refuse_unknown(request: Any, taken: set[str]) -> None:
    """:raises Unsupported: for an option that would have to be ignored."""
    for field, value in request.ListFields():
        empty = isinstance(value, Message) and not value.ByteSize()
        if field.name not in taken | _ABOUT_THE_SDK and not empty:
            raise _unsupported(f"the option '{field.name}'", request)


def _unsupported(what: str, request: Any) -> Unsupported:
    who = request.tok if hasattr(request, "tok") else f"{request.name} ({request.type})"
    return Unsupported(
        f"The embedded engine does not implement {what}, which {who} has.",
        "Leave it out or use the pulumi CLI.",
    )


refuse_the_rest(Monitor, resource_pb2.DESCRIPTOR.services_by_name["ResourceMonitor"])
