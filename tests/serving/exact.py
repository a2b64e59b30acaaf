"""A model package around the scorecard of ``clients/scorecard.py``: real ONNX with the same scores on every machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trivet.core.modelpackage import CONTRIBUTIONS, GOLDEN, MODEL, SERVING, Decision, Golden, Input, Serving, seal

from .clients.scorecard import BASE, BIT, LEAST, MOST, NO, PURPOSES, THRESHOLD, YES, answer, points, score

NUMBERS = (
    Input(name="amount", type="number", minimum=0, maximum=1000),
    Input(name="income", type="number", nullable=True),
    Input(name="term", type="integer", minimum=1, maximum=480),
)
INPUTS = (*NUMBERS, Input(name="purpose", type="category", allowed=tuple(PURPOSES)))
DECISION = Decision(threshold=THRESHOLD, positive=YES, negative=NO)
ROWS: tuple[dict[str, Any], ...] = (
    {"amount": 100.5, "income": 48.0, "term": 12, "purpose": "car"},
    {"amount": 0.0, "income": 160.25, "term": 128, "purpose": "house"},
    {"amount": 1000.0, "income": 50.0, "term": 480, "purpose": "other"},
    {"amount": 256.0, "income": None, "term": 36, "purpose": "car"},
    {"amount": 255.75, "income": None, "term": 360, "purpose": "other"},
    {"amount": 640.125, "income": 33.0, "term": 200, "purpose": "house"},
    {"amount": 999.9, "income": -20.0, "term": 480, "purpose": "other"},
    {"amount": 12.5, "income": 96.0, "term": 1, "purpose": "car"},
)


@dataclass(frozen=True)
class Truth:
    """What must be said of one row."""

    score: float  # the shortest decimal of the float32
    decision: str
    contributions: tuple[float, ...]


@dataclass(frozen=True)
class Scorecard:
    """The package on the disk."""

    folder: Path
    serving: Serving
    digest: str


def truth(row: Mapping[str, Any]) -> Truth:
    """What must be said of a row."""
    found, decision = answer(row)
    return Truth(_decimal(found), decision, tuple(_decimal(part * BIT) for part in points(row)))


def scorecard(folder: Path, inputs: Sequence[Input] = INPUTS) -> Scorecard:
    """Write the package; without ``purpose`` among the inputs, every row is one of a car."""
    serving = Serving(
        name="scorecard", inputs=tuple(inputs), decision=DECISION, contributions=True, intercept=BASE * BIT
    )
    names = [column.name for column in inputs]
    rows = [{name: row[name] for name in names} for row in ROWS]
    folder.mkdir(parents=True)
    (folder / MODEL).write_bytes(_model(inputs, "score"))
    (folder / CONTRIBUTIONS).write_bytes(_model(inputs, "contributions"))
    (folder / SERVING).write_bytes(serving.canonical())
    golden = Golden(rows=tuple(rows), scores=tuple(truth(row).score for row in rows))
    (folder / GOLDEN).write_bytes(golden.canonical())
    return Scorecard(folder, serving, seal(folder))


def _decimal(value: float) -> float:
    return float(str(np.float32(value)))


def _model(inputs: Sequence[Input], output: str) -> bytes:
    """One of the package's two graphs."""
    columns = [
        helper.make_tensor_value_info(
            column.name, TensorProto.STRING if column.type == "category" else TensorProto.FLOAT, [None, 1]
        )
        for column in inputs
    ]
    shape = [None] if output == "score" else [None, len(inputs)]
    nodes, constants = _points([column.name for column in inputs])
    more_nodes, more_constants = _score() if output == "score" else _contributions()
    graph = helper.make_graph(
        [*nodes, *more_nodes],
        "scorecard",
        columns,
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants | more_constants).items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString(deterministic=True)


Part = tuple[list[onnx.NodeProto], dict[str, Any]]  # nodes of a graph, and the constants that they take


def _points(names: Sequence[str]) -> Part:
    """The inputs to ``points`` ``[rows, inputs]``."""
    node = helper.make_node
    nodes = [
        *_steps("amount", "by256"),
        node("Sub", ["zero", "amount_steps"], ["amount_points"]),  # Neg would make a minus zero
        *_steps("income", "by16"),
        node("Sub", ["income_steps", "three"], ["income_free"]),
        node("Clip", ["income_free", "minus_three", "three"], ["income_known"]),
        node("IsNaN", ["income"], ["income_missing"]),
        node("Where", ["income_missing", "minus_one", "income_known"], ["income_points"]),
        *_steps("term", "by128"),
        node("Sub", ["one", "term_steps"], ["term_points"]),
        *([_lookup("purpose", PURPOSES)] if "purpose" in names else []),
        node("Concat", [f"{name}_points" for name in names], ["points"], axis=1),
    ]
    sizes = {f"by{size}": np.float32(1 / size) for size in (16, 128, 256)}
    numbers = {"zero": 0, "one": 1, "three": 3, "minus_one": -1, "minus_three": -3}
    return nodes, sizes | {name: np.float32(number) for name, number in numbers.items()}


def _score() -> Part:
    """Points to ``score`` ``[rows]``, by a table."""
    node = helper.make_node
    nodes = [
        node("ReduceSum", ["points", "columns"], ["sum"], keepdims=1),
        node("Add", ["sum", "offset"], ["place"]),
        node("Cast", ["place"], ["index"], to=TensorProto.INT64),
        node("Gather", ["table", "index"], ["scores"]),
        node("Reshape", ["scores", "flat"], ["score"]),
    ]
    table = np.array([score(total) for total in range(LEAST, MOST + 1)], dtype=np.float32)
    offset = np.float32(BASE - LEAST)
    return nodes, {"table": table, "offset": offset, "columns": np.array([1]), "flat": np.array([-1])}


def _contributions() -> Part:
    """Points to ``contributions`` ``[rows, inputs]``, in log-odds."""
    return [helper.make_node("Mul", ["points", "bit"], ["contributions"])], {"bit": np.float32(BIT)}


def _steps(name: str, factor: str) -> list[onnx.NodeProto]:
    """How many whole steps of a size are in a value."""
    return [
        helper.make_node("Mul", [name, factor], [f"{name}_parts"]),
        helper.make_node("Floor", [f"{name}_parts"], [f"{name}_steps"]),
    ]


def _lookup(name: str, table: Mapping[str, int]) -> onnx.NodeProto:
    """The points of each word."""
    return helper.make_node(
        "LabelEncoder",
        [name],
        [f"{name}_points"],
        domain="ai.onnx.ml",
        keys_strings=list(table),
        values_floats=[float(value) for value in table.values()],
    )
