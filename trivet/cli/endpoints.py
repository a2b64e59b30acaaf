"""Endpoints: deploy a version, ask it, look after it."""

from __future__ import annotations

import json as jsonlib
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from trivet import api
from trivet.cli.options import LOCAL, Endpoint, Json, Native, Outputs, Stack, Stacks, instances_of, pairs_of
from trivet.cli.output import Progress, busy, pairs, say, show, table
from trivet.core.errors import ConfigError, UsageError

app = typer.Typer(help="Endpoints of several stacks: compare.", no_args_is_help=True)


def deploy(
    model: Annotated[str, typer.Argument(help="NAME/VERSION, NAME@ALIAS or NAME.")],
    endpoint: Endpoint = "",
    traffic: Annotated[
        int | None,
        typer.Option("--traffic", min=1, max=99, help="Percent that it gets; what serves now keeps the rest."),
    ] = None,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="It gets a copy of the requests; what serves now goes on.")
    ] = False,
    instances: Annotated[
        str, typer.Option("--instances", help="MIN-MAX, or one number; else as trivet.yaml says, or as it is.")
    ] = "",
    native: Native = None,
    stack: Stacks = [LOCAL],  # noqa: B006  typer's way to give a default
    json: Json = False,
) -> None:
    """Serve an approved version, alone or beside what serves; also starts a server again that has stopped."""
    if shadow and traffic is not None:
        raise UsageError("A shadow has no share of the traffic.", "Give --traffic or --shadow.")
    asked: dict[str, Any] = {
        "endpoint": endpoint,
        "instances": instances_of(instances),
        "native": pairs_of("--native", native or []),
        "traffic": traffic,
        "shadow": shadow,
        "progress": Progress(json),
    }
    if len(stack) == 1:
        show(api.deploy(model, stack[0], **asked), json, _draw_state)
        return
    states = api.deploy_everywhere(model, stack, **asked)
    show(states, json, lambda all_: [_draw_state(one) for one in all_])


def predict(
    rows: Annotated[list[str] | None, typer.Argument(help="Rows as JSON objects, column to value.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Rows from a CSV or JSON-lines file instead; needs --out.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write the answers: .csv or .jsonl.")] = None,
    endpoint: Endpoint = "",
    stack: Stack = LOCAL,
    outputs: Outputs = None,
    json: Json = False,
) -> None:
    """Ask an endpoint for decisions with their reasons."""
    if file is not None:
        if out is None or rows:
            raise UsageError("--file needs --out, and no rows beside it.")
        with busy(f"Ask about the rows of {file}"):
            count = api.predict_file(file, out, stack, endpoint=endpoint, outputs=outputs)
        show({"rows": count, "out": str(out)}, json, lambda _: say(f"Wrote {count} answers to {out}."))
        return
    if not rows:
        raise UsageError("There are no rows.", "Give rows as JSON objects, or --file and --out.")
    answers = api.predict([_row(text) for text in rows], stack, endpoint=endpoint, outputs=outputs)
    show(answers, json, draw_answers)


def score(
    model: Annotated[str, typer.Argument(help="NAME/VERSION, NAME@ALIAS or NAME.")],
    source: Annotated[Path, typer.Option("--input", help="Rows: a CSV file with a header, or JSON lines.")],
    out: Annotated[Path, typer.Option("--output", help="Where to write the answers: .csv or .jsonl.")],
    minutes: Annotated[float, typer.Option("--minutes", min=0.01, help="The job is ended after so long.")] = 60.0,
    native: Native = None,
    stack: Stack = LOCAL,
    outputs: Outputs = None,
    json: Json = False,
) -> None:
    """Score a file by a registered version, as a job and without an endpoint. Ctrl-C cancels the job."""
    scored = api.score(
        model,
        source,
        out,
        stack,
        timeout=timedelta(minutes=minutes),
        native=pairs_of("--native", native or []),
        outputs=outputs,
        progress=Progress(json),
    )
    wrong = f", {scored.errors} of them with an error" if scored.errors else ""
    show(scored, json, lambda _: say(f"Wrote {scored.rows} answers of {scored.model} to {scored.out}{wrong}."))


def status(stack: Stack = LOCAL, outputs: Outputs = None, json: Json = False) -> None:
    """Show what serves and what the monitors found last."""
    show(api.status(stack, outputs=outputs), json, draw_status)


def logs(
    endpoint: Endpoint = "",
    job: Annotated[str, typer.Option("--job", help="A job, such as a training, instead of an endpoint.")] = "",
    stack: Stack = LOCAL,
    outputs: Outputs = None,
    json: Json = False,
) -> None:
    """Show what an endpoint's server, or a job, wrote."""
    lines = api.logs(stack, endpoint=endpoint, job=job, outputs=outputs)
    show(list(lines) if json else lines, json, lambda found: [say(line) for line in found])


def pause(endpoint: Endpoint = "", stack: Stack = LOCAL, outputs: Outputs = None, json: Json = False) -> None:
    """Let go of an endpoint's machines, and remember what it served."""
    show(api.pause(stack, endpoint=endpoint, outputs=outputs), json, _draw_state)


