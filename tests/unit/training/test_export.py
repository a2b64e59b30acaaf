"""Any classifier that can be converted says the same as ONNX; any other is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

from trivet.core.errors import ConfigError
from trivet.core.modelpackage import Input
from trivet.training.runtime.contributions import contributions_of
from trivet.training.runtime.graphs import feeds, run
from trivet.training.runtime.onnxexport import proved_score, score_graph
from trivet.training.runtime.usercode import Fitted

INPUTS = (
    Input(name="kind", type="category", nullable=True),
    Input(name="size", type="number", nullable=True),
    Input(name="count", type="integer"),
    Input(name="place", type="category"),
)
NUMBERS, KINDS = ["size", "count"], ["kind", "place"]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "kind": draw.choice(["a", "b", ""], 400),
            "size": draw.normal(50, 10, 400),
            "count": draw.integers(0, 9, 400),
            "place": draw.choice(["north", "south"], 400),
        }
    )
    table.loc[::9, "size"] = np.nan
    return table


@pytest.fixture(scope="module")
def target(frame: pd.DataFrame) -> np.ndarray:
    noise = np.random.default_rng(1).normal(size=len(frame))
    signal = frame["size"].fillna(50) / 10 - 5 + (frame["kind"] == "a") - (frame["count"] > 5)
    return (signal + noise > 0).to_numpy().astype(int)


def by_column(**one_hot: Any) -> ColumnTransformer:
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
            ("kinds", OneHotEncoder(handle_unknown="ignore", **one_hot), KINDS),
        ]
    )


def fitted(estimator: Any, frame: pd.DataFrame, target: np.ndarray, names: list[str]) -> tuple[Fitted, list[Input]]:
    estimator.fit(frame[names], target)
    by_name = {column.name: column for column in INPUTS}
    return Fitted(estimator, tuple(names)), [by_name[name] for name in names]


NUMERIC = [
    make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()),
    Pipeline([("prepare", make_pipeline(SimpleImputer(), MinMaxScaler())), ("model", LogisticRegression())]),
    make_pipeline(SimpleImputer(), RandomForestClassifier(20, random_state=0)),
    make_pipeline(SimpleImputer(), ExtraTreesClassifier(20, random_state=0)),
    make_pipeline(SimpleImputer(), GradientBoostingClassifier(n_estimators=20)),
    HistGradientBoostingClassifier(max_iter=20),
    make_pipeline(HistGradientBoostingClassifier(max_iter=20)),
    make_pipeline(SimpleImputer(), DecisionTreeClassifier(max_depth=4)),
    make_pipeline(SimpleImputer(), GaussianNB()),
    make_pipeline(SimpleImputer(), StandardScaler(), CalibratedClassifierCV(LogisticRegression())),
    GridSearchCV(
        make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()), {"logisticregression__C": [1]}
    ),
]
MIXED = [
    make_pipeline(by_column(), LogisticRegression()),
    make_pipeline(by_column(sparse_output=False, drop="first"), LogisticRegression()),
    make_pipeline(
        make_column_transformer((OneHotEncoder(), KINDS), (SimpleImputer(), NUMBERS)),
        RandomForestClassifier(20, random_state=0),
    ),
    make_pipeline(make_column_transformer((OneHotEncoder(), KINDS), ("passthrough", ["count"])), LogisticRegression()),
]


def ident(estimator: Any) -> str:
    return "-".join(type(step).__name__ for _, step in getattr(estimator, "steps", [("", estimator)]))


@pytest.mark.parametrize(
    ("estimator", "names"),
    [(estimator, NUMBERS) for estimator in NUMERIC] + [(estimator, ["kind", *NUMBERS, "place"]) for estimator in MIXED],
    ids=ident,
)
def test_scores_are_those_of_scikit_learn(
    estimator: Any, names: list[str], frame: pd.DataFrame, target: np.ndarray
) -> None:
    model, inputs = fitted(estimator, frame, target, names)
    graph = score_graph(model, inputs)
    assert [value.name for value in graph.graph.input] == names
    assert [value.name for value in graph.graph.output] == ["score"]
    score = proved_score(graph.SerializeToString(), model, frame, inputs)
    assert score.shape == (len(frame),)
    assert score.dtype == np.float32
    np.testing.assert_allclose(score, estimator.predict_proba(frame[names])[:, 1], atol=1e-5)
    alone = run(graph.SerializeToString(), feeds(frame.head(1), inputs), "score")
    np.testing.assert_allclose(alone, score[:1], atol=1e-6)


class Homemade(LogisticRegression):
    """A classifier that skl2onnx has never heard of."""


@pytest.mark.parametrize(
    ("estimator", "culprit"),
    [
        (make_pipeline(SimpleImputer(), Homemade()), "Homemade"),
        (Homemade(), "Homemade"),
        (make_pipeline(SimpleImputer(), FunctionTransformer(np.log1p), LogisticRegression()), "Pipeline"),
    ],
)
def test_what_cannot_be_converted_is_named_with_what_to_do(
    estimator: Any, culprit: str, frame: pd.DataFrame, target: np.ndarray
) -> None:
    model, inputs = fitted(estimator, frame.fillna({"size": 50}), target, NUMBERS)
    with pytest.raises(ConfigError, match=rf"{culprit} cannot be converted to ONNX: .*LogisticRegression.*https://"):
        score_graph(model, inputs)


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(SimpleImputer(), LinearDiscriminantAnalysis()),  # skl2onnx 1.20 takes a softmax for the sigmoid
        make_pipeline(SimpleImputer(), StandardScaler(), RandomForestClassifier(20, random_state=0)),
    ],
    ids=ident,
)
def test_a_conversion_that_is_not_exact_is_refused(estimator: Any, frame: pd.DataFrame, target: np.ndarray) -> None:
    model, inputs = fitted(estimator, frame, target, NUMBERS)
    with pytest.raises(ConfigError, match=r"differ by up to .* leave scalers out before trees"):
        proved_score(score_graph(model, inputs).SerializeToString(), model, frame, inputs)


def test_other_scores_are_not_let_through(frame: pd.DataFrame, target: np.ndarray) -> None:
    one, inputs = fitted(make_pipeline(SimpleImputer(), LogisticRegression()), frame, target, NUMBERS)
    other, _ = fitted(make_pipeline(SimpleImputer(), LogisticRegression(C=0.5)), frame, target, NUMBERS)
    with pytest.raises(ConfigError, match=r"differ by up to .* from scikit-learn's, more than 1e-05"):
        proved_score(score_graph(one, inputs).SerializeToString(), other, frame, inputs)


LINEAR = [
    (make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()), NUMBERS),
    (Pipeline([("prepare", make_pipeline(SimpleImputer(), RobustScaler())), ("model", LogisticRegression())]), NUMBERS),
    (make_pipeline(SimpleImputer(), LinearDiscriminantAnalysis()), NUMBERS),
    (GridSearchCV(make_pipeline(SimpleImputer(), LogisticRegression()), {"logisticregression__C": [1]}), NUMBERS),
    (make_pipeline(by_column(), LogisticRegression()), ["kind", *NUMBERS, "place"]),
    (make_pipeline(by_column(drop="if_binary"), LogisticRegression()), ["place", "size", "count", "kind"]),
    (make_pipeline(make_column_transformer(("passthrough", [0]), remainder="drop"), LogisticRegression()), ["count"]),
    (
        make_pipeline(
            make_column_transformer((OneHotEncoder(), KINDS), (SimpleImputer(), []), remainder="passthrough"),
            LogisticRegression(),
        ),
        ["kind", "count", "place"],
    ),
    (LogisticRegression(), ["count"]),
]


@pytest.mark.parametrize(("estimator", "names"), LINEAR)
def test_contributions_of_linear_models_are_exact(
    estimator: Any, names: list[str], frame: pd.DataFrame, target: np.ndarray
) -> None:
    model, inputs = fitted(estimator, frame, target, names)
    found = contributions_of(model, frame, inputs)
    assert found is not None

    def parts(table: pd.DataFrame) -> np.ndarray:
        return np.asarray(run(found.model.SerializeToString(), feeds(table, inputs), "contributions"), dtype=float)

    log_odds = np.log(model.score(frame) / (1 - model.score(frame)))
    np.testing.assert_allclose(parts(frame).sum(axis=1) + found.intercept, log_odds, atol=1e-4)
    np.testing.assert_allclose(parts(frame).mean(axis=0), 0, atol=1e-4)
    for number, name in enumerate(names):
        other = frame.copy()
        other[name] = frame[name].to_numpy()[::-1]
        shifted = np.log(model.score(other) / (1 - model.score(other))) - log_odds
        np.testing.assert_allclose((parts(other) - parts(frame))[:, number], shifted, atol=2e-4)


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(SimpleImputer(), GradientBoostingClassifier(n_estimators=5)),
        make_pipeline(SimpleImputer(), PolynomialFeatures(2), StandardScaler(), LogisticRegression()),
        make_pipeline(SimpleImputer(add_indicator=True), LogisticRegression()),
        make_pipeline(SimpleImputer(), StandardScaler(), CalibratedClassifierCV(LogisticRegression())),
        make_pipeline(SimpleImputer(), GaussianNB()),
    ],
    ids=ident,
)
def test_other_models_have_none(estimator: Any, frame: pd.DataFrame, target: np.ndarray) -> None:
    model, inputs = fitted(estimator, frame, target, NUMBERS)
    assert contributions_of(model, frame, inputs) is None
