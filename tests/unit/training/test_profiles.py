"""Profiles and golden requests hold for any rows; graphs for any names of columns."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from trivet.core.errors import ConfigError
from trivet.core.modelpackage import Input
from trivet.training.runtime.contributions import contributions_of
from trivet.training.runtime.onnxexport import proved_score, score_graph
from trivet.training.runtime.profiles import make_golden, make_profile
from trivet.training.runtime.usercode import Fitted

numbers = st.one_of(
    st.just(math.nan),
    st.sampled_from([0.0, 1.0, 5.0]),
    st.floats(-1e6, 1e6, allow_nan=False),
    st.integers(-50, 50).map(float),
)
words = st.one_of(st.just(""), st.sampled_from(["a", "b"]), st.text(max_size=3))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(numbers, words), min_size=1, max_size=60))
def test_a_profile_counts_every_row_in_the_bin_that_readers_find(rows: list[tuple[float, str]]) -> None:
    frame = pd.DataFrame(rows, columns=["n", "k"])
    inputs = (Input(name="n", type="number"), Input(name="k", type="category"))
    profile = make_profile(frame, np.linspace(0, 1, len(rows)), inputs)
    of_numbers, of_words = profile.features
    assert list(of_numbers.edges) == sorted(set(of_numbers.edges))
    counted = np.bincount([of_numbers.bin_of(value) for value in frame["n"]], minlength=len(of_numbers.counts) + 1)
    assert tuple(counted[:-1]) == of_numbers.counts
    assert counted[-1] == of_numbers.missing
    if frame["n"].nunique() > 1:
        assert sum(count > 0 for count in of_numbers.counts) >= 2
    named = [value or None for value in frame["k"]]
    counted = np.bincount([of_words.bin_of(value) for value in named], minlength=len(of_words.counts) + 1)
    assert tuple(counted[:-1]) == of_words.counts
    assert counted[-1] == of_words.missing
    assert sum(profile.score.counts) == len(rows)


NAMES = ["self", "label", "probabilities", "variable", "merged_columns", "output_label", "a-b", "x.y", "mean_row"]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True), st.integers(0, 99))
def test_columns_may_have_almost_any_name(names: list[str], seed: int) -> None:
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame(draw.normal(size=(50, len(names))), columns=names)
    target = (frame.sum(axis=1) + draw.normal(size=50) > 0).astype(int)
    target[:2] = [0, 1]
    fitted = Fitted(LogisticRegression().fit(frame, target), tuple(names))
    inputs = [Input(name=name, type="number", nullable=False) for name in names]
    model = score_graph(fitted, inputs).SerializeToString()
    proved_score(model, fitted, frame, inputs)
    assert contributions_of(fitted, frame, inputs) is not None
    golden = make_golden(model, frame, inputs)
    assert golden.scores == pytest.approx(fitted.score(pd.DataFrame(golden.rows)), abs=1e-5)
    for row in golden.rows:
        assert all(row[name] in set(frame[name]) for name in names)


def test_a_column_with_the_name_of_the_output_is_refused() -> None:
    frame = pd.DataFrame({"score": [0.0, 1.0, 0.5, 0.2]})
    fitted = Fitted(LogisticRegression().fit(frame, [0, 1, 1, 0]), ("score",))
    with pytest.raises(ConfigError, match="A column is named score"):
        score_graph(fitted, [Input(name="score", type="number")])
