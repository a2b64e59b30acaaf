"""An ONNX classifier that others exported, brought to the form of a model package: columns in, ``score`` out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import shorten

import onnx
from onnx import TensorProto, compose, helper
from onnx.external_data_helper import uses_external_data

from trivet.core.errors import ConfigError
from trivet.core.inference import SCORE
from trivet.core.modelpackage import Input
from trivet.training.runtime.graphs import assemble

INNER = "inner:"  # before every name of the graph that is wrapped; no column has a colon
NUMERIC = {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.INT32}


def adapted(path: Path, columns: Sequence[Input]) -> tuple[onnx.ModelProto, tuple[Input, ...]]:
    """The graph with one input a column and the positive class's probability as its one output.

    It may take one tensor a column, or one matrix whose columns MLflow's signature names (``columns``). It may give
    the probability alone, or the probabilities of two classes, as a tensor or as skl2onnx's list of maps.

    :raises ConfigError: when it cannot be read, or takes or gives anything else.
    """
    model = _read(path)
    graph = compose.add_prefix(model, INNER).graph
    before, inputs = _columns(graph, columns)
    after, constant = _score(graph)
    nodes = [*before, *(node for node in graph.node if node.op_type != "ZipMap"), *after]
    output = helper.make_tensor_value_info(SCORE, TensorProto.FLOAT, [None])
    return assemble(model, nodes, [*graph.initializer, constant], inputs, output), inputs


def _read(path: Path) -> onnx.ModelProto:
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:
        raise _invalid(path, error) from error
    if any(uses_external_data(tensor) for tensor in _tensors(model.graph)):
        raise ConfigError(f"{path} takes values from another file.", "Save it with save_as_external_data=False.")
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise _invalid(path, error) from error
    return model


def _invalid(path: Path, error: Exception) -> ConfigError:
    reason = shorten(str(error), 200, placeholder="...").rstrip(".")
    return ConfigError(f"{path} is no valid ONNX model: {reason}.", "Export it again.")


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)


def _columns(graph: onnx.GraphProto, columns: Sequence[Input]) -> tuple[list[onnx.NodeProto], tuple[Input, ...]]:
    """Nodes that make the graph's own inputs from columns, and the columns."""
    constants = {tensor.name for tensor in graph.initializer}
    takes = [value for value in graph.input if value.name not in constants]
    widths = [_width(value) for value in takes]
    if len(takes) == 1 and widths[0] != 1:
        return _matrix(takes[0], widths[0], columns)
    if any(width != 1 for width in widths):
        raise ConfigError("The model takes several tensors that are not columns.", "Export it with one input a column.")
    known = {column.name: column for column in columns}
    inputs = [_column(value, known) for value in takes]
    return [_cast(column.name, value) for column, value in zip(inputs, takes, strict=True)], tuple(inputs)


def _width(value: onnx.ValueInfoProto) -> int | None:
    """Columns of a ``[rows, columns]`` input; None where the model does not say."""
    dimensions = value.type.tensor_type.shape.dim
    if len(dimensions) != 2:
        raise ConfigError(
            f"The model's input {_plain(value)} has {len(dimensions)} dimensions.", "Export it with [rows, columns]."
        )
    return dimensions[1].dim_value or None


def _matrix(
    value: onnx.ValueInfoProto, width: int | None, columns: Sequence[Input]
) -> tuple[list[onnx.NodeProto], tuple[Input, ...]]:
    if not columns or width not in (None, len(columns)) or any(column.type == "category" for column in columns):
        raise ConfigError(
            f"The model takes a matrix of {width or 'some'} numbers, and its signature names {len(columns)} columns.",
            "Save it with the signature of the table that it was trained on: infer_signature(frame).",
        )
    join = helper.make_node("Concat", [column.name for column in columns], ["adapter:matrix"], "adapter:join", axis=1)
    return [join, _cast("adapter:matrix", value)], tuple(columns)


def _column(value: onnx.ValueInfoProto, known: dict[str, Input]) -> Input:
    name, kind = _plain(value), value.type.tensor_type.elem_type
    if kind != TensorProto.STRING and kind not in NUMERIC:
        raise ConfigError(f"The model's input {name} holds neither numbers nor texts.", "Export it with those.")
    number = "number" if kind in (TensorProto.FLOAT, TensorProto.DOUBLE) else "integer"
    found = known.get(name, Input(name=name, type=number))
    return found if kind != TensorProto.STRING else found.model_copy(update={"type": "category"})


def _cast(source: str, value: onnx.ValueInfoProto) -> onnx.NodeProto:
    kind = value.type.tensor_type.elem_type
    if kind in (TensorProto.STRING, TensorProto.FLOAT):
        return helper.make_node("Identity", [source], [value.name], f"adapter:{value.name}")
    return helper.make_node("Cast", [source], [value.name], f"adapter:{value.name}", to=kind)


def _plain(value: onnx.ValueInfoProto) -> str:
    return value.name.removeprefix(INNER)


def _score(graph: onnx.GraphProto) -> tuple[list[onnx.NodeProto], onnx.TensorProto]:
    """Nodes that take the positive class's probability from the graph's output, and the constant that they need."""
    zipped = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "ZipMap"}
    pairs = [zipped.get(value.name, value.name) for value in graph.output if value.name in zipped or _is_pair(value)]
    single = [value.name for value in graph.output if _is_single(value)]
    if len(pairs) == 1:
        constant = helper.make_tensor("adapter:positive_class", TensorProto.INT64, [], [1])
        take = helper.make_node("Gather", [pairs[0], constant.name], ["adapter:score"], "adapter:take", axis=1)
    elif len(single) == 1 and not pairs:
        constant = helper.make_tensor("adapter:flat", TensorProto.INT64, [1], [-1])
        take = helper.make_node("Reshape", [single[0], constant.name], ["adapter:score"], "adapter:take")
    else:
        given = ", ".join(map(_plain, graph.output))
        raise ConfigError(
            f"No one output of the model is the probability of a class: it gives {given}.",
            "Export a binary classifier with its probabilities.",
        )
    return [take, helper.make_node("Cast", ["adapter:score"], [SCORE], "adapter:cast", to=TensorProto.FLOAT)], constant


def _is_pair(value: onnx.ValueInfoProto) -> bool:
    dimensions = value.type.tensor_type.shape.dim
    return _is_real(value) and len(dimensions) == 2 and dimensions[1].dim_value == 2


def _is_single(value: onnx.ValueInfoProto) -> bool:
    dimensions = value.type.tensor_type.shape.dim
    return _is_real(value) and (len(dimensions) == 1 or (len(dimensions) == 2 and dimensions[1].dim_value == 1))


def _is_real(value: onnx.ValueInfoProto) -> bool:
    return value.type.tensor_type.elem_type in (TensorProto.FLOAT, TensorProto.DOUBLE)
