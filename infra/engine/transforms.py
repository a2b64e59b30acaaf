"""Transforms: functions of the program, called back for each resource and each function call before anything is done.

A resource's own come first, then its parents', then the stack's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pulumi.runtime.proto import callback_pb2, resource_pb2

from trivet.infra.engine.callbacks import Callbacks
from trivet.infra.engine.values import Properties, as_output, from_struct, to_struct, without_outputs

_RENAMED = {
    "depends_on": "dependencies",
    "ignore_changes": "ignoreChanges",
    "replace_on_changes": "replaceOnChanges",
    "additional_secret_outputs": "additionalSecretOutputs",
    "custom_timeouts": "customTimeouts",
    "retain_on_delete": "retainOnDelete",
    "deleted_with": "deletedWith",
    "plugin_download_url": "pluginDownloadURL",
    "plugin_checksums": "pluginChecksums",
    "import": "importId",
    "hide_diff": "hideDiffs",
    "delete_before_replace": "deleteBeforeReplace",
}
"""The options of which a transform's name differs from the registration's."""


class Transforms:
    """What the program of one run has registered. Its methods may be called from any thread."""

    def __init__(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks
        self._stack: list[callback_pb2.Callback] = []
        self._invokes: list[callback_pb2.Callback] = []
        self._own: dict[str, Sequence[callback_pb2.Callback]] = {}
        self._parents: dict[str, str] = {}

    def add(self, callback: callback_pb2.Callback) -> None:
        """Call it for every resource from now on."""
        self._stack.append(callback)

    def add_for_invokes(self, callback: callback_pb2.Callback) -> None:
        """Call it for every function call from now on."""
        self._invokes.append(callback)

    def resource(self, request: resource_pb2.RegisterResourceRequest, urn: str) -> resource_pb2.RegisterResourceRequest:
        """The registration as the transforms make it; children of ``urn`` will get its transforms, too.

        :raises TrivetError: when one of them fails.
        """
        self._parents[urn] = request.parent
        # A remote component is registered twice, and only by the program with its transforms.
        if request.transforms or urn not in self._own:
            self._own[urn] = request.transforms
        for callback in self._for(urn):
            asked = resource_pb2.TransformRequest(
                type=request.type,
                name=request.name,
                custom=request.custom,
                parent=request.parent,
                properties=to_struct(_outputs_of(request)),
                options=_options_of(request),
            )
            answer = resource_pb2.TransformResponse.FromString(self._call(callback, asked, request.name))
            request = _with(request, answer)
        return request

    def invoke(self, request: resource_pb2.ResourceInvokeRequest) -> resource_pb2.ResourceInvokeRequest:
        """The same for a function call."""
        for callback in self._invokes:
            options = resource_pb2.TransformInvokeOptions(provider=request.provider, version=request.version)
            args = to_struct(as_output(from_struct(request.args)))
            asked = resource_pb2.TransformInvokeRequest(token=request.tok, args=args, options=options)
            answer = resource_pb2.TransformInvokeResponse.FromString(self._call(callback, asked, request.tok))
            changed = resource_pb2.ResourceInvokeRequest()
            changed.CopyFrom(request)
            if answer.HasField("args"):
                changed.args.CopyFrom(answer.args)
            if answer.HasField("options"):
                changed.provider, changed.version = answer.options.provider, answer.options.version
                changed.pluginDownloadURL = answer.options.plugin_download_url
            request = changed
        return request

    def _for(self, urn: str) -> Iterator[callback_pb2.Callback]:
        while urn:
            yield from self._own.get(urn, ())
            urn = self._parents.get(urn, "")
        yield from self._stack

    def _call(self, callback: callback_pb2.Callback, asked: Any, about: str) -> bytes:
        return self._callbacks.call(callback, asked, f"A transform of {about}")


def _outputs_of(request: resource_pb2.RegisterResourceRequest) -> Properties:
    """The inputs, each with what it depends on."""
    depends = request.propertyDependencies
    return {
        name: as_output(value, depends[name].urns if name in depends else ())
        for name, value in without_outputs(from_struct(request.object)).items()
    }


def _options_of(request: resource_pb2.RegisterResourceRequest) -> resource_pb2.TransformResourceOptions:
    options = resource_pb2.TransformResourceOptions()
    for field in options.DESCRIPTOR.fields:
        name = _RENAMED.get(field.name, field.name)
        if field.name == "delete_before_replace" and not request.deleteBeforeReplaceDefined:
            continue
        _copy(request, name, options, field.name)
    return options


def _with(
    request: resource_pb2.RegisterResourceRequest, answer: resource_pb2.TransformResponse
) -> resource_pb2.RegisterResourceRequest:
    changed = resource_pb2.RegisterResourceRequest()
    changed.CopyFrom(request)
    if answer.HasField("properties"):
        changed.object.CopyFrom(answer.properties)
    if not answer.HasField("options"):
        return changed
    for field in answer.options.DESCRIPTOR.fields:
        name = _RENAMED.get(field.name, field.name)
        changed.ClearField(name)  # pyright: ignore[reportArgumentType]
        _copy(answer.options, field.name, changed, name)
    changed.deleteBeforeReplaceDefined = answer.options.HasField("delete_before_replace")
    return changed


def _copy(source: Any, name: str, target: Any, to: str) -> None:
    """One field, whatever its kind, where it is given."""
    field = source.DESCRIPTOR.fields_by_name[name]
    value = getattr(source, name)
    if field.is_repeated and field.message_type and field.message_type.GetOptions().map_entry:
        for key in value:
            entry = value[key]
            if hasattr(entry, "CopyFrom"):
                getattr(target, to)[key].CopyFrom(entry)
            else:
                getattr(target, to)[key] = entry
    elif field.is_repeated:
        getattr(target, to).extend(value)
    elif field.message_type:
        if source.HasField(name):
            getattr(target, to).CopyFrom(value)
    elif not field.has_presence or source.HasField(name):
        setattr(target, to, value)
