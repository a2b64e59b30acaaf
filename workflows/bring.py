"""Models that were made elsewhere: into the registry, and before the same gate."""

from __future__ import annotations

import json
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trivet.core.errors import NotFound
from trivet.core.findings import GateReport
from trivet.core.inference import decided, request_of
from trivet.core.modelpackage import SERVING, Package, Serving
from trivet.core.progress import Progress, Silent
from trivet.core.specs import ModelVersion
from trivet.data.snapshot import read_rows
from trivet.governance.gate import judge
from trivet.serving.engine import Engine
from trivet.serving.service import Call, Service
from trivet.serving.wire import v2
from trivet.training.convert import convert as convert_pickle
from trivet.training.evaluation import AUC, OVER_BASELINE
from trivet.training.registerable import HALF, as_package
from trivet.training.runtime.metrics import auc
from trivet.training.runtime.rows import outcomes
from trivet.workflows.ask import rows_of
from trivet.workflows.bench import Bench
from trivet.workflows.prepare import prepare
from trivet.workflows.project import ProjectFiles
from trivet.workflows.release import Judged, note_registered, register

if TYPE_CHECKING:
    import pandas as pd

CANDIDATE = "registered"
BLIND = 0.5  # the area of a baseline that knows no row from another


def register_folder(bench: Bench, folder: Path, name: str = "", project: ProjectFiles | None = None) -> ModelVersion:
    """Register a model package, or an MLflow model folder in ONNX form, which is wrapped into one.

    With a ``project`` the model goes before that project's gate: it is scored on the project's data as that is now,
    which is honest only where it was not trained on it. Without one it is registered and cannot be approved.

    :raises ConfigError: when it only exists as a pickle, naming the command that converts it.
    """
    with tempfile.TemporaryDirectory() as scratch:
        decision = project.settings.decision if project else HALF
        wanted = name or (project.settings.model if project else folder.resolve().name)
        package = as_package(folder, Path(scratch) / "package", name=wanted, decision=decision)
        known = name or (project.settings.model if project else serving_of_folder(package).name)
        if project is None:
            version = bench.platform.models.register(known, package, author=bench.actor.name, tags={})
            note_registered(bench, version, None)
            return version
        return register(bench, known, package, _judged(bench, project, package), {"project": project.settings.name})


def convert(
    folder: Path, out: Path, *, trust_pickle: bool, sample: Path | None = None, progress: Progress | None = None
) -> Path:
    """Convert a pickled scikit-learn model to a model package, in a process of its own."""
    with (progress or Silent()).step(f"Convert {folder} in a process of its own"):
        return convert_pickle(folder, out, trust_pickle=trust_pickle, sample=sample)


def registry_ui(bench: Bench) -> str:
    """The command that opens MLflow's own pages on the stack's registry.

    :raises NotFound: where the registry is a cloud's.
    """
    command = getattr(bench.platform.models, "ui_command", None)
    if command is None:
        raise NotFound(f"The registry of {bench.platform.cloud.title} has no pages of its own here.")
    return shlex.join(command())


def serving_of_folder(package: Path) -> Serving:
    """What a package on this machine wants as inputs."""
    return Serving.model_validate_json(Package(package).read(SERVING))


def _judged(bench: Bench, project: ProjectFiles, package: Path) -> Judged:
    prepared = prepare(bench, project)
    with bench.progress.step("Score the project's rows and judge") as note:
        rows = read_rows(bench.platform.store, prepared.snapshot)
        report = _judge(project, package, rows)
        note(report.verdict)
    body = {
        "candidate": project.settings.name,
        "verdict": report.verdict,
        "reasons": list(report.reasons),
        "policy": project.policy.content_digest(),
    }
    bench.note("gate", Package(package).digest, body)
    return Judged(
        project=project.settings.name,
        endpoint=project.settings.endpoint,
        records=project.settings.records,
        policy=project.policy,
        gate=report,
        drift=project.settings.drift,
        serving=project.settings.serving,
        plan="",
        evaluation="",
        served=None,
    )


def _judge(project: ProjectFiles, package: Path, rows: pd.DataFrame) -> GateReport:
    engine = Engine.open(package)
    service = Service(engine, project.settings.model, "0")
    request = request_of(rows_of(rows.to_dict("records"), engine.serving), engine.serving)
    response = service.infer_one(Call(v2.WIRE, json.dumps(request).encode(), {}, "gate")).body
    answers = decided(json.loads(response), engine.features)
    target = outcomes(rows[project.contract.target], project.contract, project.settings.decision)
    scores = np.array([answer.score for answer in answers])
    area = auc(target, scores, confidence=project.policy.confidence, seed=project.settings.seed)
    metrics = {
        AUC: (area.value, area.low, area.high),
        OVER_BASELINE: (area.value - BLIND, area.low - BLIND, area.high - BLIND),
    }
    return judge(
        CANDIDATE,
        engine.serving.decision.threshold,
        rows.assign(target=target, score=scores),
        metrics,
        project.policy,
        features=[name for name in engine.features if name in project.contract.features],
    )
