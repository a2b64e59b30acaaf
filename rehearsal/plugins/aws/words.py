"""Translates between the names of Pulumi's AWS provider and those of AWS's own API, by the two declarations.

What the one calls ``productionVariants``, ``mfaDelete`` or ``kmsKeyArn`` the other calls ``ProductionVariants``,
``MFADelete`` or ``KmsKeyId``. Names that differ only in case and in number are found; a type declares the others. Maps
become lists of pairs and back, and single objects lists of one, where the two declarations differ in just that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, get_origin

from trivet.infra.engine.values import Properties
from trivet.rehearsal.plugins import sdk

Names = Mapping[str, str]
"""Pulumi's name to AWS's, where they differ in more than case and number."""


def find(name: str, names: Iterable[str]) -> str | None:
    """The one of several names that means the same."""
    names = list(names)
    exact = next((one for one in names if one.lower() == name.lower()), None)
    return exact or next((one for one in names if _plain(one) == _plain(name)), None)


def members(shape: Any, inputs: Mapping[str, Any], names: Names) -> Properties:
    """Those of the inputs that a structure of AWS's API takes, in its words."""
    made: Properties = {}
    for name, value in inputs.items():
        member = find(names.get(name, name), shape.members)
        if member is not None and value is not None:
            made[member] = to_api(value, shape.members[member], names)
    return made


def to_api(value: Any, shape: Any, names: Names) -> Any:
    """A value in the words of AWS's API."""
    if shape.type_name == "structure":
        one = value[0] if isinstance(value, list) and value else value
        return members(shape, one, names) if isinstance(one, Mapping) else {}
    if shape.type_name == "list":
        pair = _pair(shape.member)
        if isinstance(value, Mapping) and pair:
            key, other = pair
            return [{key: name, other: _scalar(item, shape.member.members[other])} for name, item in value.items()]
        return [to_api(item, shape.member, names) for item in (value if isinstance(value, list) else [value])]
    if shape.type_name == "map":
        return {name: to_api(item, shape.value, names) for name, item in dict(value).items()}
    return _scalar(value, shape)


def from_api(value: Any, kind: Any, names: Names) -> Any:
    """A value in the words of Pulumi's provider.

    :param kind: the type that the SDK declares.
    """
    for one in sdk.options(kind):
        origin = get_origin(one) or one
        if sdk.is_object(one):
            inner = value[0] if isinstance(value, list) and value else value
            return fields(sdk.fields(one), inner, names) if isinstance(inner, Mapping) else None
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return _map(value)
        if isinstance(value, Mapping) and sdk.is_object(sdk.element(one)):
            return [from_api(value, sdk.element(one), names)]
        if isinstance(value, list):
            return [from_api(item, sdk.element(one), names) for item in value]
        return _as(value, origin)
    return value


def fields(declared: Mapping[str, Any], live: Mapping[str, Any], names: Names) -> Properties:
    """What an answer of AWS's API says of the fields that the SDK declares."""
    found: Properties = {}
    for name, kind in declared.items():
        member = find(names.get(name, name), live)
        if member is not None and live[member] is not None:
            found[name] = from_api(live[member], kind, names)
    return {name: value for name, value in found.items() if value is not None}


def _map(value: Any) -> Any:
    """A map, which AWS may write as a list of pairs."""
    if isinstance(value, Mapping):
        return {name: _as(item, str) for name, item in value.items()}
    pairs = [list(item.values()) for item in value or [] if isinstance(item, Mapping)]
    return {pair[0]: pair[1] if len(pair) > 1 else "" for pair in pairs}


def _pair(shape: Any) -> tuple[str, str] | None:
    """The names of key and value, where a structure is such a pair."""
    if shape.type_name != "structure" or len(shape.members) != 2:
        return None
    key, other = shape.members
    return (key, other) if re.search(r"(?i)key|name", key) and re.search(r"(?i)value", other) else None


def _scalar(value: Any, shape: Any) -> Any:
    if shape.type_name in ("integer", "long"):
        return int(value)
    if shape.type_name in ("float", "double"):
        return float(value)
    if shape.type_name == "boolean":
        return value if isinstance(value, bool) else str(value).lower() in ("true", "enabled")
    if shape.type_name == "string" and not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else f"{value}"
    return value


def _as(value: Any, kind: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.decode()
    if kind is str and isinstance(value, Mapping):
        return json.dumps(value)
    if kind is str and not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if kind is bool and isinstance(value, str):
        return value.lower() in ("true", "enabled")
    if kind in (int, float) and isinstance(value, str):
        return kind(value)
    return value


def _plain(name: str) -> str:
    bare = re.sub(r"[^a-z0-9]", "", name.lower())
    return re.sub(r"s$", "", re.sub(r"ies$", "y", bare))
