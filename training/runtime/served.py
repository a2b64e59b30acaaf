"""Candidates against the release that is served now, on rows that neither was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from trivet.core.modelpackage import LINEAGE, MODEL, SERVING, Lineage, Package, Serving
from trivet.training.evaluation import (
    EVALUATION,
    SCORES,
    TO_SERVED,
    Comparison,
    Evaluation,
    score_column,
)
from trivet.training.plan import Plan
from trivet.training.runtime import metrics
from trivet.training.runtime.evaluate import Scores
from trivet.training.runtime.graphs import feeds, run
from trivet.training.runtime.rows import Rows

ENOUGH = 100  # new rows, and fewer of the rarer outcome than this tenth say nothing
ENOUGH_OF_EACH = 10


def compare(package_folder: Path, evaluation_folder: Path, rows: Rows, scores: Scores, plan: Plan) -> Comparison:
    """Compare every candidate with the served package; the note says on which rows, or why not at all.

    :raises IntegrityError: when the served package is not what its manifest says.
    """
    package = Package(package_folder)
    lineage = Lineage.model_validate_json(package.read(LINEAGE))
    if not (evaluation_folder / EVALUATION).is_file():
        return _none(package, "The served release came without an evaluation: which rows it learned from is not known.")
    stored = pq.read_table(evaluation_folder / SCORES)
    if lineage.snapshot == plan.snapshot.digest:
        name = Evaluation.read(evaluation_folder / EVALUATION).package
        return _same_rows(package, stored.column(score_column(name)).to_numpy(), rows, scores, plan)
    return _new_rows(package, set(stored.column("digest").to_pylist()), rows, scores, plan)


def _same_rows(package: Package, theirs: np.ndarray, rows: Rows, scores: Scores, plan: Plan) -> Comparison:
    everything = np.ones(len(rows), dtype=bool)
    note = f"Both were trained on this snapshot; out-of-fold scores of its {len(rows):,} rows are paired."
    return _compared(package, "same rows", note, everything, theirs, rows, scores, plan)


def _new_rows(package: Package, known: set[str], rows: Rows, scores: Scores, plan: Plan) -> Comparison:
    new = np.array([digest not in known for digest in rows.digests])
    count, rarer = int(new.sum()), int(np.bincount(rows.target[new], minlength=2).min())
    if count < ENOUGH or rarer < ENOUGH_OF_EACH:
        return _none(
            package,
            f"Only {count:,} rows are new to the served release, {rarer} of them with the rarer outcome: too few to "
            "compare on.",
        )
    serving = Serving.model_validate_json(package.read(SERVING))
    if missing := [column.name for column in serving.inputs if column.name not in rows.frame]:
        return _none(package, f"The served release takes {', '.join(missing)}, which this snapshot lacks.")
    theirs = np.full(len(rows), np.nan)
    theirs[new] = run(package.read(MODEL), feeds(rows.frame[new], serving.inputs), "score")
    note = f"Paired on the {count:,} rows of this snapshot that the served release was not trained on."
    return _compared(package, "new rows", note, new, theirs, rows, scores, plan)


def _compared(
    package: Package,
    basis: str,
    note: str,
    on: np.ndarray,
    theirs: np.ndarray,
    rows: Rows,
    scores: Scores,
    plan: Plan,
) -> Comparison:
    how = {"confidence": plan.confidence, "seed": plan.seed}
    target = rows.target[on]
    return Comparison.model_validate(
        {
            "basis": basis,
            "note": note,
            "rows": int(on.sum()),
            "served": package.digest,
            "served_auc": metrics.auc(target, theirs[on], **how),
            "differences": {
                name: metrics.auc_difference(TO_SERVED, target, score[on], theirs[on], **how)
                for name, score in scores.items()
            },
        }
    )


def _none(package: Package, note: str) -> Comparison:
    return Comparison(basis="none", note=note, served=package.digest)
