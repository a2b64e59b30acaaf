"""Projects: begin one, run its workflow, train alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trivet import api
from trivet.cli.options import LOCAL, Json, Project, Stack, pairs_of
from trivet.cli.output import Progress, say, show
from trivet.cli.reports import draw_run, draw_training

Variant = Annotated[str, typer.Option("--variant", help="A candidate of trivet.yaml.")]


def init(
    name: Annotated[str, typer.Argument(help="Name of the project and of its folder.")],
    source: Annotated[Path, typer.Option("--from", help="The data, a CSV file.")],
    target: Annotated[str, typer.Option("--target", help="The column to predict; it has two values.")],
    positive: Annotated[str, typer.Option("--positive", help="The target's value that counts as a yes.")] = "",
    protected: Annotated[
        list[str] | None, typer.Option("--protected", help="A column that tells a protected group; may be repeated.")
    ] = None,
    json: Json = False,
) -> None:
    """Write a new project: contract.yaml, train.py, policy.yaml and trivet.yaml."""
    folder = api.init(name, source, target, positive=positive, protected=tuple(protected or ()))
    show(
        {"project": str(folder)},
        json,
        lambda _: say(
            f"Wrote {folder}. Look through contract.yaml, then:\n  trivet up {folder}\n  trivet run {folder}"
        ),
    )


def run(
    project: Project,
    variant: Variant = "default",
    if_needed: Annotated[
        bool, typer.Option("--if-needed", help="Only when an alarm or the schedule asks for it; says why.")
    ] = False,
    stack: Stack = LOCAL,
    json: Json = False,
) -> None:
    """Run the workflow: collect, validate, snapshot, train, gate, register, approve, deploy."""
    if if_needed:
        retraining = api.run_if_needed(project, stack, variant=variant, progress=Progress(json))
        show(retraining, json, _draw_retraining)
    else:
        show(api.run(project, stack, variant=variant, progress=Progress(json)), json, draw_run)


def train(project: Project, variant: Variant = "default", stack: Stack = LOCAL, json: Json = False) -> None:
    """Train and judge a candidate, and register nothing."""
    report = api.train(project, stack, variant=variant, progress=Progress(json))
    show(report, json, draw_training)


def schedule(
    name: Annotated[str, typer.Argument(help="A schedule of the stack.")],
    project: Project,
    command: Annotated[list[str], typer.Argument(help="What it runs in the project's code, after `--`.")],
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", help="NAME=KEY: a folder of the store, under $TRIVET_INPUT/NAME; may be repeated."),
    ] = None,
    stack: Stack = LOCAL,
    json: Json = False,
) -> None:
    """Say what a schedule of the stack runs: a command of the project's, over what the store then holds."""
    folders = pairs_of("--input", inputs or [])
    scheduled = api.schedule(project, name, command, stack, inputs=folders)
    show(
        scheduled,
        json,
        lambda found: say(f"The schedule {found.schedule} runs `{' '.join(found.command)}` from now on."),
    )


def _draw_retraining(retraining: api.Retraining) -> None:
    say(retraining.reason)
    if retraining.report:
        draw_run(retraining.report)


COMMANDS = (init, run, train, schedule)
