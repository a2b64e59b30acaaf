"""Graphs that take their numbers as one matrix: the same scores, from the same bytes, whatever the graph looks like."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from trivet.core.modelpackage import CONTRIBUTIONS, MODEL
from trivet.serving.onnxfile import fields
from trivet.serving.onnxmatrix import MATRIX, with_matrix

NAMES = ["a", "b", "c"]
FLOAT = TensorProto.FLOAT


def model_of(nodes: list[onnx.NodeProto], opset: int = 21, extra: tuple[str, ...] = ()) -> bytes:
    """A graph from the named columns to ``score``."""
    value = helper.make_tensor_value_info
    inputs = [value(name, FLOAT, [None, 1]) for name in NAMES]
    inputs += [value(name, TensorProto.STRING, [None, 1]) for name in extra]
    weights = numpy_helper.from_array(np.array([[1.0], [-2.0], [0.5]], dtype=np.float32), "weights")
    half = numpy_helper.from_array(np.array([[0.5]], dtype=np.float32), "half")
    graph = helper.make_graph(nodes, "g", inputs, [value("score", FLOAT, [None, 1])], [weights, half])
    ir = 8 if opset < 20 else 10
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir).SerializeToString()


def branch(name: str) -> onnx.GraphProto:
    """The body of an If that takes a column from outside."""
    output = helper.make_tensor_value_info(f"{name}_out", FLOAT, [None, 1])
    return helper.make_graph([helper.make_node("Add", [name, "half"], [f"{name}_out"])], name, [], [output])


JOINED = [
    helper.make_node("Concat", NAMES, ["all"], axis=1),
    helper.make_node("MatMul", ["all", "weights"], ["score"]),
]
OTHER_ORDER = [helper.make_node("Concat", ["c", "a", "b"], ["all"], axis=1), JOINED[1]]
BY_COLUMN = [
    helper.make_node("Mul", ["a", "b"], ["ab"]),
    helper.make_node("Sub", ["ab", "c"], ["score"]),
]
BOTH = [
    *JOINED[:1],
    helper.make_node("MatMul", ["all", "weights"], ["sum"]),
    helper.make_node("Mul", ["sum", "b"], ["score"]),
]
INSIDE = [
    helper.make_node("ReduceMax", ["a"], ["top"], keepdims=0),
    helper.make_node("Cast", ["top"], ["yes"], to=TensorProto.BOOL),
    helper.make_node("If", ["yes"], ["score"], then_branch=branch("b"), else_branch=branch("c")),
]
TWICE = [
    helper.make_node("Concat", NAMES, ["one"], axis=1),
    helper.make_node("Concat", NAMES, ["two"], axis=1),
    helper.make_node("Add", ["one", "two"], ["all"]),
    helper.make_node("MatMul", ["all", "weights"], ["score"]),
]
GRAPHS = {
    "twice": TWICE,
    "joined": JOINED,
    "in another order": OTHER_ORDER,
    "by column": BY_COLUMN,
    "both": BOTH,
    "inside": INSIDE,
}


def run(model: bytes, feeds: dict[str, np.ndarray]) -> np.ndarray:
    """What the runtime computes."""
    [score] = ort.InferenceSession(model, providers=["CPUExecutionProvider"]).run(["score"], feeds)
    assert isinstance(score, np.ndarray)
    return score


# ReduceMax and If take their inputs otherwise before version 13, which is not what this is about.
CASES = [(name, opset) for name in GRAPHS for opset in (11, 13, 17, 18, 21) if name != "inside" or opset >= 13]


@pytest.mark.parametrize(("name", "opset"), CASES)
def test_the_rewritten_graph_scores_as_the_original(name, opset):
    model = model_of(GRAPHS[name], opset)
    joined = with_matrix(model, NAMES)
    assert joined is not None
    onnx.checker.check_model(onnx.load_from_string(joined))
    table = np.random.default_rng(7).normal(size=(50, 3)).astype(np.float32)
    before = run(model, {name: table[:, at : at + 1] for at, name in enumerate(NAMES)})
    assert np.array_equal(before, run(joined, {MATRIX: table}))


def test_a_graph_that_only_joins_its_columns_is_given_them_joined():
    kinds = [node.op_type for node in onnx.load_from_string(with_matrix(model_of(JOINED), NAMES) or b"").graph.node]
    assert kinds == ["Identity", "MatMul"]


def test_a_matrix_wins_nothing_for_one_column_and_an_old_split_cannot_take_it():
    assert with_matrix(model_of(JOINED), NAMES[:1]) is None
    old = helper.make_model(
        helper.make_graph(JOINED, "g", [], []), opset_imports=[helper.make_opsetid("ai.onnx.ml", 3)], ir_version=8
    )
    assert with_matrix(old.SerializeToString(), NAMES) is None


def test_texts_stay_inputs_of_their_own():
    joined = onnx.load_from_string(with_matrix(model_of(JOINED, extra=("purpose",)), NAMES) or b"")
    assert sorted(put.name for put in joined.graph.input) == ["purpose", MATRIX]


@pytest.mark.parametrize("name", [MODEL, CONTRIBUTIONS])
def test_what_the_training_room_exports_is_rewritten(made, name):
    joined = with_matrix((made.folder / name).read_bytes(), ["amount", "income", "term"])
    assert joined is not None
    onnx.checker.check_model(onnx.load_from_string(joined))


@given(data=st.binary(max_size=200))
@settings(max_examples=200)
def test_fields_reads_any_bytes_or_says_that_they_are_none(data):
    try:
        found = list(fields(memoryview(data)))
    except (IndexError, ValueError):
        return
    assert sum(len(value) for _, value in found if isinstance(value, memoryview)) <= len(data)
