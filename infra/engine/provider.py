"""One resource provider, spoken to in Pulumi's provider protocol.

Secrets are stripped before a provider that takes none sees them, and marked again on what it gives back under the same
names. Errors name the resource and what was asked, with the last line of the provider's own; the rest is the cause.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import grpc
from google.protobuf import empty_pb2
from google.protobuf.message import DecodeError, Message
from pulumi.runtime.proto import errors_pb2, provider_pb2, provider_pb2_grpc

from trivet.core.errors import ConfigError, PlatformError
from trivet.infra.engine.details import details
from trivet.infra.engine.failures import failure
from trivet.infra.engine.state import Resource
from trivet.infra.engine.values import (
    Properties,
    from_struct,
    has_unknown,
    mark_like,
    reveal,
    to_struct,
    without_outputs,
    without_references,
)

BRIEF_S = 30.0
_DETAILS = "grpc-status-details-bin"
Details = TypeVar("Details", bound=Message)
CONFIGURE_S = 120.0  # it may ask a cloud whether the credentials are good


class Gone(PlatformError):
    """The plugin's process ended while it was asked: whether it did the work is not known."""


@dataclass(frozen=True)
class Diff:
    """A provider's verdict on new inputs."""

    changes: bool
    replaces: bool
    delete_before_replace: bool
    names: tuple[str, ...] = ()  # of the inputs that differ

    @property
    def differs(self) -> bool:
        """Whether anything would have to be done."""
        return self.changes or self.replaces


class Live(NamedTuple):
    """An object as it is outside."""

    id: str
    inputs: Properties | None  # none where the provider does not say
    outputs: Properties
    failures: tuple[str, ...] = ()  # for which it is there but does not work yet


