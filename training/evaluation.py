"""What a training job found out about its candidates: ``evaluation.json``, with ``scores.parquet`` beside it.

``scores.parquet`` has one line for each row of the snapshot, in its order: ``row`` (from 0), ``digest`` of the row's
canonical JSON, ``target`` (1 positive, 0 not), the protected columns, and for each candidate the column
``score.<name>`` with the score of a model that had not seen the row.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trivet.core.document import Document

EVALUATION, SCORES = "evaluation.json", "scores.parquet"

AUC = "auc"
ACCURACY = "accuracy"
BAD_RISKS = "bad_risks_caught"
OVER_BASELINE = "auc_over_baseline"
TO_SERVED = "auc_difference_to_served"


class Metric(Document):
    """A number with its interval, at the confidence that the evaluation names."""

    name: str
    value: float
    low: float
    high: float


class CandidateResult(Document):
    """How one candidate did on rows that its models had not seen."""

    name: str
    threshold: float
    params: str = Field(description="Digest of its parameters; candidates with the same ones share their scores.")
    metrics: tuple[Metric, ...]


class Comparison(Document):
    """How the candidates compare with the release that is served now, or why they cannot be compared.

    ``same rows``: both were trained on this snapshot, and their out-of-fold scores are paired. ``new rows``: the served
    model's scores on rows that it was not trained on are paired with the candidates' out-of-fold scores there.
    """

    basis: Literal["same rows", "new rows", "none"]
    note: str
    rows: int = 0
    served: str = Field(default="", description="Digest of the served model package.")
    served_auc: Metric | None = None
    differences: dict[str, Metric] = Field(default={}, description="By candidate: its AUC minus that of the served.")


class Evaluation(Document):
    """The whole file."""

    version: Literal[1] = 1
    snapshot: str
    rows: int
    folds: int
    seed: int
    confidence: float
    package: str = Field(description="Name of the candidate that was packed.")
    digest: str = Field(description="Digest of the model package that was made from it.")
    baseline: tuple[Metric, ...] = Field(description="Of scikit-learn's DummyClassifier, which knows the share only.")
    candidates: tuple[CandidateResult, ...]
    served: Comparison | None = Field(default=None, description="None where no served release was given.")

    def metrics(self, candidate: str) -> dict[str, tuple[float | None, float | None, float | None]]:
        """Value, lower and upper bound by name, as the gate takes them; the comparison with the served is among them.

        :raises KeyError: for a candidate that was not evaluated.
        """
        for result in self.candidates:
            if result.name == candidate:
                found = {metric.name: metric for metric in result.metrics}
                if self.served and candidate in self.served.differences:
                    found[TO_SERVED] = self.served.differences[candidate]
                return {name: (metric.value, metric.low, metric.high) for name, metric in found.items()}
        raise KeyError(candidate)


def score_column(candidate: str) -> str:
    """The column of ``scores.parquet`` that holds a candidate's scores."""
    return f"score.{candidate}"
