"""What a request may hold, by botocore's own service model: more of it than botocore's client checks.

The client checks required and unknown members, types and minima. Enumerations, patterns, maxima and the lengths of
strings, lists and maps are in the same model, and AWS refuses by them.
"""

from __future__ import annotations

import functools
from typing import Any, cast

import regex
from botocore.model import Shape
from botocore.validate import ParamValidator, ValidationErrors

_SPELLINGS = {
    r"\p{ASCII}": r"[\x00-\x7F]",
    r"\z": r"\Z",
    r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010FFFF",
}


class Strict(ParamValidator):
    """botocore's validator, with the rest of the model."""

    def _validate(self, params: Any, shape: Shape, errors: ValidationErrors, name: str) -> None:
        super()._validate(params, shape, errors, name)
        for rule in broken(params, shape):
            cast(_Report, errors).broken.append(
                f"Value '{params}' at '{name.removeprefix('.')}' failed to satisfy constraint: Member must {rule}"
            )

    def _validate_list(self, param: Any, shape: Any, errors: ValidationErrors, name: str) -> None:
        """Every member is visited; botocore passes over those that have no rule in its own set."""
        if not isinstance(param, list):
            super()._validate_list(param, shape, errors, name)
            return
        for at, item in enumerate(param):
            self._validate(item, shape.member, errors, f"{name}[{at}]")

    def problems(self, params: dict[str, Any], shape: Shape | None) -> list[str]:
        """Every way in which a request breaks the model, in AWS's words where there are any."""
        if shape is None:
            return [f"Unknown parameter in input: {name}" for name in params]
        report = _Report()
        self._validate(params, shape, report, "")
        return [*report.generate_report().splitlines(), *report.broken]


class _Report(ValidationErrors):
    def __init__(self) -> None:
        super().__init__()
        self.broken: list[str] = []

    def report(self, name: str, reason: str, **kwargs: Any) -> None:
        """Note a problem, unless it is one of size: :func:`broken` finds those, and in AWS's words."""
        if reason not in ("invalid range", "invalid length"):
            super().report(name, reason, **kwargs)


def broken(value: Any, shape: Shape) -> list[str]:
    """The rules of a shape that a value of its type breaks; values of another type are reported elsewhere."""
    rules = cast(dict[str, Any], shape.metadata)
    if isinstance(value, str) and shape.type_name == "string":
        return [*_size(len(value), rules, "length "), *_spelled(value, rules)]
    if isinstance(value, (list, dict, bytes)) and shape.type_name in ("list", "map", "blob"):
        return _size(len(value), rules, "length ")
    if isinstance(value, (int, float)) and shape.type_name in ("integer", "long", "float", "double"):
        return [*_size(value, rules, "value "), *(["be a number"] if isinstance(value, bool) else [])]
    return []


def _size(size: float, rules: dict[str, Any], what: str) -> list[str]:
    found = []
    if "min" in rules and size < rules["min"]:
        found.append(f"have {what}greater than or equal to {rules['min']}")
    if "max" in rules and size > rules["max"]:
        found.append(f"have {what}less than or equal to {rules['max']}")
    return found


def _spelled(value: str, rules: dict[str, Any]) -> list[str]:
    found = []
    if "enum" in rules and value not in rules["enum"]:
        found.append(f"satisfy enum value set: [{', '.join(rules['enum'])}]")
    if "pattern" in rules and not _compiled(rules["pattern"]).fullmatch(value):
        found.append(f"satisfy regular expression pattern: {rules['pattern']}")
    return found


@functools.cache
def _compiled(pattern: str) -> regex.Pattern[str]:
    """A pattern of Java's: it has classes that Python's ``re`` lacks, and counts beyond 16 bits in pairs."""
    for java, python in _SPELLINGS.items():
        pattern = pattern.replace(java, python)
    return regex.compile(pattern)
