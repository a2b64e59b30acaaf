"""The example from nothing to a served decision, and back to nothing."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from trivet.core.document import Document
from trivet.core.errors import ConfigError
from trivet.core.files import write_atomic
from trivet.core.inference import Decided, request_of
from trivet.core.layout import project_root
from trivet.core.modelpackage import PROFILE, Profile, package_key
from trivet.core.progress import Progress
from trivet.governance.explain import in_words
from trivet.training.evaluation import SCORES, score_column
from trivet.workflows import stack as stacks
from trivet.workflows.ask import predict, rows_of, serving_of
from trivet.workflows.bench import Bench, workbench
from trivet.workflows.bring import registry_ui
from trivet.workflows.init import scaffold
from trivet.workflows.project import ProjectFiles
from trivet.workflows.run import RunReport, run

EXAMPLE = Path(__file__).parent.parent / "examples" / "loan_approval"
REQUEST = "request.json"


class Application(Document):
    """One real application, what was decided about it and why, in words."""

    row: int
    lender: str
    answer: Decided
    reasons: tuple[str, ...]


class DemoReport(Document):
    """What the demonstration leaves running, and where to look."""

    run: RunReport
    applications: tuple[Application, ...]
    url: str
    curl: str
    registry: str


def demo(stack: str, progress: Progress) -> DemoReport:
    """Provision, run the example's workflow, and send three real applications to its endpoint."""
    root = _root()
    project = ProjectFiles.read(EXAMPLE)
    stacks.up(root, stack, [project], progress=progress)
    with workbench(root, stack, progress=progress) as bench:
        report = run(bench, project)
        with progress.step("Send three real applications"):
            applications, request = _apply(bench, project, report)
        path = Path(report.report).with_name(REQUEST)
        write_atomic(path, json.dumps(request))
        url = report.endpoint.url if report.endpoint else ""
        return DemoReport(
            run=report,
            applications=applications,
            url=url,
            curl=_curl(f"{url}/v2/models/{project.settings.model}/infer", path),
            registry=registry_ui(bench),
        )


def down(stack: str, progress: Progress) -> stacks.StackChange:
    """Destroy what ``demo`` made."""
    root = project_root()
    change = stacks.destroy(root, stack, progress)
    stacks.forget_endpoint(root, stack, ProjectFiles.read(EXAMPLE).settings.endpoint)
    return change


def _root() -> Path:
    try:
        return project_root()
    except ConfigError:
        scaffold(Path.cwd())
        return project_root()


def _apply(bench: Bench, project: ProjectFiles, report: RunReport) -> tuple[tuple[Application, ...], dict[str, object]]:
    serving = serving_of(bench.platform, report.package)
    numbers, chosen = _three(bench, report)
    rows = rows_of(chosen, serving)
    answers = predict(bench.platform, rows, project.settings.endpoint)
    profile = Profile.model_validate_json(bench.platform.store.get(f"{package_key(report.package)}/{PROFILE}"))
    words = (serving.decision.negative, serving.decision.positive)
    applications = tuple(
        Application(
            row=number,
            lender=words[int(told[project.contract.target])],
            answer=answer,
            reasons=tuple(reason.text for reason in in_words(answer.reasons, project.contract, row, profile)),
        )
        for number, told, answer, row in zip(numbers, chosen, answers, rows, strict=True)
    )
    return applications, request_of(rows[:1], serving)


def _three(bench: Bench, report: RunReport) -> tuple[list[int], list[dict[str, Any]]]:
    """The application that scored highest out of fold, the one nearest the threshold, and the lowest."""
    import pandas as pd

    from trivet.data.snapshot import read_rows, read_snapshot

    table = pd.read_parquet(Path(report.package_folder).parent / "evaluation" / SCORES)
    scores = table[score_column(report.variant)].to_numpy()
    numbers = [int(scores.argmax()), int(abs(scores - report.gate.threshold).argmin()), int(scores.argmin())]
    rows = read_rows(bench.platform.store, read_snapshot(bench.platform.store, report.snapshot))
    records: list[dict[str, Any]] = rows.iloc[numbers].to_dict("records")  # pyright: ignore[reportAssignmentType]
    return numbers, records


def _curl(url: str, path: Path) -> str:
    """A request as one types it; without the header curl would call the file a form."""
    return f"curl -s {url} -H 'Content-Type: application/json' -d {shlex.quote(f'@{_near(path)}')}"


def _near(path: Path) -> str:
    """The path as one types it here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
