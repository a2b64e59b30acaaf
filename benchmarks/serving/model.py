"""The two models of the comparison, in the form that each server loads, with scikit-learn's own answers."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from trivet.core.modelpackage import GOLDEN, PROFILE, Decision, Input, Lineage, Serving

KINDS = ("linear", "tree")
BODIES = 16
"""How many different bodies a server gets in turn."""


@dataclass(frozen=True)
class Model:
    """A fitted classifier of 30 numbers; on the disk ``package/``, ``model.joblib``, ``model.onnx`` and ``mlflow/``."""

    kind: str
    folder: Path
    features: list[str]
    rows: np.ndarray
    scores: np.ndarray
    """scikit-learn's probability of the positive class for each of ``rows``."""

    def batches(self, size: int) -> list[tuple[list[list[float]], np.ndarray]]:
        """The rows of each body, and the scores to expect."""
        starts = [size * number % (len(self.rows) - size) for number in range(BODIES)]
        return [(self.rows[at : at + size].tolist(), self.scores[at : at + size]) for at in starts]


def make_model(kind: str, folder: Path) -> Model:
    """Train a model and write it in every form below ``folder``."""
    folder.mkdir(parents=True)
    data: Any = load_breast_cancer()
    rows, target = data.data, data.target
    frame = pd.DataFrame(rows, columns=[name.replace(" ", "_") for name in data.feature_names])
    plain = _estimator(kind).fit(rows, target)  # the peers hand it arrays, and names would only make it warn
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's and skl2onnx's own
        _write_package(folder / "package", _estimator(kind).fit(frame, target), frame)
        _write_onnx(folder / "model.onnx", plain)
        _write_mlflow(folder / "mlflow", plain)
    joblib.dump(plain, folder / "model.joblib")
    return Model(kind, folder, list(frame.columns), rows, plain.predict_proba(rows)[:, 1])


def _estimator(kind: str) -> Pipeline:
    if kind == "linear":
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return make_pipeline(GradientBoostingClassifier(random_state=0))


def _write_package(folder: Path, estimator: Pipeline, frame: pd.DataFrame) -> None:
    """As the training room does it, with contributions where the model has them."""
    from trivet.training.environment import versions
    from trivet.training.runtime.contributions import contributions_of
    from trivet.training.runtime.onnxexport import proved_score, score_graph
    from trivet.training.runtime.package import write_package
    from trivet.training.runtime.profiles import make_golden, make_profile
    from trivet.training.runtime.usercode import Fitted

    inputs = tuple(Input(name=name, type="number", minimum=0, maximum=1e5) for name in frame.columns)
    fitted = Fitted(estimator, tuple(frame.columns))
    model = score_graph(fitted, inputs)
    graph = model.SerializeToString(deterministic=True)
    reasons = contributions_of(fitted, frame, inputs)
    serving = Serving(name="cancer", inputs=inputs, decision=Decision(threshold=0.5))
    if reasons is not None:
        serving = serving.model_copy(update={"contributions": True, "intercept": reasons.intercept})
    digest = f"sha256:{0:064x}"
    write_package(
        folder,
        model=model,
        contributions=None if reasons is None else reasons.model,
        serving=serving,
        lineage=Lineage(snapshot=digest, contract=digest, source=digest, environment=digest, params=digest, seed=0),
        documents={
            GOLDEN: make_golden(graph, frame, inputs),
            PROFILE: make_profile(frame, proved_score(graph, fitted, frame, inputs), inputs),
        },
        versions=versions(),
    )


def _write_onnx(path: Path, estimator: Pipeline) -> None:
    """What the bare apps run: skl2onnx's own graph of one matrix."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    model: Any = convert_sklearn(
        estimator, "model", [("rows", FloatTensorType([None, 30]))], options={"zipmap": False}, target_opset=18
    )
    path.write_bytes(model.SerializeToString())


def _write_mlflow(folder: Path, estimator: Pipeline) -> None:
    """A model folder of MLflow's scikit-learn flavour that gives probabilities."""
    from mlflow.sklearn import save_model

    logging.getLogger("mlflow.sklearn").setLevel(logging.ERROR)  # it warns of the pickle that it reads by default
    save_model(
        estimator,
        str(folder),
        serialization_format="cloudpickle",
        pyfunc_predict_fn="predict_proba",
        pip_requirements=[],
    )
