"""ONNX graphs as a model package holds them: one input a column, one output, nothing of when or where it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnxruntime as ort
import pandas as pd
from onnx import TensorProto, helper

from trivet.core.errors import ConfigError
from trivet.core.modelpackage import Input


def assemble(
    like: onnx.ModelProto,
    nodes: Sequence[onnx.NodeProto],
    initializers: Sequence[onnx.TensorProto],
    inputs: Sequence[Input],
    output: onnx.ValueInfoProto,
) -> onnx.ModelProto:
    """A checked model of these nodes with every input, used or not, and one output.

    :raises ConfigError: when an input has the name of the output.
    """
    if any(column.name == output.name for column in inputs):
        raise ConfigError(
            f"A column is named {output.name}, which is an output of every model.", "Train it with another name."
        )
    kinds = {"category": TensorProto.STRING, "number": TensorProto.FLOAT, "integer": TensorProto.FLOAT}
    takes = [helper.make_tensor_value_info(column.name, kinds[column.type], [None, 1]) for column in inputs]
    graph = helper.make_graph(list(nodes), output.name, takes, [output], _needed(initializers, nodes))
    opsets = {opset.domain: opset.version for opset in like.opset_import}
    model = helper.make_model(
        graph,
        producer_name=like.producer_name,
        producer_version=like.producer_version,
        ir_version=like.ir_version,
        opset_imports=[helper.make_opsetid(domain, opsets[domain]) for domain in sorted(opsets)],
    )
    onnx.checker.check_model(model)
    return model


def _needed(initializers: Sequence[onnx.TensorProto], nodes: Sequence[onnx.NodeProto]) -> Sequence[onnx.TensorProto]:
    """The constants that a node takes; all of them where a node holds a graph of its own, which may take any."""
    if any(attribute.type == onnx.AttributeProto.GRAPH for node in nodes for attribute in node.attribute):
        return initializers
    taken = {name for node in nodes for name in node.input}
    return [tensor for tensor in initializers if tensor.name in taken]


def feeds(frame: pd.DataFrame, inputs: Sequence[Input]) -> dict[str, np.ndarray]:
    """The rows as ONNX takes them: float32 or string ``[rows, 1]`` by input."""
    kinds = {"category": np.object_, "number": np.float32, "integer": np.float32}
    return {column.name: frame[[column.name]].to_numpy(dtype=kinds[column.type]) for column in inputs}


def run(model: bytes, rows: Mapping[str, np.ndarray], output: str) -> np.ndarray:
    """One output of a serialized model over rows, on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run([output], dict(rows))[0])
