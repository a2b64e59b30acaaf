"""The facts of the model card, gathered from what the job was told and what it found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.pipeline import Pipeline

from trivet.core.datacontract import DataContract, Tag
from trivet.core.modelpackage import Serving
from trivet.training.cardfacts import CardFacts, DataFacts, FeatureFacts, TrainingFacts
from trivet.training.evaluation import Metric
from trivet.training.plan import Plan
from trivet.training.runtime.rows import Rows

REASONS = (
    "Each decision comes with the exact contribution of every feature to its log-odds, against the mean training row: "
    "what the model computed, not why the world is so."
)
NO_REASONS = "None: the model is not linear in its features, so nothing exact can be said of one feature's part."


def make_card(
    plan: Plan,
    rows: Rows,
    estimator: Any,
    serving: Serving,
    measured: Sequence[Metric],
    baseline: Sequence[Metric],
    versions: dict[str, str],
) -> CardFacts:
    """What training knows of the packed candidate."""
    contract = plan.contract
    return CardFacts(
        model=plan.model,
        intended_use=plan.intended_use,
        data=_data(plan, rows),
        features=features_of(serving, contract),
        audited=plan.protected,
        barred=contract.tagged(Tag.LEAK),
        decision=serving.decision,
        training=TrainingFacts(
            estimator=described(estimator),
            params=plan.packaged.params,
            seed=plan.seed,
            folds=plan.folds,
            source=plan.source,
            environment=tuple(f"{name} {version}" for name, version in sorted(versions.items())),
        ),
        confidence=plan.confidence,
        metrics=tuple(measured),
        baseline=tuple(baseline),
        explanation=REASONS if serving.contributions else NO_REASONS,
        limits=_limits(plan, rows),
    )


def features_of(serving: Serving, contract: DataContract | None = None) -> tuple[FeatureFacts, ...]:
    """The model's inputs with the contract's words for them."""
    return tuple(
        FeatureFacts(
            name=column.name,
            description=contract[column.name].description if contract else "",
            personal=column.personal,
        )
        for column in serving.inputs
    )


def described(estimator: Any) -> str:
    """The estimator's kind, for a pipeline those of its steps."""
    if isinstance(estimator, Pipeline):
        return " → ".join(described(step) for _, step in estimator.steps)
    return type(estimator).__name__


def _data(plan: Plan, rows: Rows) -> DataFacts:
    contract = plan.contract
    return DataFacts(
        name=contract.name,
        description=contract.description,
        row=contract.row,
        source=contract.source,
        licence=contract.licence,
        snapshot=plan.snapshot.digest,
        rows=len(rows),
        quarantined=plan.snapshot.quarantined,
        target=f"{contract.target}: {contract[contract.target].description}",
        positives=int(rows.target.sum()),
    )


def _limits(plan: Plan, rows: Rows) -> tuple[str, ...]:
    read = len(rows) + plan.snapshot.quarantined
    limits = [
        f"Measured on {len(rows):,} rows of one data set in {plan.folds} folds, each by a model that had not seen it. "
        "About other places, times or ways of collecting it says nothing.",
        f"{int((rows.target == 0).sum()):,} rows have the negative outcome: what is said about them rests on few.",
    ]
    if plan.snapshot.quarantined:
        limits.append(
            f"{plan.snapshot.quarantined:,} of {read:,} rows broke the data contract and are not represented."
        )
    if plan.protected:
        limits.append(
            f"The model does not take {', '.join(plan.protected)}. Other features may stand in for them: see the gate."
        )
    return tuple(limits)
