"""Exact reasons of a linear model: what each input adds to the log-odds, against the mean training row.

Only for pipelines whose every transformed column comes from one input, and whose log-odds are a weighted sum of those
columns. For them the sum is no estimate: contributions and intercept add up to the score's log-odds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper, numpy_helper
from scipy.special import expit
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from trivet.core.inference import CONTRIBUTIONS
from trivet.core.modelpackage import Input
from trivet.training.runtime.graphs import assemble, feeds, run
from trivet.training.runtime.onnxexport import convert
from trivet.training.runtime.usercode import Fitted

ADDS_UP = 1e-4
COLUMN_BY_COLUMN = (
    MaxAbsScaler,
    MinMaxScaler,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)


@dataclass(frozen=True)
class Contributions:
    """The graph of contributions, float32 ``[rows, inputs]``, and what must be added to them for the log-odds."""

    model: onnx.ModelProto
    intercept: float


def contributions_of(fitted: Fitted, frame: pd.DataFrame, inputs: Sequence[Input]) -> Contributions | None:
    """The contributions of a linear model relative to the mean of ``frame``, its training rows.

    None when the model is not of that kind, or its contributions do not add up to its log-odds within ``ADDS_UP`` on
    every row.
    """
    steps = _flat(fitted.estimator)
    prepare, linear = Pipeline(steps[:-1] or [("columns", FunctionTransformer())]), steps[-1][1]
    weights = _weights(linear)
    sources = _sources(prepare, list(fitted.inputs))
    if weights is None or sources is None:
        return None
    columns = _dense(prepare.transform(frame[list(fitted.inputs)]))
    log_odds = columns @ weights + float(linear.intercept_[0])
    if np.abs(expit(log_odds) - fitted.score(frame)).max() > 1e-9:
        return None
    mean = columns.mean(axis=0)
    by_input = np.zeros((len(sources), len(inputs)))
    by_input[np.arange(len(sources)), [fitted.inputs.index(source) for source in sources]] = weights
    model = _graph(prepare, inputs, mean, by_input)
    intercept = float(linear.intercept_[0] + mean @ weights)
    total = run(model.SerializeToString(), feeds(frame, inputs), CONTRIBUTIONS).sum(axis=1, dtype=np.float64)
    return Contributions(model, intercept) if np.abs(total + intercept - log_odds).max() <= ADDS_UP else None


def _flat(estimator: Any) -> list[tuple[str, Any]]:
    """The steps of a pipeline and of the pipelines in it, under names of their own."""
    if hasattr(estimator, "best_estimator_"):
        return _flat(estimator.best_estimator_)
    if not isinstance(estimator, Pipeline):
        return [("model", estimator)]
    steps = [step for _, inner in estimator.steps for _, step in _flat(inner) if step != "passthrough"]
    return [(f"step{number}", step) for number, step in enumerate(steps)]


def _weights(linear: Any) -> np.ndarray | None:
    weights = np.asarray(getattr(linear, "coef_", ()))
    return weights[0] if weights.ndim == 2 and len(weights) == 1 and hasattr(linear, "intercept_") else None


def _sources(step: Any, columns: list[str]) -> list[str] | None:
    """For each column that a transformer gives, the one input that it comes from; None where there may be several."""
    if isinstance(step, Pipeline):
        given: list[str] | None = columns
        for _, inner in step.steps:
            given = given if given is None else _sources(inner, given)
        return given
    if isinstance(step, ColumnTransformer):
        return _column_sources(step, columns)
    if step == "passthrough" or isinstance(step, COLUMN_BY_COLUMN):
        return columns
    if isinstance(step, FunctionTransformer):
        return columns if step.func is None else None
    if isinstance(step, OneHotEncoder):
        return _one_hot_sources(step, columns)
    if isinstance(step, SimpleImputer):
        return _imputed_sources(step, columns)
    return None


def _column_sources(step: ColumnTransformer, columns: list[str]) -> list[str] | None:
    given: list[str] = []
    for _, inner, selection in step.transformers_:
        if isinstance(selection, str):  # a transformer of texts, such as a vectorizer
            return None
        selected = [] if inner == "drop" else _selected(columns, selection)
        part = _sources(inner, selected) if selected else []
        if part is None:
            return None
        given += part
    return given


def _selected(columns: list[str], selection: Any) -> list[str]:
    """The columns that names, positions, a slice or a mask select."""
    if all(isinstance(item, str) for item in np.atleast_1d(selection)):
        return [str(name) for name in selection]
    return list(np.array(columns, dtype=object)[selection])


def _imputed_sources(step: Any, columns: list[str]) -> list[str] | None:
    """An imputer leaves out a column that has no value at all."""
    if step.add_indicator:
        return None
    kept = [step.keep_empty_features or statistic == statistic for statistic in step.statistics_]
    return [column for column, keep in zip(columns, kept, strict=True) if keep]


def _one_hot_sources(step: OneHotEncoder, columns: list[str]) -> list[str] | None:
    if step.min_frequency is not None or step.max_categories is not None:
        return None
    first = step.drop_idx_ if step.drop_idx_ is not None else [None] * len(columns)
    dropped = [index is not None for index in first]
    widths = [len(values) - drop for values, drop in zip(step.categories_, dropped, strict=True)]
    return [column for column, width in zip(columns, widths, strict=True) for _ in range(width)]


def _dense(columns: Any) -> np.ndarray:
    return np.asarray(columns.todense() if hasattr(columns, "todense") else columns, dtype=np.float64)


def _graph(prepare: Pipeline, inputs: Sequence[Input], mean: np.ndarray, by_input: np.ndarray) -> onnx.ModelProto:
    """``(transformed - mean) @ by_input``, after whatever transforms the inputs."""
    model = convert(prepare, inputs, CONTRIBUTIONS)
    transformed = model.graph.output[0].name
    constants = [
        numpy_helper.from_array(mean.astype(np.float32), "trivet:mean"),
        numpy_helper.from_array(by_input.astype(np.float32), "trivet:weights"),
    ]
    nodes = [
        helper.make_node("Sub", [transformed, "trivet:mean"], ["trivet:deviation"]),
        helper.make_node("MatMul", ["trivet:deviation", "trivet:weights"], [CONTRIBUTIONS]),
    ]
    output = helper.make_tensor_value_info(CONTRIBUTIONS, TensorProto.FLOAT, [None, len(inputs)])
    return assemble(model, [*model.graph.node, *nodes], [*model.graph.initializer, *constants], inputs, output)
