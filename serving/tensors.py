"""Values of a request, and their check against what the model declares, before the model sees any of them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from operator import ge, itemgetter, le
from types import NoneType
from typing import Any, NamedTuple, NoReturn

import numpy as np

from trivet.core.errors import IntegrityError
from trivet.core.modelpackage import Input, Serving
from trivet.serving.errors import BadInput

Value = float | str | None
NUMBER_TYPES = {int, float, NoneType}
TEXT_TYPES = {str, NoneType}
FINITE = float(np.nextafter(2.0**128 - 2.0**103, 0))  # the largest number that is finite as a float32
MISSING_CATEGORY = ""  # what ONNX, which has no missing string, is given for one
MISSING_CELLS = frozenset(("", "nan", "NaN"))  # the latter are NumPy's and pandas' way to write it
PACKED = range(128, 1 << 16)  # numbers at once for which it pays, and that do not fill a stack
MATRIX_TYPES = ("FP32", "FP64")
NO_NUMBER = frozenset("_xXnNpPiI")  # what float() takes and a table of numbers does not: 1_0, inf


class Tensor(NamedTuple):
    """One named tensor as a protocol read it; ``data`` is flat and row-major, ``None`` where a value is missing."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any]


class Values(NamedTuple):
    """The rows of one request, in the right shape and not checked yet.

    ``numbers`` is flat: row after row, or, where ``by_column``, column after column.
    """

    rows: int
    numbers: list[Any]
    texts: list[list[Any]]
    by_column: bool


class Batch(NamedTuple):
    """Checked rows, of one request or of several.

    ``numbers`` holds the inputs that are no categories as float64 ``[rows, numbers]``, NaN where one is missing;
    ``texts`` the categories, a list per input, ``None`` where one is missing. Both in the order of the model's inputs.
    """

    rows: int
    numbers: np.ndarray
    texts: list[list[str | None]]

    @classmethod
    def joined(cls, batches: Sequence[Batch]) -> Batch:
        """The rows of several."""
        numbers = np.concatenate([one.numbers for one in batches])
        texts = [list(chain.from_iterable(column)) for column in zip(*(one.texts for one in batches), strict=True)]
        return cls(len(numbers), numbers, texts)

    def value(self, row: int, at: int) -> Value:
        """Of a row: its numbers first, then its texts."""
        width = self.numbers.shape[1]
        if at >= width:
            return self.texts[at - width][row]
        value = float(self.numbers[row, at])
        return None if value != value else value

    def only(self, rows: np.ndarray) -> Batch:
        """Some of its rows."""
        return Batch(len(rows), self.numbers[rows], [[values[row] for row in rows] for values in self.texts])


def datatype(column: Input) -> str:
    """The Open Inference Protocol's datatype of an input."""
    return "BYTES" if column.type == "category" else "FP32"


