"""Triton's binary tensor extension of the Open Inference Protocol: JSON first, then the tensors' bytes.

A binary tensor becomes the very list that JSON would have carried (a number its shortest decimal, a NaN ``None``), so
that nothing after this file knows the difference.
Source: https://github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import orjson

from trivet.serving.errors import BadInput

_LENGTH = struct.Struct("<I")
FLOATS = {"FP32": np.dtype("<f4"), "FP64": np.dtype("<f8")}


class Reader:
    """The part of a body after its JSON; tensors are taken off it in the order of the inputs."""

    def __init__(self, tensors: bytes) -> None:
        self.taken = 0  # tensors that are not empty
        self._rest = memoryview(tensors)

    def take(self, size: int, name: str) -> memoryview:
        """The next ``size`` bytes."""
        if size > len(self._rest):
            raise BadInput(f"The body ends before the {size} bytes of input {name}.")
        self.taken += size > 0
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def finish(self) -> None:
        """Check that nothing is left over."""
        if len(self._rest):
            raise BadInput(f"The body has {len(self._rest)} bytes that belong to no input.")


def decode(raw: memoryview, datatype: str, name: str) -> list[Any]:
    """The values of one tensor."""
    if datatype in FLOATS:
        kind = FLOATS[datatype]
        if len(raw) % kind.itemsize:
            raise BadInput(f"The {len(raw)} bytes of input {name} are no {datatype}.")
        values = np.frombuffer(raw, dtype=kind)
        if np.isinf(values).any():
            raise BadInput(f"Input {name} has a value that is not finite.")
        native = values.astype(kind.newbyteorder("="))
        return orjson.loads(orjson.dumps(native, option=orjson.OPT_SERIALIZE_NUMPY))
    if datatype == "BYTES":
        return _texts(raw, name)
    raise BadInput(f"Input {name} is {datatype}, which this server does not take in binary.")


def encode(values: np.ndarray | list[str]) -> bytes:
    """The bytes of one tensor: float32 little-endian, or strings each after its length."""
    if isinstance(values, np.ndarray):
        return values.astype("<f4").tobytes()
    texts = [value.encode() for value in values]
    return b"".join(part for text in texts for part in (_LENGTH.pack(len(text)), text))


def _texts(raw: memoryview, name: str) -> list[str]:
    texts = []
    at = 0
    try:
        while at < len(raw):
            [size] = _LENGTH.unpack_from(raw, at)
            at += _LENGTH.size + size
            if at > len(raw):
                raise BadInput(f"A string of input {name} ends beyond its tensor.")
            texts.append(str(raw[at - size : at], "utf-8"))
    except (struct.error, UnicodeDecodeError) as error:
        raise BadInput(f"The bytes of input {name} are no strings in UTF-8: {error}.") from error
    return texts
