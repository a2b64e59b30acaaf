"""The demonstration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from trivet.cli.options import LOCAL, Json, Stack
from trivet.cli.output import Progress, say, show
from trivet.cli.reports import draw_run

if TYPE_CHECKING:
    from trivet.workflows.demo import DemoReport


def demo(
    down: Annotated[bool, typer.Option("--down", help="Destroy what it made.")] = False,
    stack: Stack = LOCAL,
    json: Json = False,
) -> None:
    """From raw mortgage applications to a governed, served model on this machine."""
    from trivet.workflows import demo as workflow

    if down:
        show(workflow.down(stack, Progress(json)), json, lambda change: say(change.summary))
    else:
        show(workflow.demo(stack, Progress(json)), json, _draw)


def _draw(report: DemoReport) -> None:
    draw_run(report.run)
    say()
    for one in report.applications:
        say(
            f"Application {one.row}: {one.answer.decision} (score {one.answer.score:.3f}; the lender said {one.lender})"
        )
        for reason in one.reasons:
            say(f"    against it: {reason}")
    say()
    say(f"Serves at    {report.url}")
    say(f"Try it       {report.url}/docs in a browser, or")
    say(f"             {report.curl}")
    say(f"Registry     {report.registry}")
    say("Stop it      make down, or trivet demo --down")


COMMANDS = (demo,)
