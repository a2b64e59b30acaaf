"""The verbs of the command line, in Python. Each takes a stack's name and finds the project root from the working
directory; ``root`` says otherwise.

>>> import trivet
>>> trivet.up("local", ("examples/loan_approval",))  # doctest: +SKIP
>>> report = trivet.run("examples/loan_approval")  # doctest: +SKIP
>>> trivet.predict([{...}])  # doctest: +SKIP

What a verb needs is imported when it is called: ``predict``, ``status``, ``logs`` and ``outputs`` import neither
Pulumi nor MLflow nor scikit-learn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trivet.api.datasets import dataset, datasets
from trivet.api.endpoints import (
    compare,
    deploy,
    deploy_everywhere,
    logs,
    monitor,
    pause,
    predict,
    predict_file,
    resume,
    score,
    status,
)
from trivet.api.ledger import ledger_entries, ledger_export, ledger_verify
from trivet.api.projects import init, run, run_if_needed, schedule, train
from trivet.api.registry import approve, convert, model_card, models, promote, register, registry_ui
from trivet.api.stacks import audit, destroy, doctor, environment, held, migrate, outputs, preview, up

if TYPE_CHECKING:
    from trivet.core.checkup import Check
    from trivet.core.findings import Finding
    from trivet.core.inference import Decided
    from trivet.core.outputs import Outputs
    from trivet.core.specs import EndpointState, ModelVersion
    from trivet.workflows.compare import Comparison, Side
    from trivet.workflows.datasets import Noted
    from trivet.workflows.promote import Promoted
    from trivet.workflows.retrain import Retraining
    from trivet.workflows.schedule import Scheduled
    from trivet.workflows.score import Scored
    from trivet.workflows.stack import StackChange
    from trivet.workflows.watch import Status

__all__ = [
    "Check",
    "Comparison",
    "Decided",
    "EndpointState",
    "Finding",
    "ModelVersion",
    "Noted",
    "Outputs",
    "Promoted",
    "Retraining",
    "Scheduled",
    "Scored",
    "Side",
    "StackChange",
    "Status",
    "approve",
    "audit",
    "compare",
    "convert",
    "dataset",
    "datasets",
    "deploy",
    "deploy_everywhere",
    "destroy",
    "doctor",
    "environment",
    "held",
    "init",
    "ledger_entries",
    "ledger_export",
    "ledger_verify",
    "logs",
    "migrate",
    "model_card",
    "models",
    "monitor",
    "outputs",
    "pause",
    "predict",
    "predict_file",
    "preview",
    "promote",
    "register",
    "registry_ui",
    "resume",
    "run",
    "run_if_needed",
    "schedule",
    "score",
    "status",
    "train",
    "up",
]
