"""The model registry."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trivet import api
from trivet.cli.options import LOCAL, Json, Stack
from trivet.cli.output import Progress, busy, say, show, table

app = typer.Typer(help="The model registry: list, register, approve, promote, show, convert.", no_args_is_help=True)

OPENING = "Open the registry"
Reference = Annotated[str, typer.Argument(help="NAME/VERSION, NAME@ALIAS or NAME.")]


@app.command("list")
def list_(
    name: Annotated[str, typer.Argument(help="One model only.")] = "", stack: Stack = LOCAL, json: Json = False
) -> None:
    """List every version, newest first."""
    with busy(OPENING):
        versions = api.models(name, stack)
    show(versions, json, _draw)


@app.command("show")
def show_(reference: Reference, stack: Stack = LOCAL, json: Json = False) -> None:
    """Show one version with its model card."""
    with busy(OPENING):
        card = api.model_card(reference, stack)
    show(card, json, lambda found: say(found.markdown()))


@app.command()
def register(
    path: Annotated[Path, typer.Argument(help="A model package, or an MLflow model folder in ONNX form.")],
    name: Annotated[str, typer.Option("--name", help="The model's name; a package knows its own.")] = "",
    project: Annotated[
        Path | None,
        typer.Option("--project", help="A project, before whose gate it goes."),
    ] = None,
    stack: Stack = LOCAL,
    json: Json = False,
) -> None:
    """Sign and register a model that was trained elsewhere. It is not approved by that."""
    version = api.register(path, stack, name=name, project=project, progress=Progress(json))
    show(version, json, lambda one: say(f"Registered {one} ({one.digest[:19]})."))


@app.command()
def approve(
    reference: Reference,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is recorded.")],
    reject: Annotated[bool, typer.Option("--reject", help="Reject it instead.")] = False,
    stack: Stack = LOCAL,
    json: Json = False,
) -> None:
    """Approve a version as yourself. TRIVET_ACTOR declares another name, which is recorded as not verified."""
    with busy(OPENING):
        version = api.approve(reference, reason, stack, reject=reject)
    show(version, json, lambda one: say(f"{one} is {one.approval.status} by {one.approval.actor}."))


@app.command()
def promote(
    reference: Reference,
    source: Annotated[str, typer.Option("--from", help="The stack that has it.")],
    target: Annotated[str, typer.Option("--to", help="The stack that is to have it; of any cloud.")],
    name: Annotated[str, typer.Option("--name", help="What it is called there, where not as here.")] = "",
    source_root: Annotated[
        Path | None, typer.Option("--from-root", help="The root of another project, whose stack --from is.")
    ] = None,
    json: Json = False,
) -> None:
    """Copy a version into another stack's registry: checked, signed anew, approved where the rule there lets it be."""
    done = api.promote(reference, source, target, name=name, source_root=source_root, progress=Progress(json))
    show(done, json, _draw_promoted)


@app.command()
def convert(
    path: Annotated[Path, typer.Argument(help="An MLflow model folder that holds a pickle.")],
    out: Annotated[Path, typer.Option("--out", help="Where the model package goes.")],
    trust_pickle: Annotated[
        bool, typer.Option("--trust-pickle", help="You know who wrote it: opening a pickle runs its code.")
    ] = False,
    sample: Annotated[
        Path | None, typer.Option("--sample", help="Rows as CSV, where the model carries no input example.")
    ] = None,
    json: Json = False,
) -> None:
    """Convert a pickled scikit-learn model to ONNX, in a process of its own, and prove that the scores are equal."""
    package = api.convert(path, out, trust_pickle=trust_pickle, sample=sample, progress=Progress(json))
    show(
        {"package": str(package)},
        json,
        lambda _: say(f"Wrote {package}. Register it: trivet models register {package}"),
    )


@app.command()
def ui(stack: Stack = LOCAL, json: Json = False) -> None:
    """Print the command that opens MLflow's own pages on the local registry."""
    show({"command": api.registry_ui(stack)}, json, lambda found: say(found["command"]))


def _draw_promoted(done: api.Promoted) -> None:
    approval = done.version.approval
    said = f"approved by {approval.actor}" if approval and not done.waits else f"not approved: {done.waits}"
    say(f"{done.stack} has {done.version} ({done.version.digest[:19]}), {said.rstrip('.')}.")


def _draw(versions: list[api.ModelVersion]) -> None:
    table(
        "version",
        "aliases",
        "approval",
        "package",
        "author",
        "created",
        rows=[
            (
                str(one),
                ", ".join(one.aliases) or "-",
                f"{one.approval.status} by {one.approval.actor}" if one.approval else "none",
                one.digest[:19],
                one.author,
                f"{one.created:%Y-%m-%d %H:%M}",
            )
            for one in versions
        ],
    )
