"""AWS's policy documents, read the same whether they say one thing or a list of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_OWN = frozenset(
    ("aws:sourceaccount", "aws:sourcearn", "aws:principalaccount", "aws:principalorgid", "aws:sourceorgid",
     "aws:sourcevpce", "aws:sourcevpc")
)  # fmt: skip
_POSITIVE = ("stringequals", "stringlike", "arnequals", "arnlike")
_PREFIX = "foranyvalue:"  # `forallvalues:` also holds where there is no value


@dataclass(frozen=True)
class Statement:
    """One statement; what it leaves out is empty.

    :param principals: what kind, and which: ``("AWS", "*")`` is everybody.
    :param conditions: operator, key and values, the first two in lower case.
    """

    allows: bool
    actions: list[str]
    resources: list[str]
    principals: list[tuple[str, str]]
    conditions: list[tuple[str, str, list[str]]]
    is_inverted: bool
    """``NotAction``, ``NotResource`` or ``NotPrincipal``: it says what it leaves out."""

    @property
    def is_for_anybody(self) -> bool:
        """Whether nothing narrows who."""
        return any(value == "*" for _, value in self.principals) and not self.is_narrowed

    @property
    def is_narrowed(self) -> bool:
        """Whether a condition keeps it to an account, an organization or a network, which no wildcard stands for."""
        return any(
            operator in _POSITIVE and key in _OWN and values and all(map(_is_of_somebody, values))
            for operator, key, values in self.conditions
        )

    def condition(self, key: str, *operators: str) -> list[str]:
        """The values that a condition with one of these operators names for a key."""
        return [value for operator, name, values in self.conditions if name == key and operator in operators
                for value in values]  # fmt: skip


def _is_of_somebody(value: str) -> bool:
    """Whether a value names whose it is: an ARN by its account, or by its bucket, which has none; else all of it."""
    parts = value.split(":", 5)
    if value.startswith("arn:") and len(parts) == 6:
        value = parts[4] or parts[5].partition("/")[0]
    return not any(wildcard in value for wildcard in "*?")


def statements(document: Any) -> Iterator[Statement]:
    """The statements of a document, as text or as an object; none where there is no document."""
    if isinstance(document, str):
        document = json.loads(document)
    for one in _listed((document or {}).get("Statement")):
        yield Statement(
            allows=one.get("Effect") == "Allow",
            actions=_listed(one.get("Action", one.get("NotAction"))),
            resources=_listed(one.get("Resource", one.get("NotResource"))),
            principals=list(_principals(one.get("Principal", one.get("NotPrincipal")))),
            conditions=list(_conditions(one.get("Condition") or {})),
            is_inverted=any(key in one for key in ("NotAction", "NotResource", "NotPrincipal")),
        )


def _principals(said: Any) -> Iterator[tuple[str, str]]:
    if isinstance(said, str):
        yield "AWS", said
    elif said:
        for kind, values in said.items():
            yield from ((kind, value) for value in _listed(values))


def _conditions(said: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, list[str]]]:
    for operator, keys in said.items():
        for key, values in keys.items():
            yield operator.lower().removeprefix(_PREFIX), key.lower(), [str(value) for value in _listed(values)]


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
