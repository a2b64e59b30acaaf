"""What a message must and must not hold, by the docstrings of the SDK's types: more than parsing checks.

The descriptors that the SDK builds carry no field behaviour; its docstrings, written from the same source, begin a
field's text with ``Required.``, ``Output only.`` or ``Immutable.``. That is a convention of its generator: a test
counts them, so that a new version which drops it shows.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import proto
from google.cloud.aiplatform_v1 import types
from google.protobuf.descriptor import FieldDescriptor

_ENTRY = re.compile(r"\n {4}(?=\w+ \()")  # where the next field begins; its text is further in
REQUIRED, OUTPUT, IMMUTABLE = "Required.", "Output only.", "Immutable."
_OURS = "google.cloud.aiplatform."


@functools.cache
def behaviours() -> dict[str, dict[str, str]]:
    """From a message's full name to its fields, and from these to how they behave; empty where nothing is said."""
    found: dict[str, dict[str, str]] = {}
    for name in types.__all__:
        one = getattr(types, name)
        if isinstance(one, type) and issubclass(one, proto.Message):
            found.update(_documented(one))
    return found


def counts() -> dict[str, int]:
    """How many messages and fields there are, and how many fields behave in each way."""
    every = Counter(behaviour for fields in behaviours().values() for behaviour in fields.values())
    return {"messages": len(behaviours()), "fields": every.total(), **{one: every[one] for one in _ALL}}


_ALL = (REQUIRED, OUTPUT, IMMUTABLE)


def problems(message: Any, whole: bool) -> list[str]:
    """Every way in which a message breaks what its docstrings say.

    :param whole: whether all of it counts; else what is required may be absent, and what the service says be there.
    """
    return list(_walk(message, "", whole))


def _walk(message: Any, path: str, whole: bool) -> Iterator[str]:
    known = behaviours().get(message.DESCRIPTOR.full_name, {})
    for field in message.DESCRIPTOR.fields:
        place = f"{path}.{field.name}" if path else field.name
        behaviour, there = known.get(field.name, ""), _is_there(message, field)
        if whole and behaviour == REQUIRED and not there and not _may_be_empty(field):
            yield f"{place}: Field is required"
        if whole and behaviour == OUTPUT and there:
            yield f"{place}: Field is output only"
        if there:
            yield from _inside(message, field, place, whole)


def _inside(message: Any, field: Any, place: str, whole: bool) -> Iterator[str]:
    value = getattr(message, field.name)
    if field.type == FieldDescriptor.TYPE_ENUM:
        for one in value if field.is_repeated else [value]:
            if one not in field.enum_type.values_by_number:
                yield f"{place}: {one} is no value of {field.enum_type.name}"
        return
    if field.type != FieldDescriptor.TYPE_MESSAGE or not field.message_type.full_name.startswith(_OURS):
        return
    if field.message_type.GetOptions().map_entry:
        of_map = field.message_type.fields_by_name["value"]
        values = value.items() if of_map.type == FieldDescriptor.TYPE_MESSAGE else []
        for key, one in values:
            if one.DESCRIPTOR.full_name.startswith(_OURS):
                yield from _walk(one, f"{place}[{key}]", whole)
    elif field.is_repeated:
        for at, one in enumerate(value):
            yield from _walk(one, f"{place}[{at}]", whole)
    else:
        yield from _walk(value, place, whole)


def _is_there(message: Any, field: Any) -> bool:
    if field.is_repeated:
        return bool(len(getattr(message, field.name)))
    if field.has_presence:
        return message.HasField(field.name)
    return getattr(message, field.name) != field.default_value


def _may_be_empty(field: Any) -> bool:
    """A message of which nothing is required: the SDK leaves it out where it is empty."""
    if field.type != FieldDescriptor.TYPE_MESSAGE or field.is_repeated:
        return False
    known = behaviours().get(field.message_type.full_name)
    return known is not None and REQUIRED not in known.values()


def _documented(one: Any) -> Iterator[tuple[str, dict[str, str]]]:
    yield one.pb(one()).DESCRIPTOR.full_name, dict(_fields(one.__doc__ or ""))
    for inner in vars(one).values():
        if isinstance(inner, type) and issubclass(inner, proto.Message):
            yield from _documented(inner)


def _fields(text: str) -> Iterator[tuple[str, str]]:
    _, *entries = _ENTRY.split(inspect.cleandoc(text).partition("Attributes:")[2])
    for entry in entries:
        name, _, rest = entry.partition(" (")
        said = rest.partition("):")[2].lstrip()
        yield name, next((one for one in _ALL if said.startswith(one)), "")
