"""Datasets: what was frozen, where it came from, and what its columns are to people."""

from __future__ import annotations

from typing import Annotated

import typer

from trivet import api
from trivet.cli.options import LOCAL, Json, Stack
from trivet.cli.output import pairs, say, show, table

app = typer.Typer(help="The datasets that models were trained on: list, show.", no_args_is_help=True)


@app.command("list")
def list_(
    name: Annotated[str, typer.Argument(help="One dataset only.")] = "", stack: Stack = LOCAL, json: Json = False
) -> None:
    """List every snapshot, newest first."""
    show(api.datasets(name, stack), json, _draw)


@app.command("show")
def show_(
    reference: Annotated[str, typer.Argument(help="A dataset, or the beginning of a snapshot's digest.")],
    stack: Stack = LOCAL,
    json: Json = False,
) -> None:
    """Show one snapshot: its origin, its digests, and every column with its tags."""
    show(api.dataset(reference, stack), json, _draw_one)


def _draw(found: list[api.Noted]) -> None:
    table(
        "dataset",
        "snapshot",
        "rows",
        "quarantined",
        "contract",
        "frozen",
        "by",
        rows=[
            (
                one.dataset.name,
                one.dataset.snapshot[:19],
                f"{one.dataset.rows:,}",
                f"{one.dataset.quarantined:,}",
                f"{one.dataset.contract_version}, {one.dataset.contract[:19]}",
                f"{one.time:%Y-%m-%d %H:%M:%S}",
                one.actor,
            )
            for one in found
        ],
    )


def _draw_one(one: api.Noted) -> None:
    found = one.dataset
    pairs(
        [
            ("dataset", found.name),
            ("snapshot", found.snapshot),
            ("frozen", f"{one.time:%Y-%m-%d %H:%M:%S} by {one.actor}"),
            ("rows", f"{found.rows:,} kept, {found.quarantined:,} in quarantine"),
            ("contract", f"version {found.contract_version}, {found.contract}"),
            ("source", found.source or "not said"),
            ("licence", found.licence or "not said"),
            ("file", found.file),
            ("stored", f"{found.key}, {found.data}"),
            ("labels", f"in column {found.target}"),
        ]
    )
    say()
    table(
        "column",
        "type",
        "tags",
        rows=[(column.name, column.type, ", ".join(column.tags)) for column in found.columns],
    )
