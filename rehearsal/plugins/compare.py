"""What differs between two states of an object's inputs, and whether that makes another object."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

from pulumi.runtime.proto import provider_pb2

from trivet.infra.engine.values import Properties
from trivet.rehearsal.plugins import sdk

_KINDS = provider_pb2.PropertyDiff
_PLAIN = {"add": _KINDS.ADD, "delete": _KINDS.DELETE, "update": _KINDS.UPDATE}
_REPLACING = {"add": _KINDS.ADD_REPLACE, "delete": _KINDS.DELETE_REPLACE, "update": _KINDS.UPDATE_REPLACE}
_PLACE = re.compile(r"\[[^\]]*\]")


def changes(old: Any, new: Any, path: str = "") -> dict[str, str]:
    """What changed, by its path: ``add``, ``delete`` or ``update``."""
    if is_equal(old, new):
        return {}
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = [name for name in dict.fromkeys([*old, *new]) if not name.startswith("__")]
        pairs = [(_key(path, name), old.get(name), new.get(name)) for name in names]
    elif isinstance(old, list) and isinstance(new, list):
        length = max(len(old), len(new))
        pairs = [(f"{path}[{i}]", *(side[i] if i < len(side) else None for side in (old, new))) for i in range(length)]
    else:
        return {path: "add" if old is None else "delete" if new is None else "update"}
    found: dict[str, str] = {}
    for inner, before, after in pairs:
        found |= changes(before, after, inner)
    return found


def is_equal(old: Any, new: Any) -> bool:
    """Whether two values say the same: policies and other documents in JSON are compared by what they say."""
    if old == new:
        return True
    documents = [_document(side) for side in (old, new)]
    return documents[0] is not None and documents[0] == documents[1]


def settled(known: Any, found: Any, kind: Any = Any) -> Any:
    """What was found outside, in the words of what was last known wherever that says the same.

    A service gives defaults that nobody asked for and lists in an order of its own; only a change of what was asked
    for counts as one. In a map whose keys are the user's, such as tags, every key counts.

    :param kind: the type that the SDK declares.
    """
    if is_equal(known, found):
        return known
    kinds = sdk.options(kind)
    if isinstance(known, Mapping) and isinstance(found, Mapping):
        if any(get_origin(one) in (Mapping, dict) for one in kinds):
            return {name: settled(known.get(name), value) for name, value in found.items()}
        fields = next((sdk.fields(one) for one in kinds if sdk.is_object(one)), {})
        both = {name: (value, found[name]) for name, value in known.items() if found.get(name) is not None}
        return {name: settled(one, other, fields.get(name, Any)) for name, (one, other) in both.items()}
    if isinstance(known, list) and isinstance(found, list):
        if len(known) != len(found):
            return found
        if sorted(map(_text, known)) == sorted(map(_text, found)):
            return known
        inner = next((sdk.element(one) for one in kinds if get_args(one)), Any)
        return [settled(one, other, inner) for one, other in zip(known, found, strict=True)]
    return found


def response(found: Mapping[str, str], fixed: Iterable[str], *, delete_first: bool) -> provider_pb2.DiffResponse:
    """The answer to the engine.

    :param fixed: the paths of which a change makes another object.
    :param delete_first: whether the old one has to go before the new one can be made.
    """
    fixed = list(fixed)
    replacing = {path for path in found if any(_touches(path, one) for one in fixed)}
    kinds = provider_pb2.DiffResponse
    return kinds(
        changes=kinds.DIFF_SOME if found else kinds.DIFF_NONE,
        diffs=sorted({_top(path) for path in found}),
        replaces=sorted({_top(path) for path in replacing}),
        deleteBeforeReplace=bool(replacing) and delete_first,
        hasDetailedDiff=True,
        detailedDiff={
            path: _KINDS(kind=(_REPLACING if path in replacing else _PLAIN)[kind], inputDiff=True)
            for path, kind in found.items()
        },
    )


def without_provider_s_own(inputs: Properties) -> Properties:
    """The inputs without what the provider notes for itself."""
    return {name: value for name, value in inputs.items() if not name.startswith("__")}


def _touches(path: str, fixed: str) -> bool:
    """Whether a change at a path changes what is fixed, be it a part of it or the whole that it is in."""
    bare = _PLACE.sub("", path)
    return bare == fixed or bare.startswith(f"{fixed}.") or fixed.startswith(f"{bare}.")


def _key(path: str, name: str) -> str:
    if not re.fullmatch(r"\w+", name):
        return f'{path}["{name}"]'
    return f"{path}.{name}" if path else name


def _top(path: str) -> str:
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def _document(value: Any) -> Any:
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(value)
    except ValueError:
        return None


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
