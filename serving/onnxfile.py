"""Refuses ONNX that reaches beyond its own bytes, before any runtime parses it.

A tensor may name an external file for its values (``TensorProto.external_data``, ``data_location``); runtimes have
been tricked into reading arbitrary files by such names more than once. The walk follows the fields of
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto that can hold a tensor, and skips all others unread.
"""

from __future__ import annotations

from collections.abc import Iterator

from trivet.core.errors import IntegrityError

# message -> field number -> message of that field
FIELDS: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Training": {1: "Graph", 2: "Graph"},
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14
DEPTH = 100  # protobuf's own limit
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def refuse_external_data(model: bytes, name: str) -> None:
    """Check that every tensor of a serialized ``ModelProto`` carries its own values.

    :raises IntegrityError: when one names a file, or the bytes are no protocol buffer.
    """
    try:
        inside = _has_external(memoryview(model), "Model", 0)
    except (IndexError, ValueError) as error:
        raise IntegrityError(f"{name} is not an ONNX model: {error}.") from error
    if inside:
        raise IntegrityError(f"{name} takes values from another file.", "Save the model with all its data inside.")


def _has_external(message: memoryview, kind: str, depth: int) -> bool:
    if depth > DEPTH:
        raise ValueError("it nests too deep")
    if kind == "Tensor":
        return any(
            field == EXTERNAL_DATA or (field == DATA_LOCATION and value != 0) for field, value in fields(message)
        )
    inner = FIELDS[kind]
    return any(
        _has_external(value, inner[field], depth + 1)
        for field, value in fields(message)
        if field in inner and isinstance(value, memoryview)
    )


def fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Field numbers with their values: bytes for messages and strings, a number for the rest."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        wire = key & 7
        if wire == VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if wire == BYTES:
            size, at = _varint(message, at)
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
        else:
            raise ValueError(f"it has a field of wire type {wire}")
        if at + size > len(message):
            raise ValueError("it ends within a field")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("it has a number of more than 64 bits")