class Checker:
    """Checks the values of requests against the inputs of a model; all numbers at once, as a matrix.

    First ``tensors``, ``rows`` or ``cells`` of each request, then ``batch``. A message names the input and the row and
    holds no value of the row.
    """

    def __init__(self, serving: Serving) -> None:
        self.names = [column.name for column in serving.inputs]
        self._datatypes = {column.name: datatype(column) for column in serving.inputs}
        numbers = [column for column in serving.inputs if column.type != "category"]
        self._numbers = [column.name for column in numbers]
        self._categories = [column for column in serving.inputs if column.type == "category"]
        self._known = set(self.names)
        self._pick_values = _values_by(self.names)
        self._pick_numbers = picker([at for at, one in enumerate(serving.inputs) if one.type != "category"])
        self._pick_texts = picker([at for at, one in enumerate(serving.inputs) if one.type == "category"])
        lows = [-FINITE if column.minimum is None else column.minimum for column in numbers]
        highs = [FINITE if column.maximum is None else column.maximum for column in numbers]
        self._lows, self._highs = np.clip(lows, -FINITE, FINITE), np.clip(highs, -FINITE, FINITE)
        self._required = np.array([not column.nullable for column in numbers], dtype=bool)
        self._whole = np.array([column.type == "integer" for column in numbers], dtype=bool)
        self._wholes = np.flatnonzero(self._whole).tolist()
        self._low, self._high = self._lows.tolist(), self._highs.tolist()
        self._allowed_numbers = [
            (at, _numbers_of(column, column.allowed)) for at, column in enumerate(numbers) if column.allowed is not None
        ]

    def tensors(self, tensors: Sequence[Tensor]) -> Values:
        """The rows of tensors: one per input, ``[rows, 1]``; or, where all inputs are numbers, one for all of them,
        ``[rows, inputs]``.

        :raises BadInput: naming the first input that is missing, unknown or misshapen.
        """
        if len(tensors) == 1 and not self._categories and self._is_matrix(tensors[0]):
            return self._matrix(tensors[0])
        data, rows = self._by_name(tensors)
        columns = [data[name] for name in self._numbers]
        texts = [data[column.name] for column in self._categories]
        return Values(rows, list(chain.from_iterable(columns)), texts, by_column=rows > 1)

    def rows(self, rows: Sequence[Any]) -> Values:
        """Rows that are arrays in the order of the model's inputs, or objects by name.

        :raises BadInput: naming the first row that lacks an input or has another.
        """
        if not rows:
            raise BadInput("The request has no rows.")
        if {*map(type, rows)} == {list} and {*map(len, rows)} == {len(self.names)}:
            table = rows
        else:
            table = [self._row(at, row) for at, row in enumerate(rows)]
        if not self._categories:
            return Values(len(table), list(chain.from_iterable(table)), [], by_column=False)
        flat = list(chain.from_iterable(map(self._pick_numbers, table)))
        texts = [list(column) for column in zip(*map(self._pick_texts, table), strict=True)]
        return Values(len(table), flat, texts, by_column=False)

    def cells(self, rows: Sequence[Sequence[str]]) -> Values:
        """Rows of text, in the order of the model's inputs; an empty cell is a missing value.

        :raises BadInput: as ``rows`` does, and for a cell that is no number where there must be one.
        """
        kinds = list(self._datatypes.values())
        return self.rows([self._read(at, row, kinds) for at, row in enumerate(rows)])

    def _read(self, at: int, row: Sequence[str], kinds: list[str]) -> list[Value]:
        if len(row) != len(kinds):
            raise BadInput(f"Row {at} has {len(row)} cells, not the {len(kinds)} of the model's inputs.")
        try:
            return [cell or None if kind == "BYTES" else _number(cell) for cell, kind in zip(row, kinds, strict=True)]
        except ValueError:
            raise BadInput(f"Row {at} has a cell that is no number where there must be one.") from None

    def _row(self, at: int, row: Any) -> Sequence[Any]:
        if type(row) is list:
            if len(row) != len(self.names):
                raise BadInput(f"Row {at} has {len(row)} values, not the {len(self.names)} of the model's inputs.")
            return row
        if type(row) is not dict:
            raise BadInput(f"Row {at} is neither an array in the order of the model's inputs nor an object by name.")
        try:
            values = self._pick_values(row)
        except KeyError:
            self._explain_names(at, row)
        if len(row) != len(self.names):
            self._explain_names(at, row)
        return values

    def _explain_names(self, at: int, row: Mapping[str, Any]) -> NoReturn:
        if missing := [name for name in self.names if name not in row]:
            raise BadInput(f"Row {at} lacks {', '.join(missing)}.")
        unknown = next(name for name in row if name not in self._known)
        raise BadInput(f"Row {at} has {unknown[:64]!r}; the model takes {', '.join(self.names)}.")

    def _by_name(self, tensors: Iterable[Tensor]) -> tuple[dict[str, list[Any]], int]:
        data: dict[str, list[Any]] = {}
        wanted = self._datatypes
        rows, right = 0, None
        for name, kind, shape, values in tensors:
            if wanted.get(name) != kind:
                self._explain_tensor(name, kind)
            if shape != right or len(values) != rows:
                if rows or len(shape) != 2 or shape[0] < 1:
                    raise BadInput(_misshapen(name, shape, len(values), rows))
                rows = shape[0]
                right = [rows, 1]
                if shape != right or len(values) != rows:
                    raise BadInput(_misshapen(name, shape, len(values), rows))
            if name in data:
                raise BadInput(f"Input {name} is given twice.")
            data[name] = values
        if len(data) != len(wanted):
            raise BadInput(f"The request lacks {', '.join(name for name in wanted if name not in data)}.")
        return data, rows

    def _explain_tensor(self, name: str, kind: str) -> None:
        if name not in self._datatypes:
            raise BadInput(f"The model has no input {name!r}; it takes {', '.join(self._datatypes)}.")
        raise BadInput(f"Input {name} is {self._datatypes[name]}, not {kind}.")

    def _is_matrix(self, tensor: Tensor) -> bool:
        return tensor.name not in self._datatypes and len(tensor.shape) == 2 and tensor.shape[1] == len(self.names)

    def _matrix(self, tensor: Tensor) -> Values:
        name, kind, (rows, width), data = tensor
        if kind not in MATRIX_TYPES:
            raise BadInput(f"Input {name}, which holds all columns, is FP32 or FP64, not {kind}.")
        if rows < 1 or len(data) != rows * width:
            raise BadInput(_misshapen(name, [rows, width], len(data), rows))
        return Values(rows, data, [], by_column=False)

    def batch(self, requests: Sequence[Values]) -> Batch:
        """The rows of requests, checked; those of several one after the other.

        :raises BadInput: naming the first input that is out of bounds.
        """
        rows, flat, texts, by_column = requests[0] if len(requests) == 1 else _joined(requests)
        numbers = _packed(flat) if len(flat) in PACKED else None
        if numbers is None:
            if not set(map(type, flat)) <= NUMBER_TYPES:
                self._explain_type(rows, flat, by_column=by_column)
            numbers = np.array(flat, dtype=np.float64)
        numbers = numbers.reshape(-1, rows).T if by_column else numbers.reshape(rows, -1)
        if rows > 1 or not self._is_sound(flat):
            self._check(numbers)
        for at, allowed in self._allowed_numbers:
            self._refuse_one(~np.isin(numbers[:, at], allowed) & ~np.isnan(numbers[:, at]), self._numbers[at])
        for column, values in zip(self._categories, texts, strict=True):
            _check_texts(column, values)
        return Batch(rows, numbers, texts)

    def _is_sound(self, row: list[Any]) -> bool:
        """Whether there is nothing to say about one row. A few comparisons take less than as many steps over matrices;
        of a row with missing values they cannot tell."""
        try:
            return (
                all(map(le, self._low, row))
                and all(map(ge, self._high, row))
                and all(float(row[at]).is_integer() for at in self._wholes)
            )
        except TypeError:
            return False

    def _check(self, numbers: np.ndarray) -> None:
        sound = (numbers >= self._lows) & (numbers <= self._highs)
        if self._wholes:
            sound &= (numbers == np.rint(numbers)) | ~self._whole
        if not sound.all():
            self._explain(numbers)

    def _explain_type(self, rows: int, flat: list[Any], *, by_column: bool) -> None:
        at = next(at for at, value in enumerate(flat) if type(value) not in NUMBER_TYPES)
        column = at // rows if by_column else at % len(self._numbers)
        raise BadInput(f"Input {self._numbers[column]} takes numbers only.")

    def _explain(self, numbers: np.ndarray) -> None:
        """Say what is wrong, unless it is only that values are missing which may be."""
        missing = np.isnan(numbers)
        self._refuse(missing & self._required, "has no value, which this input needs")
        self._refuse(numbers < self._lows, "is below the minimum")
        self._refuse(numbers > self._highs, "is above the maximum")
        self._refuse((numbers != np.rint(numbers)) & self._whole & ~missing, "is no whole number")

    def _refuse(self, bad: np.ndarray, why: str) -> None:
        if bad.any():
            row, column = (int(index) for index in np.argwhere(bad)[0])
            raise BadInput(f"Row {row} of input {self._numbers[column]} {why}.")

    def _refuse_one(self, bad: np.ndarray, name: str) -> None:
        if bad.any():
            raise BadInput(f"Row {int(bad.argmax())} of input {name} is not among those allowed.")


