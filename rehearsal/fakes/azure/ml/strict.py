"""What a body must and must not hold, by the models of the SDK: its own deserialiser takes anything.

The models say of each member its name on the wire, its type and who may set it. A member that may be None need not be
there. Enumerations are compared without regard to case, as the service does.
"""

from __future__ import annotations

import datetime
import functools
import types
import typing
from collections import Counter
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, NamedTuple

import isodate
from azure.ai.ml._restclient.arm_ml_service import models
from azure.ai.ml._restclient.arm_ml_service._utils.model_base import Model

_READ_ONLY = ["read"]
_PLAIN: dict[Any, tuple[type, ...]] = {str: (str,), bool: (bool,), int: (int,), float: (int, float)}
_NAMES = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}
# What the SDK itself sends otherwise than its own models say: each seen on the wire.
ALLOWED = frozenset({"properties.properties.hash_version"})


class Member(NamedTuple):
    """One member of a model."""

    name: str
    kind: Any
    needed: bool
    read_only: bool


def is_model(kind: Any) -> bool:
    """Whether it is a class of the SDK's models."""
    return isinstance(kind, type) and issubclass(kind, Model)


def problems(body: Any, kind: Any) -> list[str]:
    """Every way in which a body is none of this model."""
    return list(_of_model(body, kind, ""))


def counts() -> dict[str, int]:
    """How many models and members there are, and how many of these are needed, or only the service's to set."""
    every = Counter[str]()
    for kind in vars(models).values():
        if is_model(kind):
            found = members(kind)
            every += Counter(models=1, members=len(found), needed=sum(one.needed for one in found.values()))
            every += Counter(read_only=sum(one.read_only for one in found.values()))
    return dict(every)


@functools.cache
def members(kind: Any) -> Mapping[str, Member]:
    """The members of a model by their names on the wire, those of its bases included."""
    hints = typing.get_type_hints(kind, globalns={**vars(models), "_models": models, "datetime": datetime, **_TYPING})
    found = {}
    for base in reversed(kind.__mro__):
        for attribute, field in vars(base).items():
            if attribute.startswith("_") or not hasattr(field, "_visibility"):
                continue
            hint = hints[attribute]
            optional = type(None) in typing.get_args(hint)
            name = field._rest_name_input or attribute
            read_only = field._visibility == _READ_ONLY
            found[name] = Member(name, hint, not optional and not read_only, read_only)
    return types.MappingProxyType(found)


_TYPING = {name: getattr(typing, name) for name in ("Any", "Literal", "Optional", "Union")}


def _of_model(body: Any, kind: Any, path: str) -> Iterator[str]:
    if not isinstance(body, dict):
        yield f"{path or 'body'}: an object is needed"
        return
    kind, said = _chosen(body, kind, path)
    if said:
        yield said
        return
    known = members(kind)
    for name in body:
        if name not in known:
            yield f"{_in(path, name)}: there is no such member of {kind.__name__}"
    for name, member in known.items():
        place = _in(path, name)
        value = body.get(name)
        if value is None:
            if member.needed:
                yield f"{place}: it is required"
        elif member.read_only:
            yield f"{place}: only the service sets it"
        else:
            yield from _of(value, member.kind, place)


def _chosen(body: dict[str, Any], kind: Any, path: str) -> tuple[Any, str]:
    """The class that the discriminators of a body choose."""
    while by := vars(kind).get("__mapping__"):
        name = _discriminator(kind)
        value = body.get(name)
        if not isinstance(value, str):
            return kind, f"{_in(path, name)}: it is required"
        fits = next((one for key, one in by.items() if str(_plain(key)).lower() == value.lower()), None)
        if fits is None:
            return kind, f"{_in(path, name)}: {value!r} is none of {', '.join(sorted(str(_plain(key)) for key in by))}"
        if fits is kind:
            break
        kind = fits
    return kind, ""


def _discriminator(kind: Any) -> str:
    """The member by which a body says which class it is; the nearest class's own."""
    for base in kind.__mro__:
        for attribute, field in vars(base).items():
            if getattr(field, "_is_discriminator", False):
                return field._rest_name_input or attribute
    return ""


def _of(value: Any, kind: Any, path: str) -> Iterator[str]:
    """What is wrong of a value that is there."""
    if kind is Any or kind is object:
        return
    origin, inner = typing.get_origin(kind), [one for one in typing.get_args(kind) if one is not type(None)]
    if origin in (typing.Union, types.UnionType):
        yield from _of_any(value, inner, path)
    elif origin is typing.Literal:
        if str(value).lower() not in [str(_plain(one)).lower() for one in inner]:
            yield f"{path}: {value!r} is not {', '.join(str(_plain(one)) for one in inner)}"
    elif origin is list:
        if not isinstance(value, list):
            yield f"{path}: a list is needed"
            return
        for at, one in enumerate(value):
            yield from _of(one, inner[0], f"{path}[{at}]")
    elif origin is dict:
        if not isinstance(value, dict):
            yield f"{path}: an object is needed"
            return
        for key, one in value.items():
            if one is not None and _in(path, key) not in ALLOWED:
                yield from _of(one, inner[1], _in(path, key))
    elif is_model(kind):
        yield from _of_model(value, kind, path)
    else:
        yield from _of_plain(value, kind, path)


def _of_any(value: Any, kinds: list[Any], path: str) -> Iterator[str]:
    """One of several: where an enumeration is among them it says which texts there are."""
    enumerated = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Enum)]
    if enumerated:
        words = [str(one.value) for one in enumerated[0]]
        if not isinstance(value, str) or value.lower() not in [word.lower() for word in words]:
            yield f"{path}: {value!r} is none of {', '.join(words)}"
        return
    if not any(not list(_of(value, kind, path)) for kind in kinds):
        yield from _of(value, kinds[0], path)


def _of_plain(value: Any, kind: Any, path: str) -> Iterator[str]:
    if kind in _PLAIN:
        right = isinstance(value, _PLAIN[kind]) and (kind is bool or not isinstance(value, bool))
        if not right:
            yield f"{path}: {_NAMES[kind]} is needed"
        return
    parse = {datetime.timedelta: isodate.parse_duration, datetime.datetime: isodate.parse_datetime}.get(kind)
    if parse is None:
        return
    try:
        parse(value)
    except (ValueError, TypeError, AttributeError):
        yield f"{path}: {value!r} is no {'duration' if kind is datetime.timedelta else 'time'} of ISO 8601"


def _plain(one: Any) -> Any:
    return one.value if isinstance(one, Enum) else one


def _in(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
