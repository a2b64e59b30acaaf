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
        self._datatypes = {column.name: datatype(column) for column in serving.inputs}
        self._numbers = [column for column in serving.inputs if column.type != "category"]
        self._categories = [column for column in serving.inputs if column.type == "category"]
        self._lows = _bounds((column.minimum for column in self._numbers), -FINITE)
        self._highs = _bounds((column.maximum for column in self._numbers), FINITE)
        self._required = np.array([[not column.nullable] for column in self._numbers], dtype=bool)
        self._integers = [row for row, column in enumerate(self._numbers) if column.type == "integer"]
        self._listed = {
            row: np.array(column.allowed, dtype=np.float64)
            for row, column in enumerate(self._numbers)
            if column.allowed is not None
        }
        self._texts = {
            column.name: {str(value) for value in column.allowed}
            for column in self._categories
            if column.allowed is not None
        }

    def check(self, tensors: Iterable[Tensor]) -> Batch:
        """The rows of a request.

        :raises BadInput: naming the first input that is missing, unknown, misshapen or out of bounds. The message
            holds no value of a row.
        """
        data, rows = self._by_name(tensors)
        numbers = self._matrix([data[column.name] for column in self._numbers], rows)
        narrow = numbers.astype(np.float32)
        feeds = {column.name: narrow[row].reshape(rows, 1) for row, column in enumerate(self._numbers)}
        for column in self._categories:
            feeds[column.name] = self._texts_of(column, data[column.name])
        data |= zip((column.name for column in self._numbers), _lists(numbers), strict=True)
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
        kinds = set(map(type, flat))
        if not kinds <= NUMBER_TYPES:
            wrong = next(row for row, values in enumerate(columns) if not set(map(type, values)) <= NUMBER_TYPES)
            raise BadInput(f"Input {self._numbers[wrong].name} takes numbers only.")
        numbers = np.array(flat, dtype=np.float64).reshape(len(columns), rows)
        if not ((numbers >= self._lows) & (numbers <= self._highs)).all():
            self._refuse(np.isnan(numbers) & self._required, "has no value, which this input needs")
            self._refuse(numbers < self._lows, "is below the minimum")
            self._refuse(numbers > self._highs, "is above the maximum")
        if self._integers:
            whole = numbers[self._integers]
            self._refuse(np.abs(whole - np.rint(whole)) > 0, "is no whole number", self._integers)
        for row, allowed in self._listed.items():
            values = numbers[[row]]
            self._refuse(~np.isin(values, allowed) & ~np.isnan(values), "is not among those allowed", [row])
        return numbers

    def _refuse(self, bad: np.ndarray, why: str, columns: Sequence[int] | None = None) -> None:
        if bad.any():
            column, row = (int(index) for index in np.argwhere(bad)[0])
            name = self._numbers[columns[column] if columns else column].name
            raise BadInput(f"Row {row} of input {name} {why}.")

    def _texts_of(self, column: Input, values: list[Any]) -> np.ndarray:
        kinds = set(map(type, values))
        if not kinds <= TEXT_TYPES:
            raise BadInput(f"Input {column.name} takes strings only.")
        if NoneType in kinds and not column.nullable:
            raise BadInput(f"Row {values.index(None)} of input {column.name} has no value, which this input needs.")
        allowed = self._texts.get(column.name)
        if allowed is not None and (unknown := set(values) - allowed - {None}):
            row = next(row for row, value in enumerate(values) if value in unknown)
            raise BadInput(f"Row {row} of input {column.name} is not among those allowed.")
        filled = [MISSING_CATEGORY if value is None else value for value in values] if NoneType in kinds else values
        return np.array(filled, dtype=object).reshape(len(values), 1)


def _bounds(values: Iterable[float | None], otherwise: float) -> np.ndarray:
    return np.array([[otherwise if value is None else value] for value in values], dtype=np.float64).reshape(-1, 1)


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
