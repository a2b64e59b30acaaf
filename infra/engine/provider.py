"""One resource provider, spoken to in Pulumi's provider protocol.

Secrets are stripped before a provider that takes none sees them, and marked again on what it gives back under the same
names. Errors name the resource and what was asked, with the last line of the provider's own; the rest is the cause.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from trivet.core.errors import ConfigError, PlatformError
from trivet.infra.engine.failures import failure
from trivet.infra.engine.state import Resource
from trivet.infra.engine.values import Properties, from_struct, mark_like, reveal, to_struct


class Gone(PlatformError):
    """The plugin's process ended while it was asked: whether it did the work is not known."""


@dataclass(frozen=True)
class Diff:
    """A provider's verdict on new inputs."""

    changes: bool
    replaces: bool
    delete_before_replace: bool


class Provider:
    """A configured provider behind a channel."""

    def __init__(self, channel: grpc.Channel, config: dict[str, str], ended: Callable[[], PlatformError]) -> None:
        self._channel = channel
        self._ended = ended
        self._stub = provider_pb2_grpc.ResourceProviderStub(channel)
        response = self._call(
            self._stub.Configure,
            provider_pb2.ConfigureRequest(
                variables=config, args=to_struct(dict(config)), acceptSecrets=True, sends_old_inputs=True
            ),
            "Configuring the provider",
        )
        self._takes_secrets: bool = response.acceptSecrets

    def check(self, want: Resource, old: Properties) -> Properties:
        """The inputs as the provider completes them.

        :param old: the inputs of the resource that is there; empty for one that is made anew.
        :raises ConfigError: with every input that the provider refuses.
        """
        request = provider_pb2.CheckRequest(
            **_identity(want), olds=self._send(old), news=self._send(want.inputs), randomSeed=os.urandom(32)
        )
        response = self._call(self._stub.Check, request, f"Checking {want.name}")
        if response.failures:
            reasons = "; ".join(f"{item.property}: {item.reason}" for item in response.failures)
            raise ConfigError(f"The inputs of {want.name} ({want.type}) are wrong: {reasons}.", "Correct the program.")
        return mark_like(from_struct(response.inputs), want.inputs)

    def diff(self, old: Resource, inputs: Properties, ignore: tuple[str, ...] = ()) -> Diff:
        """What the new inputs mean for the resource that is there."""
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
        changes = (
            reveal(inputs) != reveal(old.inputs) if unknown else response.changes == provider_pb2.DiffResponse.DIFF_SOME
        )
        return Diff(changes or bool(response.replaces), bool(response.replaces), response.deleteBeforeReplace)

    def create(self, want: Resource) -> tuple[str, Properties]:
        """Make it: its id and outputs."""
        request = provider_pb2.CreateRequest(**_identity(want), properties=self._send(want.inputs))
        response = self._call(self._stub.Create, request, f"Creating {want.name}")
        return response.id, self._outputs(response.properties, want)

    def update(self, old: Resource, want: Resource) -> Properties:
        """Change it in place: its outputs."""
        request = provider_pb2.UpdateRequest(
            **_identity(old),
            id=old.id,
            olds=self._send(old.outputs),
            news=self._send(want.inputs),
            old_inputs=self._send(old.inputs),
            ignoreChanges=want.ignore_changes,
        )
        response = self._call(self._stub.Update, request, f"Updating {old.name}")
        return self._outputs(response.properties, want)

    def read(self, old: Resource) -> tuple[Properties, Properties] | None:
        """Inputs and outputs as they are outside; ``None`` when it is gone."""
        request = provider_pb2.ReadRequest(
            **_identity(old), id=old.id, properties=self._send(old.outputs), inputs=self._send(old.inputs)
        )
        response = self._call(self._stub.Read, request, f"Reading {old.name}")
        if not response.id:
            return None
        given = response.HasField("inputs")
        inputs = mark_like(from_struct(response.inputs), old.inputs) if given else old.inputs
        return inputs, self._outputs(response.properties, old)

    def delete(self, old: Resource) -> None:
        """Delete it."""
        request = provider_pb2.DeleteRequest(
            **_identity(old),
            id=old.id,
            properties=self._send(old.outputs),
            old_inputs=self._send(old.inputs),
        )
        self._call(self._stub.Delete, request, f"Deleting {old.name}")

    def cancel(self) -> None:
        """Ask it to end soon; an answer is not waited for."""
        self._stub.Cancel.future(empty_pb2.Empty())

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def _send(self, properties: Properties) -> Any:
        return to_struct(properties if self._takes_secrets else reveal(properties))

    def _outputs(self, outputs: Any, like: Resource) -> Properties:
        return mark_like(from_struct(outputs), like.inputs, like.additional_secret_outputs)

    def _call(self, method: Callable[..., Any], request: Any, doing: str) -> Any:
        try:
            return method(request)
        except grpc.RpcError as error:
            status = error.code()  # pyright: ignore[reportAttributeAccessIssue] grpc raises calls
            if status in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                ended = self._ended()
                raise Gone(f"{doing} was cut off. {ended.message}", ended.next_step) from error
            raise failure(f"{doing} failed", error.details()) from error  # pyright: ignore


def _identity(resource: Resource) -> dict[str, Any]:
    return {"urn": resource.urn, "name": resource.name, "type": resource.type}
