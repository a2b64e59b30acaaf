"""Rewrites a verified graph so that it takes all its numbers as one matrix instead of a column each.

To hand over thirty inputs costs a runtime several times what the model behind them does. The rewritten graph splits the
matrix again, or, where the model's first step only joins the columns, takes it as it is. It is never written anywhere;
that it scores as the original does is proved by the golden request before the model is ready.
Fields follow https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trivet.serving.onnxfile import fields

MATRIX = "trivet:numbers"
FLOAT = 1  # TensorProto.FLOAT
INT = 2  # AttributeProto.INT
GRAPH, OPSETS = 7, 8  # of ModelProto
NODE, INPUT, OUTPUT = 1, 11, 12  # of GraphProto
NODE_INPUT, NODE_OUTPUT, NODE_TYPE, NODE_ATTRIBUTE = 1, 2, 4, 5  # of NodeProto
ATTRIBUTE_NAME, ATTRIBUTE_INT, ATTRIBUTE_GRAPHS, ATTRIBUTE_TYPE = 1, 3, (6, 11), 20  # of AttributeProto
FIRST_WITH_EQUAL_SPLIT, FIRST_WITH_COUNT = 2, 18  # versions of Split that need no sizes; that need a number of outputs


def with_matrix(model: bytes, columns: Sequence[str]) -> bytes | None:
    """The model with one input ``MATRIX``, float32 ``[rows, columns]``, in place of the inputs ``columns``.

    ``None`` where nothing is won or the model's version of ONNX cannot say it.
    """
    version = _version(model)
    if len(columns) < 2 or version < FIRST_WITH_EQUAL_SPLIT:
        return None
    return b"".join(
        _field(number, _graph(value, columns, version) if number == GRAPH and isinstance(value, memoryview) else value)
        for number, value in fields(memoryview(model))
    )


def _version(model: bytes) -> int:
    """Of the standard operators; 0 where the model names none."""
    for number, value in fields(memoryview(model)):
        if number == OPSETS and isinstance(value, memoryview):
            opset = dict(fields(value))
            if _text(opset.get(1, b"")) in ("", "ai.onnx"):
                version = opset.get(2, 0)
                return version if isinstance(version, int) else 0
    return 0


def _graph(graph: memoryview, columns: Sequence[str], version: int) -> bytes:
    kept: list[tuple[int, memoryview | int | bytes]] = []
    used = False
    for number, value in fields(graph):
        if number == INPUT and isinstance(value, memoryview) and _text(dict(fields(value)).get(1, b"")) in columns:
            continue
        if number == NODE and isinstance(value, memoryview):
            if (joined := _joins(value, columns)) is not None:
                kept.append((NODE, _node("Identity", [MATRIX], [joined])))
                continue
            used = used or not set(columns).isdisjoint(_names_in(value))
        if number == OUTPUT and isinstance(value, memoryview):
            used = used or _text(dict(fields(value)).get(1, b"")) in columns
        kept.append((number, value))
    split = [_field(NODE, _split(columns, version))] if used else []
    return b"".join([*split, *(_field(number, value) for number, value in kept), _field(INPUT, _matrix(len(columns)))])


def _joins(node: memoryview, columns: Sequence[str]) -> str | None:
    """The output of a node that does nothing but set all columns beside each other, in their order."""
    parts = list(fields(node))
    texts = {number: [_text(value) for at, value in parts if at == number] for number, _ in parts}
    if texts.get(NODE_TYPE) != ["Concat"] or texts.get(NODE_INPUT) != list(columns):
        return None
    axes = [
        dict(fields(value)).get(ATTRIBUTE_INT)
        for at, value in parts
        if at == NODE_ATTRIBUTE and isinstance(value, memoryview)
    ]
    return texts[NODE_OUTPUT][0] if axes == [1] else None


def _names_in(node: memoryview) -> Iterator[str]:
    """Every name that a node takes, in the graphs inside it too."""
    for number, value in fields(node):
        if number == NODE_INPUT:
            yield _text(value)
        elif number == NODE_ATTRIBUTE and isinstance(value, memoryview):
            for inner, graph in fields(value):
                if inner in ATTRIBUTE_GRAPHS and isinstance(graph, memoryview):
                    for at, child in fields(graph):
                        if at == NODE and isinstance(child, memoryview):
                            yield from _names_in(child)
                        elif at == OUTPUT and isinstance(child, memoryview):  # an output may name what lies outside
                            yield _text(dict(fields(child)).get(1, b""))


def _split(columns: Sequence[str], version: int) -> bytes:
    numbers = {"axis": 1} | ({"num_outputs": len(columns)} if version >= FIRST_WITH_COUNT else {})
    return _node("Split", [MATRIX], columns, numbers)


def _node(kind: str, inputs: Sequence[str], outputs: Sequence[str], numbers: dict[str, int] | None = None) -> bytes:
    attributes = [
        _field(ATTRIBUTE_NAME, name.encode()) + _field(ATTRIBUTE_INT, number) + _field(ATTRIBUTE_TYPE, INT)
        for name, number in (numbers or {}).items()
    ]
    return b"".join(
        [
            *(_field(NODE_INPUT, name.encode()) for name in inputs),
            *(_field(NODE_OUTPUT, name.encode()) for name in outputs),
            _field(NODE_TYPE, kind.encode()),
            *(_field(NODE_ATTRIBUTE, attribute) for attribute in attributes),
        ]
    )


def _matrix(width: int) -> bytes:
    """ValueInfoProto of the matrix."""
    shape = _field(1, _field(2, b"rows")) + _field(1, _field(1, width))
    return _field(1, MATRIX.encode()) + _field(2, _field(1, _field(1, FLOAT) + _field(2, shape)))


def _field(number: int, value: memoryview | bytes | int) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + bytes(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _text(value: memoryview | bytes | int) -> str:
    return "" if isinstance(value, int) else str(value, "utf-8", "replace")
