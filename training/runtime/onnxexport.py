"""A fitted scikit-learn classifier as ONNX: one input a column, one output ``score``, and proof that they are equal."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from textwrap import shorten
from typing import Any

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, compose, helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from skl2onnx.helpers.onnx_helper import select_model_inputs_outputs
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from trivet.core.errors import ConfigError
from trivet.core.inference import SCORE
from trivet.core.modelpackage import Input
from trivet.training.runtime.graphs import assemble, feeds, run
from trivet.training.runtime.usercode import Fitted

OPSET = 18  # old enough for the runtimes that clouds bundle; skl2onnx lowers it to what the graph needs
SAME = 1e-5
SUPPORTED = "https://onnx.ai/sklearn-onnx/supported.html"


def score_graph(fitted: Fitted, inputs: Sequence[Input]) -> onnx.ModelProto:
    """The classifier as a graph from ``inputs`` to ``score``, float32 ``[rows]``.

    :raises ConfigError: naming the estimator that cannot be converted, and what to use instead.
    """
    model = convert(fitted.estimator, inputs, SCORE)
    probabilities = model.graph.output[-1].name
    graph = select_model_inputs_outputs(model, outputs=[probabilities]).graph
    positive = helper.make_tensor("trivet:positive", TensorProto.INT64, [], [1])
    pick = helper.make_node("Gather", [probabilities, positive.name], [SCORE], name="trivet:score", axis=1)
    output = helper.make_tensor_value_info(SCORE, TensorProto.FLOAT, [None])
    return assemble(model, [*graph.node, pick], [*graph.initializer, positive], inputs, output)


def convert(estimator: Any, inputs: Sequence[Input], name: str) -> onnx.ModelProto:
    """What skl2onnx makes of an estimator or of a pipeline of transformers, with one input a column.

    :raises ConfigError: as for ``score_graph``.
    """
    kinds = {"category": StringTensorType, "number": FloatTensorType, "integer": FloatTensorType}
    types = [(column.name, kinds[column.type]([None, 1])) for column in inputs]
    model: Any
    try:
        with warnings.catch_warnings():  # skl2onnx hands NumPy's booleans to protobuf as numbers
            warnings.simplefilter("ignore", DeprecationWarning)
            model = convert_sklearn(
                _by_column(estimator), name, types, target_opset=OPSET, options={"zipmap": False}, doc_string=""
            )
    except Exception as error:
        culprit = re.search(r"<class '(?:[\w.]*\.)?(\w+)'>", str(error))
        kind = culprit[1] if culprit else type(estimator).__name__
        reason = shorten(str(error).partition("\n")[0], 200, placeholder="...").rstrip(".")
        raise ConfigError(
            f"{kind} cannot be converted to ONNX: {reason}.",
            "Use one that skl2onnx converts, such as LogisticRegression, RandomForestClassifier or "
            f"HistGradientBoostingClassifier, with a ColumnTransformer for categories; all are listed at {SUPPORTED}.",
        ) from error
    return _with_names(model, [column.name for column in inputs])


def _with_names(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """The model with inputs of these names: skl2onnx renames what is no identifier, or what it wants for itself."""
    if [value.name for value in model.graph.input] == list(names):
        return model
    model = compose.add_prefix(model, "trivet:")
    wires = [
        helper.make_node("Identity", [name], [value.name], f"trivet:wire:{name}")
        for name, value in zip(names, model.graph.input, strict=True)
    ]
    nodes = [*wires, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    for name, value in zip(names, model.graph.input, strict=True):
        value.name = name
    return model


def _by_column(estimator: Any) -> Pipeline:
    """A pipeline to which skl2onnx can hand single columns: one that names them, or else one that joins them first."""
    if not _names_columns(estimator):
        return Pipeline([("columns", FunctionTransformer()), ("model", estimator)])
    return estimator if isinstance(estimator, Pipeline) else Pipeline([("model", estimator)])


def _names_columns(estimator: Any) -> bool:
    if isinstance(estimator, Pipeline):
        return _names_columns(estimator.steps[0][1])
    if hasattr(estimator, "best_estimator_"):
        return _names_columns(estimator.best_estimator_)
    return isinstance(estimator, ColumnTransformer)


def proved_score(model: bytes, fitted: Fitted, frame: pd.DataFrame, inputs: Sequence[Input]) -> np.ndarray:
    """The graph's scores of the rows, float32 ``[rows]``, once they are those of scikit-learn within ``SAME``.

    :raises ConfigError: when one of them is not.
    """
    score = run(model, feeds(frame, inputs), SCORE)
    difference = float(np.abs(score - fitted.score(frame)).max())
    if not difference <= SAME:
        raise ConfigError(
            f"As ONNX the model's scores differ by up to {difference:.2g} from scikit-learn's, more than {SAME:g}.",
            "ONNX computes in 32 bits: leave scalers out before trees, or use another estimator.",
        )
    return score
