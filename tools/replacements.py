"""Write ``rehearsal/plugins/replacements.json``: which inputs make another object of AWS's types when they change.

Two sources say so: CloudFormation's ``createOnlyProperties``, as cfn-lint carries them, by the table below; and the
provider's own documentation, as the docstrings of Pulumi's SDK carry it. Where the provider differs from both, the type
says so itself with ``fixed`` or ``changeable``. With ``--check``, fail where the file is stale.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cloudformation import NAMES, schema, short
from pulumi import _types

from trivet.rehearsal.plugins import packages, sdk
from trivet.rehearsal.plugins.aws.words import find
from trivet.rehearsal.plugins.kinds import Kind

TARGET = Path(__file__).parent.parent / "rehearsal" / "plugins" / "replacements.json"
_FORCES = re.compile(
    r"(forces? (the creation of )?(a )?new resource|changing this (value )?forces|forces replacement|"
    r"force a new resource|forces? new\b|changing this forces|cannot be changed after)",
    re.IGNORECASE,
)


def table() -> dict[str, dict[str, str]]:
    """The paths of every type, each with its source."""
    found: dict[str, dict[str, str]] = {}
    for name in ("aws", "gcp"):
        for kind in packages.package(name).kinds.values():
            paths = {**dict(_documented(kind)), **dict(_create_only(kind))}
            if paths:
                found[kind.token] = dict(sorted(paths.items()))
    return dict(sorted(found.items()))


def _create_only(kind: Kind) -> Iterator[tuple[str, str]]:
    """What CloudFormation can only set when it creates, by the provider's names."""
    type_ = NAMES.get(short(kind.token) or "")
    if type_ is None:
        return
    for pointer in schema(type_).get("createOnlyProperties", []):
        path = _translated(kind, pointer.removeprefix("/properties/").split("/"))
        if path:
            yield path, f"AWS::{type_}"


def _translated(kind: Kind, parts: list[str]) -> str | None:
    names: dict[str, str] = getattr(kind, "names", {})
    fields, found = kind.declared.inputs, []
    for part in (part for part in parts if part not in ("*", "items", "properties")):
        back = {member: name for name, member in names.items()}
        known = back.get(part) or find(part, fields)
        if known not in fields:
            return None
        found.append(known)
        inner = next((one for one in _objects(fields[known])), None)
        fields = sdk.fields(inner) if inner else {}
    return ".".join(found)


def _objects(declared: Any) -> Iterator[Any]:
    for one in sdk.options(declared):
        if sdk.is_object(one):
            yield one
        elif sdk.element(one) is not Any:
            yield from _objects(sdk.element(one))


def _documented(kind: Kind) -> Iterator[tuple[str, str]]:
    """What the docstrings of the SDK say forces a new resource."""
    _, arguments = sdk.classes(kind.token)
    for _, path, prop in _types._py_properties(arguments):
        if _FORCES.search(" ".join((inspect.getdoc(prop) or "").split())):
            yield path, "documentation"


def main(arguments: list[str]) -> int:
    """Write or check the file."""
    text = json.dumps(table(), indent=1) + "\n"
    if "--check" in arguments:
        if TARGET.read_text() != text:
            sys.stderr.write(f"Stale: {TARGET.name}. Run tools/replacements.py.\n")
            return 1
        return 0
    TARGET.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
