"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trivet.core.errors import UsageError

if TYPE_CHECKING:
    from trivet.core.specs import Instances

Stack = Annotated[str, typer.Option("--stack", envvar="TRIVET_STACK", help="The Pulumi stack.")]
Stacks = Annotated[
    list[str],
    typer.Option("--stack", envvar="TRIVET_STACK", help="The Pulumi stack; several: on all of them, or on none."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Endpoint = Annotated[str, typer.Option("--endpoint", help="The endpoint; may be left out where the stack has one.")]
Outputs = Annotated[
    Path | None,
    typer.Option("--outputs", envvar="TRIVET_OUTPUTS", help="The stack's outputs as a file, instead of the stack."),
]
Project = Annotated[Path, typer.Argument(help="The project's folder: the one with trivet.yaml.")]

LOCAL = "local"


Native = Annotated[
    list[str] | None,
    typer.Option("--native", help="KEY=VALUE of the stack's cloud, such as instance_type; may be repeated."),
]


def instances_of(text: str) -> Instances | None:
    """The value of an option that says MIN-MAX, or one number; none where it is empty.

    :raises UsageError: for one that says neither.
    """
    if not text:
        return None
    least, _, most = text.partition("-")
    if not (least.isdecimal() and (most or least).isdecimal() and int(least) <= int(most or least)):
        raise UsageError(f"{text!r} is no number of instances.", "Write --instances 2-4, or --instances 2.")
    from trivet.core.specs import Instances

    return Instances.parse({"minimum_instances": int(least), "maximum_instances": int(most or least)}, "--instances")


def pairs_of(option: str, given: Sequence[str]) -> dict[str, str]:
    """The values of an option that says NAME=VALUE and may be repeated.

    :raises UsageError: for one that does not.
    """
    if wrong := [one for one in given if "=" not in one]:
        raise UsageError(f"{wrong[0]!r} sets nothing.", f"Write {option} NAME=VALUE.")
    return dict(one.split("=", 1) for one in given)
