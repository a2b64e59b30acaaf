"""``python -m trivet.training.runtime.convert FOLDER INTO NAME [SAMPLE.csv]``: the process that opens a pickle.

It loads the scikit-learn model that MLflow saved in FOLDER, converts it, proves equal scores on sample rows and writes
the model package to INTO. Whoever starts it trusts the pickle: loading one runs its code.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from trivet.core.errors import ConfigError, ExitCode, TrivetError
from trivet.core.modelpackage import Decision, Input, Serving, make_manifest
from trivet.training.mlflowfolder import MlModel, example_of, read_mlmodel
from trivet.training.runtime.usercode import Fitted
from trivet.training.submit import FAILED

ENOUGH_FOR_A_MEAN = 100  # rows, below which a mean row is nobody to compare with


def main(folder: str, into: str, name: str, sample: str = "") -> int:
    """Convert.

    :returns: the exit code.
    """
    try:
        convert(Path(folder), Path(into), name, Path(sample) if sample else None)
    except TrivetError as error:
        sys.stderr.write(f"{FAILED}{error}\n")
        return int(error.exit_code)
    return int(ExitCode.OK)


def convert(folder: Path, into: Path, name: str, sample: Path | None) -> str:
    """Write the package of the pickled model in ``folder`` and return its digest.

    :raises ConfigError: when there are no rows to prove equal scores on, or the estimator cannot be converted.
    """
    described = read_mlmodel(folder)
    given = _sample(folder, described, sample)
    estimator = _load(folder)
    from trivet.training.runtime.contributions import contributions_of
    from trivet.training.runtime.foreign import typed, write_foreign
    from trivet.training.runtime.onnxexport import proved_score, score_graph

    inputs = _inputs(estimator, described, given)
    fitted = Fitted(estimator, tuple(column.name for column in inputs))
    rows = typed(given, inputs)
    model = score_graph(fitted, inputs)
    proved_score(model.SerializeToString(deterministic=True), fitted, rows, inputs)
    reasons = contributions_of(fitted, rows, inputs) if len(rows) >= ENOUGH_FOR_A_MEAN else None
    negative, positive = (str(label) for label in estimator.classes_)
    serving = Serving(
        name=name,
        inputs=inputs,
        decision=Decision(threshold=0.5, positive=positive, negative=negative),
        contributions=reasons is not None,
        intercept=reasons.intercept if reasons else 0.0,
    )
    graph = reasons.model if reasons else None
    return write_foreign(into, model, graph, serving, make_manifest(folder).content_digest(), rows)


def _sample(folder: Path, described: MlModel, sample: Path | None) -> pd.DataFrame:
    rows = pd.read_csv(sample) if sample else example_of(folder, described)
    if rows is None or rows.empty:
        raise ConfigError(
            "There are no rows on which equal scores could be proved: the model carries no input example.",
            "Give some of its rows as CSV: --sample FILE.csv",
        )
    return rows


def _load(folder: Path) -> Any:
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "true"
    from mlflow.sklearn import load_model

    try:
        estimator = load_model(str(folder))
    except Exception as error:
        raise ConfigError(
            f"The model cannot be loaded: {type(error).__name__}: {str(error).partition(chr(10))[0]}.",
            "Install what its requirements.txt names and call again.",
        ) from error
    kind = type(estimator).__name__
    if not hasattr(estimator, "predict_proba") or len(getattr(estimator, "classes_", ())) != 2:
        raise ConfigError(f"The model is a {kind}, no binary classifier with probabilities.", "Convert one of those.")
    return estimator


def _inputs(estimator: Any, described: MlModel, rows: pd.DataFrame) -> tuple[Input, ...]:
    """The columns that the estimator takes, in its order, with the signature's types or else those of the rows."""
    known = {column.name: column for column in described.columns()}
    names = [str(name) for name in getattr(estimator, "feature_names_in_", list(known) or list(rows.columns))]
    if missing := [name for name in names if name not in rows]:
        raise ConfigError(f"The sample rows lack {', '.join(missing)}.", "Give every column that the model takes.")
    return tuple(known.get(name) or _like(name, rows[name]) for name in names)


def _like(name: str, values: pd.Series) -> Input:
    number = pd.api.types.is_numeric_dtype(values)
    return Input(name=name, type="number" if number else "category", nullable=bool(values.isna().any()))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
