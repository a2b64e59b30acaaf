"""The stack: provision, look, destroy."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from trivet import api
from trivet.cli.options import LOCAL, Json, Stack
from trivet.cli.output import Progress, pairs, say, show
from trivet.core.errors import UsageError


def up(
    projects: Annotated[
        list[Path] | None, typer.Argument(help="Projects whose endpoints the stack shall have.")
    ] = None,
    config: Annotated[
        list[str] | None, typer.Option("--config", help="KEY=VALUE of the trivet namespace; may be repeated.")
    ] = None,
    stack: Stack = LOCAL,
    json: Json = False,
) -> None:
    """Create or update the stack. Does the same as `pulumi up`, whose settings `trivet env` prints."""
    result = api.up(stack, tuple(projects or ()), config=_pairs_of(config or []), progress=Progress(json))
    show(result, json, _draw_up)


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


def env(stack: Stack = LOCAL, json: Json = False) -> None:
    """Print the exports with which plain `pulumi` commands act on this stack: eval "$(trivet env)"."""
    show(api.environment(stack), json, _draw_environment)


def _pairs_of(settings: list[str]) -> dict[str, str]:
    if wrong := [one for one in settings if "=" not in one]:
        raise UsageError(f"{wrong[0]!r} sets nothing.", "Write --config KEY=VALUE.")
    return dict(one.split("=", 1) for one in settings)


def _draw_up(change: api.StackChange) -> None:
    say(change.summary)
    if change.outputs:
        pairs(_described(change.outputs))


def _draw_environment(variables: dict[str, str]) -> None:
    for name, value in variables.items():
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
