"""Tensors of a request, and their check against what the model declares, before the model sees any of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from types import NoneType
from typing import Any, NamedTuple

import numpy as np

from trivet.core.modelpackage import Input, Serving
from trivet.serving.errors import BadInput

Value = float | str | None
NUMBER_TYPES = {int, float, NoneType}
TEXT_TYPES = {str, NoneType}
FINITE = float(np.finfo(np.float32).max)  # beyond it a number is infinite to the model
MISSING_CATEGORY = ""  # what ONNX, which has no missing string, is given for one


class Tensor(NamedTuple):
    """One named tensor as a protocol read it; ``data`` is flat and row-major, ``None`` where a value is missing."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any]


class Batch(NamedTuple):
    """Checked rows.

    ``feeds`` are what ONNX takes: float32 or string ``[rows, 1]``. ``columns`` hold the same values as the client
    gave them, one list per input in the order of the model's inputs; numbers are floats.
    """

    rows: int
    feeds: dict[str, np.ndarray]
    columns: list[list[Value]]


def datatype(column: Input) -> str:
    """The Open Inference Protocol's datatype of an input."""
    return "BYTES" if column.type == "category" else "FP32"


class Checker:
    """Checks tensors against the inputs of a model; all numbers at once, as a matrix ``[columns, rows]``."""

    def __init__(self, serving: Serving) -> None:
        numbers = [column for column in serving.inputs if column.type != "category"]
        self._datatypes = {column.name: datatype(column) for column in serving.inputs}
        self._numbers = [column.name for column in numbers]
        self._categories = [column for column in serving.inputs if column.type == "category"]
        self._lows = _by_column([-FINITE if column.minimum is None else column.minimum for column in numbers])
        self._highs = _by_column([FINITE if column.maximum is None else column.maximum for column in numbers])
        self._required = _by_column([not column.nullable for column in numbers]) > 0
        self._whole = _by_column([column.type == "integer" for column in numbers]) > 0
        self._allowed = {
            column.name: frozenset([*map(str if column.type == "category" else float, column.allowed), None])
            for column in serving.inputs
            if column.allowed is not None
        }

    def check(self, tensors: Iterable[Tensor]) -> Batch:
        """The rows of a request.

        :raises BadInput: naming the first input that is missing, unknown, misshapen or out of bounds. The message
            holds no value of a row.
        """
        data, rows = self._by_name(tensors)
        numbers = self._matrix([data[name] for name in self._numbers], rows)
        feeds = dict(zip(self._numbers, numbers.astype(np.float32).reshape(-1, rows, 1), strict=True))
        for column in self._categories:
            feeds[column.name] = _texts(column, data[column.name])
        for name, allowed in self._allowed.items():
            if not allowed.issuperset(data[name]):
                row = next(row for row, value in enumerate(data[name]) if value not in allowed)
                raise BadInput(f"Row {row} of input {name} is not among those allowed.")
        data |= zip(self._numbers, _lists(numbers), strict=True)
        return Batch(rows, feeds, [data[name] for name in self._datatypes])

    def _by_name(self, tensors: Iterable[Tensor]) -> tuple[dict[str, list[Any]], int]:
        data: dict[str, list[Any]] = {}
        rows = 0
        for tensor in tensors:
            name, kind, shape, values = tensor
            if (wanted := self._datatypes.get(name)) is None:
                raise BadInput(f"The model has no input {name!r}; it takes {', '.join(self._datatypes)}.")
            if kind != wanted:
                raise BadInput(f"Input {name} is {wanted}, not {kind}.")
            if name in data:
                raise BadInput(f"Input {name} is given twice.")
            rows = rows or _rows(tensor)
            if shape != [rows, 1] or len(values) != rows:
                raise BadInput(f"Input {name} has shape {shape[:4]} and {len(values)} values, not [{rows}, 1].")
            data[name] = values
        if missing := [name for name in self._datatypes if name not in data]:
            raise BadInput(f"The request lacks {', '.join(missing)}.")
        return data, rows

    def _matrix(self, columns: list[list[Any]], rows: int) -> np.ndarray:
        """Numbers as float64, NaN where one is missing; all within their bounds and within float32."""
        flat = list(chain.from_iterable(columns))
        if not set(map(type, flat)) <= NUMBER_TYPES:
            wrong = next(at for at, values in enumerate(columns) if not set(map(type, values)) <= NUMBER_TYPES)
            raise BadInput(f"Input {self._numbers[wrong]} takes numbers only.")
        numbers = np.array(flat, dtype=np.float64).reshape(len(columns), rows)
        sound = (numbers >= self._lows) & (numbers <= self._highs) & ((numbers == np.rint(numbers)) | ~self._whole)
        if not sound.all():
            self._explain(numbers)
        return numbers

    def _explain(self, numbers: np.ndarray) -> None:
        """Say what is wrong, unless it is only that values are missing which may be."""
        missing = np.isnan(numbers)
        self._refuse(missing & self._required, "has no value, which this input needs")
        self._refuse(numbers < self._lows, "is below the minimum")
        self._refuse(numbers > self._highs, "is above the maximum")
        self._refuse((numbers != np.rint(numbers)) & self._whole & ~missing, "is no whole number")

    def _refuse(self, bad: np.ndarray, why: str) -> None:
        if bad.any():
            column, row = (int(index) for index in np.argwhere(bad)[0])
            raise BadInput(f"Row {row} of input {self._numbers[column]} {why}.")


def _by_column(values: Sequence[float]) -> np.ndarray:
    """One value per column, as wide as any number of rows."""
    return np.array(values, dtype=np.float64).reshape(-1, 1)


def _texts(column: Input, values: list[Any]) -> np.ndarray:
    """Strings as ONNX takes them, ``[rows, 1]``."""
    kinds = set(map(type, values))
    if not kinds <= TEXT_TYPES:
        raise BadInput(f"Input {column.name} takes strings only.")
    if NoneType in kinds:
        if not column.nullable:
            raise BadInput(f"Row {values.index(None)} of input {column.name} has no value, which this input needs.")
        values = [MISSING_CATEGORY if value is None else value for value in values]
    return np.array(values, dtype=object).reshape(-1, 1)


def _rows(tensor: Tensor) -> int:
    if len(tensor.shape) != 2 or tensor.shape[0] < 1:
        raise BadInput(f"Input {tensor.name} has shape {tensor.shape[:4]}, not [rows, 1] with at least one row.")
    return tensor.shape[0]


def _lists(numbers: np.ndarray) -> list[list[Value]]:
    """Numbers as Python's floats, ``None`` where one is missing."""
    columns = numbers.tolist()
    if np.isnan(numbers).any():
        return [[None if value != value else value for value in column] for column in columns]
    return columns
