"""Transforms: functions of the program, called back for each resource and each function call before anything is done.

A resource's own come first, then its parents', then the stack's.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import grpc
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import callback_pb2, callback_pb2_grpc, resource_pb2

from trivet.infra.engine.failures import failure
from trivet.infra.engine.values import as_outputs, from_struct, to_struct

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

    def __init__(self) -> None:
        self._stack: list[callback_pb2.Callback] = []
        self._invokes: list[callback_pb2.Callback] = []
        self._own: dict[str, Sequence[callback_pb2.Callback]] = {}
        self._parents: dict[str, str] = {}
        self._channels: dict[str, grpc.Channel] = {}
        self._lock = threading.Lock()

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
        self._own[urn], self._parents[urn] = request.transforms, request.parent
        for callback in self._for(urn):
            asked = resource_pb2.TransformRequest(
                type=request.type,
                name=request.name,
                custom=request.custom,
                parent=request.parent,
                properties=to_struct(as_outputs(from_struct(request.object))),
                options=_options_of(request),
            )
            answer = resource_pb2.TransformResponse.FromString(self._call(callback, asked, request.name))
            request = _with(request, answer)
        return request

    def invoke(self, request: resource_pb2.ResourceInvokeRequest) -> resource_pb2.ResourceInvokeRequest:
        """The same for a function call."""
        for callback in self._invokes:
            options = resource_pb2.TransformInvokeOptions(provider=request.provider, version=request.version)
            args = to_struct(as_outputs(from_struct(request.args)))
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

    def close(self) -> None:
        """Hang up."""
        for channel in self._channels.values():
            channel.close()

    def _for(self, urn: str) -> Iterator[callback_pb2.Callback]:
        while urn:
            yield from self._own.get(urn, ())
            urn = self._parents.get(urn, "")
        yield from self._stack

    def _call(self, callback: callback_pb2.Callback, asked: Any, about: str) -> bytes:
        with self._lock:
            if callback.target not in self._channels:
                self._channels[callback.target] = grpc.insecure_channel(callback.target, options=_GRPC_CHANNEL_OPTIONS)
            channel = self._channels[callback.target]
        request = callback_pb2.CallbackInvokeRequest(token=callback.token, request=asked.SerializeToString())
        try:
            return callback_pb2_grpc.CallbacksStub(channel).Invoke(request).response
        except grpc.RpcError as error:
            told = error.details()  # pyright: ignore[reportAttributeAccessIssue] grpc raises calls
            raise failure(f"A transform of {about} failed", told or str(error)) from error


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
