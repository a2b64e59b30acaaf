"""The job from its inputs to its outputs."""

from __future__ import annotations

import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from trivet.core.canonical import digest_json
from trivet.core.files import write_atomic
from trivet.core.modelpackage import CARD, CONTRACT, GOLDEN, PROFILE, Lineage, Serving
from trivet.training.environment import versions
from trivet.training.evaluation import EVALUATION, SCORES, CandidateResult, Evaluation, Metric, score_column
from trivet.training.plan import PLAN, Plan
from trivet.training.runtime.card import make_card
from trivet.training.runtime.contributions import contributions_of
from trivet.training.runtime.evaluate import (
    Scores,
    baseline_metrics,
    baseline_scores,
    measure,
    out_of_fold_scores,
    params_of,
    training_frame,
)
from trivet.training.runtime.onnxexport import proved_score, score_graph
from trivet.training.runtime.package import inputs_of, write_package
from trivet.training.runtime.profiles import make_golden, make_profile
from trivet.training.runtime.rows import Rows, read_rows
from trivet.training.runtime.served import compare
from trivet.training.runtime.usercode import Train, fit, load_train
from trivet.training.submit import (
    EVALUATION_FOLDER,
    PACKAGE_FOLDER,
    PLAN_CHANNEL,
    SERVED_CHANNEL,
    SERVED_EVALUATION_CHANNEL,
    SNAPSHOT_CHANNEL,
)

log = logging.getLogger(__name__)


def carry_out(inputs: Path, outputs: Path, source: Path) -> None:
    """Measure every candidate of the plan, pack the one that it names, and write both down.

    :raises TrivetError: when something of the user's will not do; nothing that was written counts then.
    """
    plan = Plan.read(inputs / PLAN_CHANNEL / PLAN)
    rows = read_rows(inputs / SNAPSHOT_CHANNEL, plan)
    train = load_train(source)
    log.info("training %s on %s rows", plan.model, len(rows))
    scores, baseline = out_of_fold_scores(train, rows, plan), baseline_scores(rows, plan)
    results, of_baseline = measure(rows, scores, baseline, plan), baseline_metrics(rows, baseline, plan)
    log.info("measured %s candidates", len(results))
    digest = pack(outputs / PACKAGE_FOLDER, train, rows, results, of_baseline, plan)
    log.info("packed %s as %s", plan.package, digest)
    served = inputs / SERVED_CHANNEL
    evaluation = Evaluation(
        snapshot=plan.snapshot.digest,
        rows=len(rows),
        folds=plan.folds,
        seed=plan.seed,
        confidence=plan.confidence,
        package=plan.package,
        digest=digest,
        baseline=of_baseline,
        candidates=results,
        served=compare(served, inputs / SERVED_EVALUATION_CHANNEL, rows, scores, plan) if served.exists() else None,
    )
    _write_evaluation(outputs / EVALUATION_FOLDER, evaluation, rows, scores, plan)


def pack(
    folder: Path,
    train: Train,
    rows: Rows,
    results: tuple[CandidateResult, ...],
    baseline: tuple[Metric, ...],
    plan: Plan,
) -> str:
    """Train the packed candidate on all rows, prove its ONNX form, write the package and return its digest."""
    candidate = plan.packaged
    fitted = fit(train, training_frame(rows, plan), params_of(candidate, plan))
    inputs = inputs_of(fitted.inputs, plan.contract)
    model = score_graph(fitted, inputs)
    serialized = model.SerializeToString(deterministic=True)
    score = proved_score(serialized, fitted, rows.frame, inputs)
    reasons = contributions_of(fitted, rows.frame, inputs)
    serving = Serving(
        name=plan.model,
        inputs=inputs,
        decision=plan.decision.model_copy(update={"threshold": candidate.threshold}),
        contributions=reasons is not None,
        intercept=reasons.intercept if reasons else 0.0,
    )
    found = versions()
    measured = next(result.metrics for result in results if result.name == candidate.name)
    documents = {
        CONTRACT: plan.contract,
        GOLDEN: make_golden(serialized, rows.frame, inputs),
        PROFILE: make_profile(rows.frame, score, inputs),
        CARD: make_card(plan, rows, fitted.estimator, serving, measured, baseline, found),
    }
    return write_package(
        folder,
        model=model,
        contributions=reasons.model if reasons else None,
        serving=serving,
        lineage=lineage_of(plan, found),
        documents=documents,
        versions=found,
    )


def lineage_of(plan: Plan, environment: dict[str, str]) -> Lineage:
    """What the packed candidate was made from, each part as a digest."""
    return Lineage(
        snapshot=plan.snapshot.digest,
        contract=plan.contract.content_digest(),
        source=plan.source,
        environment=digest_json(environment),
        params=digest_json([plan.features, plan.packaged.params, plan.packaged.threshold]),
        seed=plan.seed,
    )


def _write_evaluation(folder: Path, evaluation: Evaluation, rows: Rows, scores: Scores, plan: Plan) -> None:
    folder.mkdir(parents=True)
    columns = {"row": range(len(rows)), "digest": rows.digests, "target": rows.target}
    columns |= {name: rows.frame[name] for name in plan.protected}
    columns |= {score_column(name): score for name, score in scores.items()}
    table = pa.table({name: pa.array(values, from_pandas=True) for name, values in columns.items()})
    pq.write_table(table, folder / SCORES)
    write_atomic(folder / EVALUATION, evaluation.canonical(), mode=0o644)