def _joined(requests: Sequence[Values]) -> Values:
    flat: list[Any] = []
    for rows, numbers, _, by_column in requests:
        if by_column:
            flat.extend(chain.from_iterable(numbers[row::rows] for row in range(rows)))
        else:
            flat += numbers
    texts = [list(chain.from_iterable(column)) for column in zip(*(one.texts for one in requests), strict=True)]
    return Values(sum(one.rows for one in requests), flat, texts, by_column=False)


def _packed(flat: list[Any]) -> np.ndarray | None:
    """What ``np.array`` makes of numbers, in less than half of its time; none where one is missing, or is none."""
    try:
        numbers = np.frombuffer(struct.pack(f"{len(flat)}d", *flat))
    except struct.error:
        return None
    for at in np.flatnonzero((numbers == 0) | (numbers == 1)).tolist():
        if type(flat[at]) is bool:  # false and true were taken for them
            return None
    return numbers


def _numbers_of(column: Input, allowed: Iterable[str | float]) -> np.ndarray:
    try:
        return np.array([*map(float, allowed), np.nan])
    except ValueError:
        raise IntegrityError(f"Input {column.name} takes numbers, but what is allowed of it is no number.") from None


def _values_by(names: list[str]) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    """Takes the values by those names of an object; ``KeyError`` where it lacks one."""
    if len(names) == 1:
        [name] = names
        return lambda row: (row[name],)
    return itemgetter(*names)


def picker(indexes: list[int]) -> itemgetter[Any]:
    """Takes those places of a row, as a sequence."""
    if not indexes:
        return itemgetter(slice(0))
    first, end = indexes[0], indexes[-1] + 1
    return itemgetter(slice(first, end)) if indexes == list(range(first, end)) else itemgetter(*indexes)


def _number(cell: str) -> float | None:
    if cell in MISSING_CELLS:
        return None
    if not cell.isascii() or NO_NUMBER.intersection(cell):
        raise ValueError
    return float(cell)


def _misshapen(name: str, shape: list[int], values: int, rows: int) -> str:
    wanted = f"[{rows}, 1]" if rows else "[rows, 1] with at least one row"
    return f"Input {name} has shape {shape[:4]} and {values} values, not {wanted}."


def _check_texts(column: Input, values: list[Any]) -> None:
    kinds = set(map(type, values))
    if not kinds <= TEXT_TYPES:
        raise BadInput(f"Input {column.name} takes strings only.")
    if MISSING_CATEGORY in values:  # what stands for a missing one in CSV, in binary and for the model
        values[:] = [value or None for value in values]
        kinds.add(NoneType)
    if NoneType in kinds and not column.nullable:
        raise BadInput(f"Row {values.index(None)} of input {column.name} has no value, which this input needs.")
    if column.allowed is not None:
        allowed = {*map(str, column.allowed), None}
        if not allowed.issuperset(values):
            row = next(row for row, value in enumerate(values) if value not in allowed)
            raise BadInput(f"Row {row} of input {column.name} is not among those allowed.")
