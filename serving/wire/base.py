"""What every protocol shares: what a request asks, and what becomes of an answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson

from trivet.core.inference import CONTRIBUTIONS
from trivet.serving.engine import Answer
from trivet.serving.errors import BadInput
from trivet.serving.tensors import Tensor

Fields = Mapping[bytes, bytes]  # a request's header fields, by their names in lower case
JSON = b"application/json"
MAX_ID = 128
COLON = ord(":")
ENDS_A_NAME = np.isin(np.arange(256), list(b'" \t\r\n'))
SHORT, HEAD = 4096, 1024  # bytes: up to so many are counted fastest as they are, and so many hold most of the names
FALSE, TRUE = b"false", b"true"


class Asked(NamedTuple):
    """A request as its protocol reads it; nothing in it was compared with a model yet.

    The values come in one of three forms: named ``tensors``, ``rows`` of JSON values, ``cells`` of text.
    """

    id: str = ""  # empty: the transport gives one
    tensors: Sequence[Tensor] | None = None
    rows: Sequence[Any] | None = None
    cells: Sequence[Sequence[str]] | None = None
    outputs: Sequence[str] = ()  # those named; empty: the protocol's usual ones
    reply: Any = None  # what the protocol wants to remember for its answer

    @property
    def size(self) -> int:
        """Rows, as far as the request says by itself."""
        if self.tensors:
            return next(iter(self.tensors[0].shape), 0)
        return len(self.rows or self.cells or ())


class Identity:
    """Which model answers, and what bodies say of it: members of a JSON object, rendered once."""

    def __init__(self, model: str, version: str, package: str, features: tuple[str, ...]) -> None:
        self.model = model
        self.version = version
        self.package = package
        self.features = features
        self.model_members = orjson.dumps({"model_name": model, "model_version": version})[1:-1]
        self.package_member = orjson.dumps({"package": package})[1:-1]


class Encoded(NamedTuple):
    """A response body."""

    body: bytes
    type: bytes = JSON
    fields: tuple[tuple[bytes, bytes], ...] = ()


class Wire(NamedTuple):
    """One protocol: bytes to what is asked, and an answer to bytes."""

    types: frozenset[bytes]  # content types of a request; an empty one stands for none given
    decode: Callable[[bytes, Fields], Asked]
    encode: Callable[[Asked, Answer, Identity, str], Encoded]


def parse(body: bytes) -> Any:
    """JSON, strictly: no NaN, no infinity, no trailing bytes.

    :raises BadInput: where it is none.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadInput(f"The body is no JSON: {error}.") from error


def checked_id(value: Any) -> str:
    """The id that a body gives its request, empty for none.

    :raises BadInput: when it is no string or a long one.
    """
    if value is None:
        return ""
    if type(value) is not str or len(value) > MAX_ID:
        raise BadInput(f"The id of a request is a string of at most {MAX_ID} characters.")
    return value


def colons(body: bytes) -> int:
    """How many colons there are: outside of strings, one a member of an object. To count them takes next to no time."""
    if len(body) <= SHORT:
        return body.count(b":")
    found = body.count(b":", 0, HEAD)
    if body.find(b":", HEAD) < 0:
        return found  # the rest is one array of numbers
    return found + int(np.count_nonzero(np.frombuffer(body, np.uint8, offset=HEAD) == COLON))


def refuse_twins(members: int, *bodies: bytes) -> None:
    """Refuse JSON in which an object names a member twice: only the last of them counts here, and another who reads the
    same request may go by the first.

    Ask where there are more ``colons`` than distinct members: strings may have some.

    :param members: how many distinct ones there are, at least.
    :param bodies: documents that ``parse`` has taken.
    :raises BadInput: when an object has a member twice.
    """
    if sum(map(_named, bodies)) <= members:
        return
    for body in bodies:
        try:
            json.loads(body, object_pairs_hook=_once, parse_int=str, parse_float=str)
        except RecursionError:
            raise BadInput("The body is nested too deeply.") from None


def _named(body: bytes) -> int:
    """How many members there are, at most: between a name and its colon there is a quote, or white space."""
    text = np.frombuffer(body, np.uint8)
    return int(np.count_nonzero(ENDS_A_NAME[text[np.flatnonzero(text == COLON) - 1]]))


def _once(members: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in members]
    if len(set(names)) != len(names):
        name = next(name for at, name in enumerate(names) if name in names[:at])
        raise BadInput(f"An object of the body names {name[:64]!r} twice.")


def parameters_of(item: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The object ``parameters`` of a request or of a part of it; empty for none."""
    value = item.get("parameters")
    return {} if value is None else an_object(value, f"{what}: parameters")


def a_flag(item: Mapping[str, Any], name: str, usual: bool = False) -> bool:
    """The boolean ``name`` of an object, ``usual`` where it is not there."""
    value = item.get(name)
    if value is None:
        return usual
    if type(value) is not bool:
        raise BadInput(f"{name} is true or false.")
    return value


def an_object(value: Any, what: str) -> dict[str, Any]:
    """``value``, which must be a JSON object."""
    if type(value) is not dict:
        raise BadInput(f"{what} is no JSON object.")
    return value


def an_array(value: Any, what: str) -> list[Any]:
    """``value``, which must be a JSON array."""
    if type(value) is not list:
        raise BadInput(f"{what} is no JSON array.")
    return value


def with_contributions(wanted: bool) -> Sequence[str]:
    """The outputs of a protocol that only knows whether contributions are asked for."""
    return (CONTRIBUTIONS,) if wanted else ()
