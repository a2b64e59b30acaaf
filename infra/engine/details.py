"""What an error of gRPC carries besides its text: messages packed in a ``google.rpc.Status``.

Pulumi's SDK has a class of that name, and so have Google's own packages; one process can load only one of both, and a
stack on Google Cloud needs both in one. So neither is loaded: of the message only the field that is read is known here.
"""

from __future__ import annotations

import functools
from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory

_FIELD = 3  # google/rpc/status.proto: repeated google.protobuf.Any details, which are bytes to whoever sees bytes


def details(status: bytes) -> list[any_pb2.Any]:
    """The messages in a serialized status, still packed.

    :raises google.protobuf.message.DecodeError: where it is none.
    """
    return [any_pb2.Any.FromString(packed) for packed in _message().FromString(status).details]


@functools.cache
def _message() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="trivet/details.proto", package="trivet", syntax="proto3")
    file.message_type.add(name="Details").field.add(
        name="details",
        number=_FIELD,
        type=descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
        label=descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED,
    )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("trivet.Details"))
