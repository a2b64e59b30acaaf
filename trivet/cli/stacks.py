"""The stack: provision, look, destroy."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trivet import api
from trivet.cli.options import LOCAL, Json, Outputs, Stack, pairs_of
from trivet.cli.output import Progress, pairs, say, show, table
from trivet.core.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trivet.core.leftovers import Left
    from trivet.infra.costs import Estimate
    from trivet.infra.driver import Options
    from trivet.infra.holds import Hold

app = typer.Typer(help="The stack's place: which engine it belongs to.", no_args_is_help=True)

Packs = Annotated[
    list[Path] | None, typer.Option("--policy-pack", help="A Pulumi policy pack to hold to; may be repeated.")
]
HTTPS = 443
Refresh = Annotated[bool, typer.Option("--refresh", help="First take over what changed outside.")]
Cost = Annotated[bool, typer.Option("--cost", help="Show the list price of a month in which nobody uses the stack.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show every step, and what the embedded engine does not do.")]


def up(
    projects: Annotated[
        list[Path] | None, typer.Argument(help="Projects whose endpoints the stack shall have.")
    ] = None,
    config: Annotated[
        list[str] | None, typer.Option("--config", help="KEY=VALUE of the trivet namespace; may be repeated.")
    ] = None,
    policy_pack: Packs = None,
    refresh: Refresh = False,
    continue_on_error: Annotated[
        bool, typer.Option("--continue-on-error", help="After a failure, do what does not need what failed.")
    ] = False,
    cost: Cost = False,
    verbose: Verbose = False,
    stack: Stack = LOCAL,
    json: Json = False,
) -> None:
    """Create or update the stack. Does the same as `pulumi up`, whose settings `trivet env` prints."""
    options = _options(policy_pack, refresh, continue_on_error, verbose)
    settings = pairs_of("--config", config or [])
    paths = tuple(projects or ())
    result = api.up(stack, paths, config=settings, options=options, cost=cost, progress=Progress(json))
    show(result, json, _draw_change)


def preview(
    policy_pack: Packs = None,
    refresh: Refresh = False,
    cost: Cost = False,
    verbose: Verbose = False,
    stack: Stack = LOCAL,
    json: Json = False,
) -> None:
    """Show what `up` would change, and change nothing."""
    options = _options(policy_pack, refresh, False, verbose)
    show(api.preview(stack, options=options, cost=cost, progress=Progress(json)), json, _draw_change)


def outputs(stack: Stack = LOCAL, json: Json = False) -> None:
    """Show where the stack keeps what."""
    show(api.outputs(stack), json, lambda found: pairs(_described(found)))


def destroy(
    stack: Stack = LOCAL,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    audit: Annotated[
        bool, typer.Option("--audit", help="Destroy nothing; list what is left on the cloud, and until when.")
    ] = False,
    json: Json = False,
) -> None:
    """Destroy the stack with everything in it: models, records and ledger too. What is protected is listed first."""
    if audit:
        show(api.audit(stack, progress=Progress(json)), json, _draw_left)
        return
    from trivet.infra.holds import Held

    holds = api.held(stack)
    if any(one.blocks for one in holds):
        show(holds, json, _draw_holds)
        raise Held(stack, holds)
    if not yes:
        typer.confirm(f"Destroy stack {stack} with its models, records and ledger?", abort=True, err=True)
    show(api.destroy(stack, progress=Progress(json)), json, _draw_destroyed)


def doctor(stack: Stack = LOCAL, outputs: Outputs = None, json: Json = False) -> None:
    """Look whether work on the stack can begin: identity, rights, quotas, and what it should have."""
    checks = api.doctor(stack, outputs=outputs)
    show(checks, json, _draw_checks)
    if any(check.level == "fail" for check in checks):
        raise typer.Exit(ExitCode.NOT_READY)


def _draw_checks(checks: list[api.Check]) -> None:
    table("what", "level", "note", rows=[(check.name, check.level, check.note) for check in checks])


def env(stack: Stack = LOCAL, json: Json = False) -> None:
    """Print the exports with which plain `pulumi` commands act on this stack: eval "$(trivet env)"."""
    show(api.environment(stack), json, _draw_environment)


@app.command()
def migrate(
    to: Annotated[str, typer.Option("--to", help="pulumi or embedded: the engine that it shall belong to.")],
    stack: Stack = LOCAL,
    json: Json = False,
) -> None:
    """Hand the stack over to the other engine: export, import, and check that both say the same."""
    archive = api.migrate(stack, to)
    told = f"Stack {stack} belongs to the engine {to} now; what it was before lies at {archive}."
    show({"stack": stack, "engine": to, "archive": str(archive)}, json, lambda _: say(told))


def _options(packs: list[Path] | None, refresh: bool, goes_on: bool, verbose: bool) -> Options:
    from trivet.infra.driver import Options

    def tell(line: str) -> None:
        say(line.rstrip(), error=True)

    return Options(tuple(path.resolve() for path in packs or ()), refresh, goes_on, tell if verbose else None)


def _draw_change(change: api.StackChange) -> None:
    say(change.summary)
    if change.outputs:
        pairs(_described(change.outputs))
    if change.estimate:
        _draw_estimate(change.estimate)


def _draw_estimate(estimate: Estimate) -> None:
    rows = [
        (
            row.what,
            "unknown" if row.quantity is None else f"{row.quantity.normalize():f}",
            row.unit,
            "unknown" if row.unit_price is None else f"{row.unit_price:f}",
            "unknown" if row.monthly is None else f"{row.monthly:.2f}",
            row.charged,
            str(row.as_of or ""),
        )
        for row in estimate.rows
    ]
    if rows:
        price, monthly = (f"{estimate.currency} {word}" for word in ("a unit", "a month"))
        table("charged for", "units", "unit", price, monthly, "charged", "as of", rows=rows)
    say(estimate.sentence)


def _draw_holds(holds: Sequence[Hold]) -> None:
    blocking = [(one.resource, one.why, one.release) for one in holds if one.blocks]
    outliving = [(one.resource, one.why, one.release) for one in holds if not one.blocks]
    if blocking:
        table("protected", "because", "to release it", rows=blocking)
    if outliving:
        table("outlives the stack", "because", "what to do", rows=outliving)


def _draw_destroyed(change: api.StackChange) -> None:
    say(change.summary)
    if change.kept:
        _draw_holds(change.kept)
        say(f"`trivet destroy --audit --stack {change.stack}` lists what is left.")


def _draw_left(left: Sequence[Left]) -> None:
    for one in left:
        until = f" until {one.until:%Y-%m-%d}" if one.until else ""
        say(f"{one.kind}  {one.id}")
        say(f"    {one.state}{until}: {one.note}")
        say(f"    to delete it: {one.release}")
    say(f"{len(left)} left." if left else "Nothing is left.")


def _draw_environment(variables: dict[str, str]) -> None:
    for name, value in variables.items():
        say(f"export {name}={shlex.quote(value)}")


def _described(found: api.Outputs) -> list[tuple[str, str]]:
    return [
        ("stack", f"{found.stack} ({found.cloud}, {found.environment}{', regulated' if found.regulated else ''})"),
        *((f"endpoint {name}", _address(shell.host, shell.port)) for name, shell in found.endpoints.items()),
        ("store", found.store),
        ("models", found.models),
        ("records", found.records),
        ("ledger", found.ledger),
        ("signing key", found.signing.key_id),
    ]


def _address(host: str, port: int) -> str:
    return f"https://{host}" if port == HTTPS else f"http://{host}:{port}"


COMMANDS = (up, preview, outputs, doctor, destroy, env)
