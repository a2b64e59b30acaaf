"""The facts of a model card that training knows: ``modelcard.json`` in the model package.

What is learned later (the gate's verdict, approvals, use) is added where the card is shown, never here.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from trivet.core.document import Document
from trivet.core.modelpackage import Decision
from trivet.training.evaluation import Metric


class DataFacts(Document):
    """What the model was trained on."""

    name: str
    description: str
    row: str
    source: str
    licence: str
    snapshot: str
    rows: int
    quarantined: int
    target: str
    positives: int = Field(description="Rows with the positive outcome.")


class FeatureFacts(Document):
    """One column that the model takes."""

    name: str
    description: str
    personal: bool


class TrainingFacts(Document):
    """How the model was made."""

    estimator: str
    params: dict[str, Any]
    seed: int
    folds: int
    source: str
    environment: tuple[str, ...] = Field(description="Packages that made it, with their versions.")


class CardFacts(Document):
    """The whole file."""

    version: Literal[1] = 1
    model: str
    intended_use: str
    data: DataFacts | None = Field(description="None where the model was not trained here.")
    features: tuple[FeatureFacts, ...]
    audited: tuple[str, ...] = Field(description="Protected columns: in the data for auditing, never in the model.")
    barred: tuple[str, ...] = Field(description="Columns that were known only after the decision.")
    decision: Decision
    training: TrainingFacts | None = Field(description="None where the model was not trained here.")
    confidence: float | None = None
    metrics: tuple[Metric, ...] = Field(
        description="On rows that the models had not seen, at the decision's threshold."
    )
    baseline: tuple[Metric, ...]
    explanation: str = Field(description="Whether the model gives reasons, and what they are.")
    limits: tuple[str, ...]