class Provider:
    """A provider behind a channel. Once it is configured it serves resources; in a preview it may lack a value of its
    config that only the apply will give, and then knows nothing of them."""

    def __init__(self, channel: grpc.Channel, ended: Callable[[], PlatformError | None]) -> None:
        self._channel = channel
        self._ended = ended
        self._stub = provider_pb2_grpc.ResourceProviderStub(channel)
        self._knows = False
        self._takes_secrets = False
        self._takes_references = False
        self._takes_outputs = False
        self._previews = False

    def handshake(self, engine: str, program: str) -> None:
        """Say where the engine is served, to a plugin that wants to know.

        :param program: the program's folder.
        """
        request = provider_pb2.ProviderHandshakeRequest(
            engine_address=engine, program_directory=program, configure_with_urn=True, invoke_with_preview=True
        )
        self._call_if_there(self._stub.Handshake, request, "Greeting the provider", BRIEF_S)

    def version(self) -> str:
        """What the plugin says that it is; empty where it does not say."""
        info = self._call_if_there(self._stub.GetPluginInfo, empty_pb2.Empty(), "Asking for the version", BRIEF_S)
        return info.version if info else ""

    def check_config(self, want: Resource, old: Properties) -> Properties:
        """The provider's own inputs as it completes them.

        :raises ConfigError: with every one that it refuses.
        """
        request = provider_pb2.CheckRequest(
            **_identity(want), olds=to_struct(reveal(old)), news=to_struct(reveal(want.inputs))
        )
        response = self._call_if_there(self._stub.CheckConfig, request, f"Checking {want.name}", BRIEF_S)
        return want.inputs if response is None else _checked(response, want)

    def diff_config(self, old: Resource, inputs: Properties) -> Diff:
        """What new inputs of its own mean: for what it serves, a replacement."""
        request = provider_pb2.DiffRequest(
            **_identity(old),
            id=old.id,
            olds=to_struct(reveal(old.outputs)),
            news=to_struct(reveal(inputs)),
            old_inputs=to_struct(reveal(old.inputs)),
        )
        response = self._call_if_there(self._stub.DiffConfig, request, f"Comparing {old.name}", BRIEF_S)
        changes = reveal(inputs) != reveal(old.inputs)
        return Diff(changes, bool(response and response.replaces), delete_before_replace=False)

    def configure(self, entry: Resource, arguments: Properties) -> None:
        """Make it ready to serve resources."""
        if has_unknown(arguments):
            return
        texts = {name: value for name, value in reveal(arguments).items() if isinstance(value, str)}
        request = provider_pb2.ConfigureRequest(
            variables={f"{entry.package_served}:config:{name}": value for name, value in texts.items()},
            args=to_struct(arguments),
            acceptSecrets=True,
            acceptResources=True,
            sends_old_inputs=True,
            sends_old_inputs_to_delete=True,
            **_identity(entry),
            id=entry.id,
        )
        response = self._call(self._stub.Configure, request, f"Configuring {entry.name}", CONFIGURE_S)
        self._knows = True
        self._takes_secrets = response.acceptSecrets
        self._takes_references = response.acceptResources
        self._takes_outputs = response.acceptOutputs
        self._previews = response.supportsPreview

    def invoke(self, function: str, arguments: Properties, *, preview: bool) -> Properties:
        """Call a function of the provider.

        :raises ConfigError: with every argument that it refuses.
        """
        if not self._knows:
            return {}
        request = provider_pb2.InvokeRequest(tok=function, args=self._send(arguments), preview=preview)
        response = self._call(self._stub.Invoke, request, f"Calling {function}")
        if response.failures:
            raise ConfigError(f"The arguments of {function} are wrong: {_reasons(response)}.", "Correct the program.")
        return from_struct(getattr(response, "return"))

    def check(self, want: Resource, old: Properties) -> Properties:
        """The inputs as the provider completes them.

        :param old: the inputs of the resource that is there; empty for one that is made anew.
        :raises ConfigError: with every input that the provider refuses.
        """
        if not self._knows:
            return want.inputs
        request = provider_pb2.CheckRequest(
            **_identity(want), olds=self._send(old), news=self._send(want.inputs), randomSeed=os.urandom(32)
        )
        return _checked(self._call(self._stub.Check, request, f"Checking {want.name}"), want)

    def diff(self, old: Resource, inputs: Properties, ignore: tuple[str, ...] = ()) -> Diff:
        """What the new inputs mean for the resource that is there."""
        if not self._knows:
            names = _differing(old.inputs, inputs)
            return Diff(bool(names), replaces=False, delete_before_replace=False, names=names)
        request = provider_pb2.DiffRequest(
            **_identity(old),
            id=old.id,
            olds=self._send(old.outputs),
            news=self._send(inputs),
            old_inputs=self._send(old.inputs),
            ignoreChanges=ignore,
        )
        response = self._call(self._stub.Diff, request, f"Comparing {old.name}")
        unknown = response.changes == provider_pb2.DiffResponse.DIFF_UNKNOWN
        names = _differing(old.inputs, inputs)
        changes = bool(names) if unknown else response.changes == provider_pb2.DiffResponse.DIFF_SOME
        told = tuple(sorted({*response.diffs, *response.replaces})) or names
        return Diff(changes or bool(response.replaces), bool(response.replaces), response.deleteBeforeReplace, told)

    def foresee(self, want: Resource, old: Resource | None = None) -> Properties:
        """The outputs that a create, or with ``old`` an update, would give, as far as the provider can tell."""
        if not (self._knows and self._previews):
            return want.inputs
        return (self.update(old, want, preview=True) if old else self.create(want, preview=True)).outputs

    def create(self, want: Resource, *, preview: bool = False) -> Live:
        """Make it."""
        request = provider_pb2.CreateRequest(
            **_identity(want),
            properties=self._send(want.inputs),
            timeout=want.custom_timeouts.get("create", 0),
            preview=preview,
        )
        response = self._call(self._stub.Create, request, f"Creating {want.name}")
        return self._live(response, want)

    def update(self, old: Resource, want: Resource, *, preview: bool = False) -> Live:
        """Change it in place."""
        request = provider_pb2.UpdateRequest(
            **_identity(old),
            id=old.id,
            olds=self._send(old.outputs),
            news=self._send(want.inputs),
            old_inputs=self._send(old.inputs),
            ignoreChanges=want.ignore_changes,
            timeout=want.custom_timeouts.get("update", 0),
            preview=preview,
        )
        response = self._call(self._stub.Update, request, f"Updating {old.name}")
        return self._live(response, want, old.id)

    def read(self, old: Resource) -> Live | None:
        """A resource as it is outside; ``None`` when it is gone."""
        if not self._knows:
            return Live(old.id, old.inputs, old.outputs, old.init_errors)
        request = provider_pb2.ReadRequest(
            **_identity(old), id=old.id, properties=self._send(old.outputs), inputs=self._send(old.inputs)
        )
        response = self._call(self._stub.Read, request, f"Reading {old.name}")
        return self._live(response, old) if response.id else None

    def delete(self, old: Resource) -> None:
        """Delete it."""
        request = provider_pb2.DeleteRequest(
            **_identity(old),
            id=old.id,
            properties=self._send(old.outputs),
            old_inputs=self._send(old.inputs),
            timeout=old.custom_timeouts.get("delete", 0),
        )
        self._call(self._stub.Delete, request, f"Deleting {old.name}")

    def construct(self, request: provider_pb2.ConstructRequest) -> provider_pb2.ConstructResponse:
        """Have it register a component and what is in it."""
        return self._call(self._stub.Construct, request, f"Constructing {request.name}")

    def call(self, request: provider_pb2.CallRequest) -> provider_pb2.CallResponse:
        """Call a method of one of its resources.

        :raises ConfigError: with every argument that it refuses.
        """
        response = self._call(self._stub.Call, request, f"Calling {request.tok}")
        if response.failures:
            raise ConfigError(
                f"The arguments of {request.tok} are wrong: {_reasons(response)}.", "Correct the program."
            )
        return response

    def sent_outputs(self, values: Properties) -> Properties:
        """The values as they are sent to a component: with the output values among them if it takes any."""
        sent = values if self._takes_outputs else without_outputs(values)
        sent = sent if self._takes_references else without_references(sent)
        return sent if self._takes_secrets else reveal(sent)

    def cancel(self) -> None:
        """Ask it to end soon; an answer is not waited for."""
        self._stub.Cancel.future(empty_pb2.Empty())

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def _send(self, properties: Properties) -> Any:
        sent = properties if self._takes_references else without_references(properties)
        return to_struct(sent if self._takes_secrets else reveal(sent))

    def _live(self, told: Any, like: Resource, identity: str = "") -> Live:
        """An object as the provider tells of it; what was secret in ``like`` is so in it.

        :param identity: the id, where the provider does not say it.
        """
        given = hasattr(told, "inputs") and told.HasField("inputs")
        inputs = mark_like(from_struct(told.inputs), like.inputs) if given else None
        outputs = mark_like(from_struct(told.properties), like.inputs, like.additional_secret_outputs)
        failures = tuple(told.reasons) if hasattr(told, "reasons") else ()
        return Live(getattr(told, "id", "") or identity, inputs, outputs, failures)

    def _call_if_there(self, method: Callable[..., Any], request: Any, doing: str, seconds: float) -> Any:
        """The answer; none where the plugin does not implement the method."""
        return self._call(method, request, doing, seconds, optional=True)

    def _call(
        self,
        method: Callable[..., Any],
        request: Any,
        doing: str,
        seconds: float | None = None,
        *,
        optional: bool = False,
    ) -> Any:
        """:param seconds: for which an answer is waited for; none where the work may take as long as it takes."""
        try:
            return method(request, timeout=seconds)
        except grpc.RpcError as error:
            status = error.code()  # pyright: ignore[reportAttributeAccessIssue] grpc raises calls
            if unfinished := _detail(error, provider_pb2.ErrorResourceInitFailed):
                return unfinished
            if wrong := _detail(error, errors_pb2.InputPropertiesError):
                reasons = "; ".join(f"{one.property_path}: {one.reason}".lstrip(": ") for one in wrong.errors)
                raise ConfigError(f"{doing} failed: {reasons}.", "Correct the program.") from error
            if optional and status == grpc.StatusCode.UNIMPLEMENTED:
                return None
            if status == grpc.StatusCode.DEADLINE_EXCEEDED and seconds:
                raise PlatformError(f"{doing} had no answer within {seconds:.0f} seconds.", "Call again.") from error
            lost = status in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
            if lost and (ended := self._ended()):  # else it is the plugin's own answer
                raise Gone(f"{doing} was cut off. {ended.message}", ended.next_step) from error
            raise failure(f"{doing} failed", error.details()) from error  # pyright: ignore