def resume(endpoint: Endpoint = "", stack: Stack = LOCAL, outputs: Outputs = None, json: Json = False) -> None:
    """Serve again what an endpoint served before its pause."""
    with busy("Wait until it serves"):
        state = api.resume(stack, endpoint=endpoint, outputs=outputs)
    show(state, json, _draw_state)


def monitor(
    labels: Annotated[
        Path | None, typer.Option("--labels", help="A CSV file with id,label: what really happened to predictions.")
    ] = None,
    stack: Stack = LOCAL,
    json: Json = False,
) -> None:
    """Compare what the endpoints see with what their models were trained on."""
    findings = api.monitor(stack, labels=labels, progress=Progress(json))
    show(findings, json, draw_findings)


@app.command()
def compare(
    stacks: Annotated[tuple[str, str], typer.Argument(help="Two stacks, of any clouds.", metavar="STACK STACK")],
    source: Annotated[Path, typer.Option("--input", help="Rows: a CSV file with a header, or JSON lines.")],
    endpoint: Annotated[tuple[str, str], typer.Option("--endpoints", help="Theirs, where a stack has several.")] = (
        "",
        "",
    ),
    batch: Annotated[int, typer.Option("--batch", min=1, max=256, help="Rows a request.")] = 1,
    json: Json = False,
) -> None:
    """Ask the endpoints of two stacks about the same rows: whether they decide alike, and how long each takes."""
    with busy(f"Ask both about the rows of {source}"):
        found = api.compare(source, stacks, endpoints=endpoint, batch=batch)
    show(found, json, _draw_comparison)


def _draw_comparison(found: api.Comparison) -> None:
    table(
        "stack",
        "cloud",
        "endpoint",
        "serves",
        "package",
        "median ms",
        "p95 ms",
        rows=[
            (
                one.stack,
                one.cloud,
                one.endpoint,
                one.model,
                one.digest[:19],
                f"{one.median_ms:.1f}",
                f"{one.p95_ms:.1f}",
            )
            for one in found.sides
        ],
    )
    packages = "the same package" if found.same_package else "two packages"
    say(
        f"They serve {packages} and decided alike on {found.agreed} of {found.rows} rows ({found.agreement:.1%}); "
        f"their scores differ by at most {found.largest_difference:.2g}."
    )
    for sentence in found.refused:
        say(sentence)


def draw_answers(answers: list[api.Decided]) -> None:
    """Decisions, one a row, with reasons in words."""
    table(
        "id",
        "decision",
        "score",
        "what spoke most against",
        rows=[
            (answer.id, answer.decision, f"{answer.score:.3f}", ", ".join(name for name, _ in answer.reasons) or "-")
            for answer in answers
        ],
    )


def draw_findings(findings: list[api.Finding]) -> None:
    """Findings, the worst first; what is fine, or unknown for one reason, in one row."""
    order = ("alarm", "unknown", "warn", "ok")
    alike: dict[tuple[str, str, str], list[api.Finding]] = {}
    for one in sorted(findings, key=lambda one: (order.index(one.level), -(one.effect or 0))):
        told_by = {"ok": "", "unknown": one.note}.get(one.level, one.subject)
        alike.setdefault((one.monitor, one.level, told_by), []).append(one)
    table(
        "monitor",
        "subject",
        "level",
        "effect",
        "sample",
        "note",
        rows=[
            (
                group[0].monitor,
                group[0].subject + (f" and {len(group) - 1} more" if len(group) > 1 else ""),
                group[0].level,
                _number(group[0].effect),
                str(group[0].sample),
                group[0].note,
            )
            for group in alike.values()
        ],
    )


def draw_status(status: api.Status) -> None:
    """The whole stack on one screen."""
    pairs([("stack", status.stack), ("engine", status.engine), ("ledger", status.ledger)])
    for state in status.endpoints:
        _draw_state(state)
    if status.findings:
        draw_findings(list(status.findings))
    else:
        say("Nothing was monitored yet: run `trivet monitor`.")


def _draw_state(state: api.EndpointState) -> None:
    released = ", ".join(f"{one.model}/{one.version} {one.digest[:19]} {one.traffic} %" for one in state.releases)
    pairs(
        [
            ("endpoint", state.name),
            ("status", f"{state.status}{f': {state.reason}' if state.reason else ''}"),
            ("serves", released or "nothing yet"),
            *([("shadow", f"{state.shadow.model}/{state.shadow.version}")] if state.shadow else []),
            ("address", state.url),
        ]
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _row(text: str) -> dict[str, float | str | None]:
    try:
        row = jsonlib.loads(text)
    except ValueError as error:
        raise ConfigError(f"A row is no JSON: {error}.", 'Write {"column": value, ...}.') from error
    if not isinstance(row, dict):
        raise ConfigError("A row is a JSON object.", 'Write {"column": value, ...}.')
    return row


COMMANDS = (deploy, predict, score, status, logs, pause, resume, monitor)
