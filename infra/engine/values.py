"""Property values as the engine holds them: plain JSON, plus Pulumi's marker objects for what JSON cannot say.

A secret is ``{SIGNATURE: SECRET, "value": …}``, an unknown (its value comes with the apply) is the string ``UNKNOWN``,
a resource ``{SIGNATURE: REFERENCE, "urn": …, "id": …}``, with an id where a provider made it. The same markers travel
on the wire and, sealed, lie in the state. Output values, which say what a value depends on, only travel: to transforms,
and between programs and remote components.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf import struct_pb2

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 a marker
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
REFERENCE = "5cf8f73096256a8f31e491e813e4eb8e"
SHORTEST_SECRET = 4  # what is shorter is too common to be looked for in other texts
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

Properties = dict[str, Any]


def secret(value: Any) -> Properties:
    """Mark a value as secret."""
    return {SIGNATURE: SECRET, "value": value}


def is_secret(value: Any) -> bool:
    """Whether the value itself is marked."""
    return isinstance(value, dict) and value.get(SIGNATURE) == SECRET


def has_secret(value: Any) -> bool:
    """Whether a marker is anywhere in the value."""
    if isinstance(value, dict):
        return is_secret(value) or any(map(has_secret, value.values()))
    return isinstance(value, list) and any(map(has_secret, value))


def has_unknown(value: Any) -> bool:
    """Whether anything in the value comes only with the apply."""
    if isinstance(value, dict):
        return any(map(has_unknown, value.values()))
    return any(map(has_unknown, value)) if isinstance(value, list) else value == UNKNOWN


def reveal(value: Any) -> Any:
    """The value without markers."""
    if is_secret(value):
        return reveal(value["value"])
    if isinstance(value, dict):
        return {key: reveal(item) for key, item in value.items()}
    return [reveal(item) for item in value] if isinstance(value, list) else value


def as_output(value: Any, dependencies: Sequence[str] = ()) -> Any:
    """The value as the SDK makes outputs of it: what is secret, unknown or depends on resources as an output value."""
    if is_secret(value) or dependencies:
        plain = reveal(value)
        given: Properties = {} if has_unknown(plain) else {"value": plain}
        given |= {"secret": True} if has_secret(value) else {}
        given |= {"dependencies": list(dependencies)} if dependencies else {}
        return {SIGNATURE: OUTPUT, **given}
    if isinstance(value, dict):
        return {key: as_output(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_output(item) for item in value]
    return {SIGNATURE: OUTPUT} if value == UNKNOWN else value


def without_outputs(value: Any) -> Any:
    """The value with each output value as what it holds, secret or unknown."""
    if isinstance(value, dict) and value.get(SIGNATURE) == OUTPUT:
        held = without_outputs(value.get("value", None)) if "value" in value else UNKNOWN
        return secret(held) if value.get("secret") else held
    if isinstance(value, dict):
        return {key: without_outputs(item) for key, item in value.items()}
    return [without_outputs(item) for item in value] if isinstance(value, list) else value


def without_references(value: Any) -> Any:
    """The value with each resource as its id, or its URN where it has none."""
    if isinstance(value, dict) and value.get(SIGNATURE) == REFERENCE:
        return (value["id"] or UNKNOWN) if "id" in value else value["urn"]
    if isinstance(value, dict):
        return {key: without_references(item) for key, item in value.items()}
    return [without_references(item) for item in value] if isinstance(value, list) else value


def mask(value: Any) -> Any:
    """The value as it may be shown: each secret as ``[secret]``."""
    if is_secret(value):
        return "[secret]"
    if isinstance(value, dict):
        return {key: mask(item) for key, item in value.items()}
    return [mask(item) for item in value] if isinstance(value, list) else value


def mark_like(values: Properties, model: Properties, also: tuple[str, ...] = ()) -> Properties:
    """Mark again what a provider that takes no secrets gave back in clear.

    A property of ``values`` is secret where the same-named one of ``model`` holds a secret, or where ``also`` names it.
    """
    marked = {name: _mark(value, model.get(name)) for name, value in values.items()}
    return marked | {name: secret(reveal(values[name])) for name in also if name in values}


def mark_copies(values: Properties, model: Properties) -> Properties:
    """Mark every property into which a secret text of ``model`` was copied."""
    hidden = [text for text in secret_texts(model) if len(text) >= SHORTEST_SECRET]

    def mark(value: Any) -> Any:
        if is_secret(value):
            return value
        if isinstance(value, dict):
            return {name: mark(item) for name, item in value.items()}
        if isinstance(value, list):
            return [mark(item) for item in value]
        return secret(value) if isinstance(value, str) and any(text in value for text in hidden) else value

    return {name: mark(value) for name, value in values.items()}


def secret_texts(value: Any) -> list[str]:
    """Every text that is secret in the value."""
    if is_secret(value):
        return _texts(reveal(value))
    if isinstance(value, dict | list):
        return [text for item in (value.values() if isinstance(value, dict) else value) for text in secret_texts(item)]
    return []


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict | list):
        return [text for item in (value.values() if isinstance(value, dict) else value) for text in _texts(item)]
    return []


def _mark(value: Any, model: Any) -> Any:
    if is_secret(value) or not has_secret(model):
        return value
    if isinstance(value, dict) and isinstance(model, dict) and not is_secret(model):
        return mark_like(value, model)
    return secret(value)


def to_struct(properties: Properties) -> struct_pb2.Struct:
    """The wire form."""
    struct = struct_pb2.Struct()
    struct.update(properties)
    return struct


def from_struct(struct: struct_pb2.Struct) -> Properties:
    """From the wire. Pulumi's numbers are doubles: a whole one becomes an ``int``, as Pulumi's own state writes it."""
    return {name: _from_value(value) for name, value in struct.fields.items()}


def _from_value(value: struct_pb2.Value) -> Any:
    match value.WhichOneof("kind"):
        case "struct_value":
            return from_struct(value.struct_value)
        case "list_value":
            return [_from_value(item) for item in value.list_value.values]
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case _:
            return None
