"""Inputs held against the types of Pulumi's SDKs: what a program's type checker would find, found where none ran.

Unknown and missing names, nested ones included, and values of another structure are failures. A value that is not in
an enum of the SDK is only a warning, since a cloud may take values that are newer than the SDK.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_origin

from pulumi.asset import Archive, Asset

from trivet.infra.engine.values import SIGNATURE, UNKNOWN, Properties
from trivet.rehearsal.plugins import sdk

_WORDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
_INTERNAL = "__"  # begins the names of what is the provider's own


@dataclass
class Findings:
    """What is wrong, and what may be, each with the path of the property."""

    failures: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        """Take over another's."""
        self.failures += other.failures
        self.warnings += other.warnings


def check_inputs(declared: sdk.Declared, inputs: Properties) -> Findings:
    """Everything that is wrong with a resource's inputs."""
    return _object("", inputs, declared.inputs, declared.required)


def check_outputs(declared: sdk.Declared, outputs: Properties) -> list[str]:
    """The outputs that the SDK does not declare: a program could not see them."""
    return sorted(name for name in outputs if name not in declared.outputs and not name.startswith(_INTERNAL))


def _object(path: str, value: Mapping[str, Any], fields: Mapping[str, Any], required: frozenset[str]) -> Findings:
    found = Findings()
    for name in sorted(required):
        if value.get(name) is None:
            found.failures.append((_join(path, name), "is required and missing"))
    for name, item in value.items():
        if name.startswith(_INTERNAL) or item is None:
            continue
        if name not in fields:
            found.failures.append((_join(path, name), f"is not known{_suggest(name, fields)}"))
        else:
            found.add(_value(_join(path, name), item, fields[name]))
    return found


def _value(path: str, value: Any, kind: Any) -> Findings:
    if value is None or value == UNKNOWN:
        return Findings()
    kinds = sdk.options(kind)
    if any(map(sdk.is_enum, kinds)):  # the SDKs take any text beside an enum
        kinds = [one for one in kinds if one is not str]
    tried = [_one(path, value, one) for one in kinds]
    return min(tried, key=lambda found: (len(found.failures), len(found.warnings)), default=Findings())


def _one(path: str, value: Any, kind: Any) -> Findings:
    if kind is Any or kind is object:
        return Findings()
    if constants := sdk.constants(kind):
        return Findings() if value in constants else _wrong(path, f"must be {' or '.join(map(repr, constants))}", value)
    if sdk.is_object(kind):
        if not _is_mapping(value):
            return _wrong(path, "must be an object", value)
        return _object(path, value, sdk.fields(kind), sdk.required(kind) if sdk.is_input(kind) else frozenset())
    origin = get_origin(kind) or kind
    if not inspect.isclass(origin):
        return Findings()
    if sdk.is_enum(origin):
        return _enum(path, value, [member.value for member in origin])
    if issubclass(origin, (Asset, Archive)):
        fits = isinstance(value, Mapping) and SIGNATURE in value
        return Findings() if fits else _wrong(path, "must be an asset or an archive", value)
    if issubclass(origin, Mapping):
        return _each(path, value, kind, "{}.{}") if _is_mapping(value) else _wrong(path, "must be a map", value)
    if issubclass(origin, Sequence) and origin is not str:
        return _each(path, value, kind, "{}[{}]") if isinstance(value, list) else _wrong(path, "must be a list", value)
    return _scalar(path, value, origin)


def _each(path: str, values: Any, kind: Any, form: str) -> Findings:
    found = Findings()
    items = values.items() if isinstance(values, Mapping) else enumerate(values)
    for key, item in items:
        found.add(_value(form.format(path, key), item, sdk.element(kind)))
    return found


def _scalar(path: str, value: Any, kind: type) -> Findings:
    fits = {
        str: isinstance(value, str),
        bool: isinstance(value, bool),
        int: isinstance(value, int) and not isinstance(value, bool),
        float: isinstance(value, (int, float)) and not isinstance(value, bool),
    }
    return Findings() if fits.get(kind, True) else _wrong(path, f"must be {_WORDS[kind]}", value)


def _enum(path: str, value: Any, values: list[Any]) -> Findings:
    if value in values:
        return Findings()
    if not isinstance(value, str):
        return _wrong(path, "must be text", value)
    return Findings(warnings=[(path, f"{value!r} is none of the values that the SDK knows{_suggest(value, values)}")])


def _wrong(path: str, must: str, value: Any) -> Findings:
    shown = value if isinstance(value, (str, int, float, bool)) else type(value).__name__
    return Findings(failures=[(path, f"{must}, not {shown!r}")])


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping) and SIGNATURE not in value


def _suggest(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
