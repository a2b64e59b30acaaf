"""The ledger: what was decided, by whom, and proof that nobody changed it since."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trivet import api
from trivet.cli.options import LOCAL, Json, Stack
from trivet.cli.output import say, show, table

app = typer.Typer(help="The tamper-evident audit log: show, verify, export.", no_args_is_help=True)


@app.command("show")
def show_(stack: Stack = LOCAL, json: Json = False) -> None:
    """Show every entry."""
    show(
        api.ledger_entries(stack),
        json,
        lambda entries: table(
            "#",
            "time",
            "kind",
            "says",
            "actor",
            "subject",
            "hash",
            rows=[
                (
                    str(one.seq),
                    f"{one.time:%Y-%m-%d %H:%M:%S}",
                    one.kind,
                    str(one.body.get("status") or one.body.get("verdict") or ""),
                    one.actor,
                    one.subject,
                    one.hash[:19],
                )
                for one in entries
            ],
        ),
    )


@app.command()
def verify(stack: Stack = LOCAL, json: Json = False) -> None:
    """Check the chain, its anchors and the records that it names."""
    show(
        api.ledger_verify(stack),
        json,
        lambda found: say(
            f"Sound: {found.entries} entries, {found.segments} record segments, head {found.head}, "
            f"anchored up to entry {found.anchored}."
        ),
    )


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="A file for JSON lines, which tools/verify_ledger.py checks.")],
    stack: Stack = LOCAL,
    json: Json = False,
) -> None:
    """Write every entry to a file for an auditor."""
    count = api.ledger_export(out, stack)
    show({"entries": count, "out": str(out)}, json, lambda _: say(f"Wrote {count} entries to {out}."))
