"""Minimal valid inputs for every type that the stand-ins serve: made from what the SDK requires, with what a back end
demands besides. What another object must give is said by its token: it is made first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_origin

from trivet.rehearsal.plugins import sdk

DOCUMENT = json.dumps({"Version": "2012-10-17", "Statement": []})


def minimal(kind: Any, name: str = "x") -> Any:
    """A value of a type, with no more than it must have."""
    one = sdk.options(kind)[0]
    if constants := sdk.constants(one):
        return constants[0]
    if sdk.is_object(one):
        fields = sdk.fields(one)
        return {field: minimal(fields[field], field) for field in sorted(sdk.required(one))}
    if sdk.is_enum(one):
        return next(iter(one)).value
    origin = get_origin(one) or one
    if origin is bool:
        return True
    if origin in (int, float):
        return 1
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {}
    return [minimal(sdk.element(one), name)] if origin is not str and origin is not Any else f"a-{name.lower()}"
