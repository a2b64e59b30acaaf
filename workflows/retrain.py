"""Retraining: only when something asks for it."""

from __future__ import annotations

from datetime import datetime

from trivet.core.document import Document
from trivet.monitoring import capture
from trivet.monitoring.retrain import needed
from trivet.workflows.bench import Bench
from trivet.workflows.project import DEFAULT_VARIANT, ProjectFiles
from trivet.workflows.run import RunReport, run
from trivet.workflows.watch import monitor, served_since


class Retraining(Document):
    """Whether a training was due, why, and what came of it."""

    due: bool
    reason: str
    report: RunReport | None = None


def run_if_needed(bench: Bench, project: ProjectFiles, variant: str = DEFAULT_VARIANT) -> Retraining:
    """Look at the endpoint first; run the workflow if an alarm or the schedule asks and nothing speaks against."""
    endpoint = project.settings.endpoint
    trainings = list(bench.ledger.entries("run", project.settings.name))
    last_training = trainings[-1].time if trainings else None
    decision = needed(
        bench.now(),
        last_training,
        served_since(bench, endpoint),
        monitor(bench).get(endpoint, []),
        _labels_since(bench, endpoint, last_training),
        project.settings.retrain,
    )
    report = run(bench, project, variant) if decision.run else None
    return Retraining(due=decision.run, reason=decision.reason, report=report)


def _labels_since(bench: Bench, endpoint: str, since: datetime | None) -> int:
    """How many of the endpoint's predictions have an outcome that became known after ``since``."""
    return sum(since is None or label.time > since for _, label in capture.labelled(bench.records, endpoint))
