"""What the training rows look like: distributions to compare later ones with, and made-up rows to try a model on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from trivet.core.modelpackage import FeatureProfile, Golden, Input, Profile
from trivet.training.runtime.graphs import feeds, run
from trivet.training.runtime.rows import MISSING_CATEGORY

BINS = 10
MOST_VALUES = 10  # a number with no more distinct values has a bin for each
MOST_CATEGORIES = 50
LEVELS = (0.25, 0.5, 0.75)


def make_profile(frame: pd.DataFrame, score: np.ndarray, inputs: Sequence[Input]) -> Profile:
    """Distributions of the inputs and of the model's score over the rows."""
    return Profile(
        rows=len(frame),
        features=tuple(
            _of_categories(column.name, frame[column.name])
            if column.type == "category"
            else _of_numbers(column.name, frame[column.name].to_numpy(dtype=np.float64))
            for column in inputs
        ),
        score=_of_numbers("score", score.astype(np.float64)),
    )


def _of_numbers(name: str, values: np.ndarray) -> FeatureProfile:
    known = values[~np.isnan(values)]
    edges = _edges(known)
    counts = np.bincount(np.searchsorted(edges, known, side="right"), minlength=len(edges) + 1)
    return FeatureProfile(
        name=name,
        edges=tuple(float(edge) for edge in edges),
        counts=tuple(int(count) for count in counts),
        missing=len(values) - len(known),
    )


def _edges(values: np.ndarray) -> np.ndarray:
    """Inner bounds of the bins: each distinct value where they are few, else tenths of the rows.

    Where the least value alone fills tenths, it has a bin of its own.
    """
    distinct = np.unique(values)
    if len(distinct) <= MOST_VALUES:
        return distinct[1:]
    tenths = np.unique(np.quantile(values, np.arange(1, BINS) / BINS))
    inner = tenths[tenths > distinct[0]]
    return np.unique(np.append(inner, distinct[1])) if len(inner) < len(tenths) else inner


def _of_categories(name: str, values: pd.Series) -> FeatureProfile:
    counts = values[values != MISSING_CATEGORY].value_counts()
    shown = counts[:MOST_CATEGORIES].sort_index()
    return FeatureProfile(
        name=name,
        values=tuple(str(value) for value in shown.index),
        counts=(*(int(count) for count in shown), int(counts.sum() - shown.sum())),
        missing=int((values == MISSING_CATEGORY).sum()),
    )


def make_golden(model: bytes, frame: pd.DataFrame, inputs: Sequence[Input]) -> Golden:
    """A request with a known answer. Its rows are quartiles column by column, and are nobody's.

    A last row leaves out every value that may be missing.
    """
    rows = [{column.name: _quantile(frame[column.name], column, level) for column in inputs} for level in LEVELS]
    rows.append({column.name: None if column.nullable else rows[1][column.name] for column in inputs})
    asked = pd.DataFrame({column.name: [_as_fed(row[column.name], column) for row in rows] for column in inputs})
    scores = run(model, feeds(asked, inputs), "score")
    return Golden(rows=tuple(rows), scores=tuple(float(score) for score in scores))


def _as_fed(value: float | str | None, column: Input) -> float | str | None:
    return MISSING_CATEGORY if value is None and column.type == "category" else value


def _quantile(values: pd.Series, column: Input, level: float) -> float | str | None:
    """A value that really occurs, so that it is one that the column may have."""
    if column.type == "category":
        known = values[values != MISSING_CATEGORY]
        return str(known.value_counts().index[0]) if len(known) else None
    known = values.dropna()
    return float(known.quantile(level, interpolation="nearest")) if len(known) else None