def _detail(error: grpc.RpcError, kind: type[Details]) -> Details | None:
    """What an error of gRPC carries besides its text, if it is of this kind."""
    trailing: Any = error.trailing_metadata()  # pyright: ignore[reportAttributeAccessIssue] grpc raises calls
    for key, value in trailing or ():
        if key != _DETAILS:
            continue
        with suppress(DecodeError):
            for packed in details(value):
                found = kind()
                if packed.Unpack(found):
                    return found
    return None


def _differing(old: Properties, new: Properties) -> tuple[str, ...]:
    """Names of the properties that are not the same, secret or not."""
    before, after = reveal(old), reveal(new)
    return tuple(sorted(name for name in {*before, *after} if before.get(name) != after.get(name)))


def _checked(response: provider_pb2.CheckResponse, want: Resource) -> Properties:
    if response.failures:
        wrong = f"The inputs of {want.name} ({want.type}) are wrong: {_reasons(response)}."
        raise ConfigError(wrong, "Correct the program.")
    return mark_like(from_struct(response.inputs), want.inputs)


def _reasons(response: provider_pb2.CheckResponse | provider_pb2.InvokeResponse | provider_pb2.CallResponse) -> str:
    return "; ".join(f"{item.property}: {item.reason}" if item.property else item.reason for item in response.failures)


def _identity(resource: Resource) -> dict[str, Any]:
    return {"urn": resource.urn, "name": resource.name, "type": resource.type}
