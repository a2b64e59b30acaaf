"""Remote components, and methods of resources: a provider's process registers resources of its own with our monitor.

What goes to and fro may be output values, which say what a value depends on; a provider that takes none is sent the
plain values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pulumi.runtime.proto import provider_pb2, resource_pb2

from trivet.infra.engine.provider import Provider
from trivet.infra.engine.values import from_struct, to_struct

_AS_THEY_ARE = {
    "type", "name", "parent", "dependencies", "aliases", "protect", "additionalSecretOutputs", "deletedWith",
    "ignoreChanges", "replaceOnChanges", "retainOnDelete", "replace_with",
}  # fmt: skip
"""The options that a registration and a construction share."""


@dataclass(frozen=True)
class Surroundings:
    """What whoever registers resources has to know of the run: the program, and providers of components."""

    project: str
    stack: str
    organization: str
    config: Mapping[str, tuple[str, bool]]
    preview: bool
    parallel: int

    def fields(self) -> dict[str, Any]:
        """The same for a request."""
        return {
            "project": self.project,
            "stack": self.stack,
            "organization": self.organization,
            "config": {key: value for key, (value, _) in self.config.items()},
            "configSecretKeys": [key for key, (_, hidden) in self.config.items() if hidden],
            "dryRun": self.preview,
            "parallel": self.parallel,
        }


def construct(
    provider: Provider, asked: resource_pb2.RegisterResourceRequest, around: Surroundings, monitor: str
) -> resource_pb2.RegisterResourceResponse:
    """Have a component constructed: its URN and outputs, and what those depend on."""
    options = {field.name: value for field, value in asked.ListFields() if field.name in _AS_THEY_ARE}
    request = provider_pb2.ConstructRequest(
        **around.fields(), **options, monitorEndpoint=monitor, accepts_output_values=True
    )
    request.inputs.CopyFrom(to_struct(provider.sent_outputs(from_struct(asked.object))))
    for name, depends in asked.propertyDependencies.items():
        request.inputDependencies[name].urns.extend(depends.urns)
    for package, reference in asked.providers.items():
        request.providers[package] = reference
    if asked.HasField("customTimeouts"):
        given = asked.customTimeouts
        request.customTimeouts.create, request.customTimeouts.update = given.create, given.update
        request.customTimeouts.delete = given.delete
    if asked.deleteBeforeReplaceDefined:
        request.deleteBeforeReplace = asked.deleteBeforeReplace
    if asked.HasField("hooks"):
        request.resource_hooks.MergeFromString(asked.hooks.SerializeToString())
    if asked.HasField("replacement_trigger"):
        request.replacement_trigger.CopyFrom(asked.replacement_trigger)
    made = provider.construct(request)
    response = resource_pb2.RegisterResourceResponse(urn=made.urn, object=made.state)
    for name, depends in made.stateDependencies.items():
        response.propertyDependencies[name].urns.extend(depends.urns)
    return response


def call(
    provider: Provider, asked: resource_pb2.ResourceCallRequest, around: Surroundings, monitor: str
) -> provider_pb2.CallResponse:
    """Have a method called: what it gives, and what that depends on."""
    request = provider_pb2.CallRequest(
        **around.fields(), tok=asked.tok, monitorEndpoint=monitor, accepts_output_values=True
    )
    request.args.CopyFrom(to_struct(provider.sent_outputs(from_struct(asked.args))))
    for name, depends in asked.argDependencies.items():
        request.argDependencies[name].urns.extend(depends.urns)
    return provider.call(request)
