"""Rehearsals: a cloud's whole life on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trivet.cli.options import Json
from trivet.cli.output import Progress, pairs, say, show, table
from trivet.platforms.extras import extra

if TYPE_CHECKING:
    from trivet.rehearsal.life import Rehearsal, Rehearsed

ALL = "all"


def rehearse(
    cloud: Annotated[str, typer.Argument(help="The cloud: aws or gcp; or all.")],
    keep: Annotated[
        Path | None, typer.Option("--keep", help="A folder to leave everything in, such as logs; else nothing stays.")
    ] = None,
    json: Json = False,
) -> None:
    """Live a stack's and a model's whole life on a fake of the cloud: its real SDK, real training, a real server."""
    with extra("rehearsal"):
        from trivet.rehearsal import life
        from trivet.rehearsal.stages import stage_of

        title = "" if cloud == ALL else stage_of(cloud).title

    def begins(title: str) -> None:
        if not json:
            say(f"REHEARSAL, not {title}", error=True)

    folder = keep and keep.resolve()
    if cloud == ALL:
        outcomes, error = life.rehearse_all(Progress(json), folder, begins)
        show(outcomes, json, _draw_all)
        if error:
            raise error
        return
    begins(title)
    show(life.rehearse(cloud, Progress(json), folder), json, _draw)


def parity(json: Json = False) -> None:
    """Show what each cloud can do: natively, emulated, or refused with the reason."""
    from trivet.clouds import CLOUDS
    from trivet.core.capabilities import Capability

    claims = {
        cloud.name: {
            str(one): {"support": str(claim.support), "note": claim.note} for one, claim in cloud.claims.items()
        }
        | {"evidence": cloud.evidence}
        for cloud in CLOUDS.values()
    }
    rows = [(str(one), *(cloud.claims[one].support for cloud in CLOUDS.values())) for one in Capability]
    evidence = ("evidence", *(cloud.evidence for cloud in CLOUDS.values()))
    names = [cloud.title for cloud in CLOUDS.values()]
    show(claims, json, lambda _: table("capability", *names, rows=[*rows, evidence]))


def _draw_all(outcomes: list[Rehearsed]) -> None:
    """Every rehearsal, then one line for each."""
    for one in outcomes:
        if one.report:
            _draw(one.report)
    table("cloud", "rehearsal", "what it showed", "s", rows=[_row(one) for one in outcomes])


def _row(one: Rehearsed) -> tuple[str, str, str, str]:
    if one.report is None:
        return one.cloud, "failed", one.error or "", ""
    return one.cloud, "passed", f"{len(one.report.steps)} steps", f"{one.report.seconds:.0f}"


def _draw(report: Rehearsal) -> None:
    table("step", "what it showed", "s", rows=[(one.step, one.showed, f"{one.seconds:.1f}") for one in report.steps])
    pairs(
        [
            ("evidence", report.evidence),
            ("engine", report.engine),
            ("operations", f"{sum(report.operations.values())} of {len(report.operations)} services"),
            ("proves", report.proves),
            ("does not", report.proves_not),
            ("seconds", f"{report.seconds:.0f}"),
        ]
    )
    say(f"This was a REHEARSAL, not {report.title}: what it signed, no other stack takes.")


COMMANDS = (rehearse, parity)
