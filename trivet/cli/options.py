"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Stack = Annotated[str, typer.Option("--stack", envvar="TRIVET_STACK", help="The Pulumi stack.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Endpoint = Annotated[str, typer.Option("--endpoint", help="The endpoint; may be left out where the stack has one.")]
Outputs = Annotated[
    Path | None,
    typer.Option("--outputs", envvar="TRIVET_OUTPUTS", help="The stack's outputs as a file, instead of the stack."),
]
Project = Annotated[Path, typer.Argument(help="The project's folder: the one with trivet.yaml.")]

LOCAL = "local"
