"""A small model package with a real model, for where the model itself is not the point: no training, no estimator.

It decides on a loan by the logarithm of the odds, linear in two numbers, with a second graph of contributions.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from trivet.core.modelpackage import (
    CONTRIBUTIONS,
    GOLDEN,
    MODEL,
    SERVING,
    Decision,
    Golden,
    Input,
    Serving,
    seal,
)

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto, ValueInfoProto

INPUTS = ("amount", "income")
SLOPES = (-0.02, 0.05)
GOLDEN_ROWS: tuple[dict[str, float], ...] = ({"amount": 100.0, "income": 50.0}, {"amount": 20.0, "income": 80.0})
_OPSET, _IR = 17, 9  # old enough for every ONNX Runtime that is supported


def make_package(folder: Path, *, name: str = "loan", intercept: float = 0.5, golden_error: float = 0.0) -> str:
    """Write a sealed package and return its digest; another intercept gives another one.

    :param golden_error: added to the golden scores; a server must not become ready on a package that has one.
    """
    folder.mkdir(parents=True)
    golden = Golden(
        rows=tuple(dict(row) for row in GOLDEN_ROWS),
        scores=tuple(score(row, intercept) + golden_error for row in GOLDEN_ROWS),
        tolerance=1e-5,
    )
    (folder / SERVING).write_bytes(serving_of(name, intercept).canonical())
    (folder / GOLDEN).write_bytes(golden.canonical())
    (folder / MODEL).write_bytes(_model(intercept))
    (folder / CONTRIBUTIONS).write_bytes(_contributions())
    (folder / "MLmodel").write_text(f"flavors:\n  onnx:\n    data: {MODEL}\n    code: null\n")
    return seal(folder)


def serving_of(name: str, intercept: float) -> Serving:
    """What a server must know of such a package."""
    return Serving(
        name=name,
        inputs=tuple(Input(name=column, type="number", minimum=0) for column in INPUTS),
        decision=Decision(threshold=0.5, positive="approve", negative="deny"),
        contributions=True,
        intercept=intercept,
    )


def score(row: dict[str, float], intercept: float) -> float:
    """What the model says, computed without it."""
    odds = intercept + sum(slope * row[column] for column, slope in zip(INPUTS, SLOPES, strict=True))
    return 1 / (1 + math.exp(-odds))


def _model(intercept: float) -> bytes:
    from onnx import TensorProto, helper

    constants = [
        helper.make_tensor("slopes", TensorProto.FLOAT, [len(SLOPES), 1], SLOPES),
        helper.make_tensor("intercept", TensorProto.FLOAT, [1], [intercept]),
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
    ]
    nodes = [
        helper.make_node("Concat", list(INPUTS), ["row"], axis=1),
        helper.make_node("MatMul", ["row", "slopes"], ["product"]),
        helper.make_node("Add", ["product", "intercept"], ["odds"]),
        helper.make_node("Sigmoid", ["odds"], ["column"]),
        helper.make_node("Squeeze", ["column", "axis"], ["score"]),
    ]
    return _graph(nodes, constants, helper.make_tensor_value_info("score", TensorProto.FLOAT, ["rows"]))


def _contributions() -> bytes:
    from onnx import TensorProto, helper

    constants = [helper.make_tensor("slopes", TensorProto.FLOAT, [1, len(SLOPES)], SLOPES)]
    nodes = [
        helper.make_node("Concat", list(INPUTS), ["row"], axis=1),
        helper.make_node("Mul", ["row", "slopes"], ["contributions"]),
    ]
    shape = ["rows", len(SLOPES)]
    return _graph(nodes, constants, helper.make_tensor_value_info("contributions", TensorProto.FLOAT, shape))


def _graph(nodes: list[NodeProto], constants: list[TensorProto], output: ValueInfoProto) -> bytes:
    from onnx import TensorProto, helper

    inputs = [helper.make_tensor_value_info(column, TensorProto.FLOAT, ["rows", 1]) for column in INPUTS]
    graph = helper.make_graph(nodes, "loan", inputs, [output], constants)
    opset = helper.make_opsetid("", _OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=_IR).SerializeToString(deterministic=True)
