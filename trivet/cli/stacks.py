"""The stack: provision, look, destroy."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from trivet import api
from trivet.cli.options import LOCAL, Json, Stack
from trivet.cli.output import Progress, pairs, say, show


def up(
    projects: Annotated[
        list[Path] | None, typer.Argument(help="Projects whose endpoints the stack shall have.")
    ] = None,
    stack: Stack = LOCAL,
    json: Json = False,
) -> None:
    """Create or update the stack. Does the same as `pulumi up`, whose settings `trivet env` prints."""
    result = api.up(stack, tuple(projects or ()), progress=Progress(json))
    show(result, json, lambda done: (say(done.summary), pairs(_described(done.outputs))))


def preview(stack: Stack = LOCAL, json: Json = False) -> None:
    """Show what `up` would change, and change nothing."""
    show(api.preview(stack, progress=Progress(json)), json, lambda change: say(change.summary))


def outputs(stack: Stack = LOCAL, json: Json = False) -> None:
    """Show where the stack keeps what."""
    show(api.outputs(stack), json, lambda found: pairs(_described(found)))


def destroy(
    stack: Stack = LOCAL,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Destroy the stack with everything in it: models, records and ledger too."""
    if not yes:
        typer.confirm(f"Destroy stack {stack} with its models, records and ledger?", abort=True, err=True)
    show(api.destroy(stack, progress=Progress(json)), json, lambda change: say(change.summary))


def env(stack: Stack = LOCAL) -> None:
    """Print the exports with which plain `pulumi` commands act on this stack: eval "$(trivet env)"."""
    for name, value in api.environment(stack).items():
        say(f"export {name}={shlex.quote(value)}")


def _described(found: api.Outputs) -> list[tuple[str, str]]:
    return [
        ("stack", f"{found.stack} ({found.cloud}, {found.environment}{', regulated' if found.regulated else ''})"),
        *((f"endpoint {name}", f"http://{shell.host}:{shell.port}") for name, shell in found.endpoints.items()),
        ("store", found.store),
        ("models", found.models),
        ("records", found.records),
        ("ledger", found.ledger),
        ("signing key", found.signing.key_id),
    ]


COMMANDS = (up, preview, outputs, destroy, env)
