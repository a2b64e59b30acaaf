"""The user's train(): what it is given, and what it must give back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from trivet.core.errors import ConfigError
from trivet.training.params import TrainParams
from trivet.training.runtime.usercode import fit, load_train

PARAMS = TrainParams({"C": 0.5}, features=("a", "b"), target="yes", protected=("group",), seed=3)


@pytest.fixture
def frame() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    table = pd.DataFrame({"a": draw.normal(size=60), "b": draw.normal(size=60), "group": draw.integers(0, 2, 60)})
    table["yes"] = (table["a"] > 0).astype(int)
    return table


def test_params_are_a_mapping_with_more() -> None:
    assert dict(PARAMS) == {"C": 0.5}
    assert PARAMS.get("D", 1) == 1
    assert (PARAMS.features, PARAMS.target, PARAMS.protected, PARAMS.seed) == (("a", "b"), "yes", ("group",), 3)


def test_a_good_one_is_scored_by_its_columns(frame: pd.DataFrame) -> None:
    fitted = fit(lambda rows, params: LogisticRegression().fit(rows[["b", "a"]], rows["yes"]), frame, PARAMS)
    assert fitted.inputs == ("b", "a")
    assert fitted.score(frame).shape == (60,)


def test_what_it_does_to_its_rows_stays_with_it(frame: pd.DataFrame) -> None:
    def careless(rows: pd.DataFrame, _: TrainParams) -> Any:
        rows["a"] = 0.0
        return LogisticRegression().fit(rows[["a"]], rows["yes"])

    before = frame.copy()
    fit(careless, frame, PARAMS)
    pd.testing.assert_frame_equal(frame, before)


def test_global_generators_are_seeded(frame: pd.DataFrame) -> None:
    def draws(rows: pd.DataFrame, _: TrainParams) -> Any:
        noise = np.random.normal(size=len(rows))
        return LogisticRegression().fit(rows[["a"]] + noise[:, None], rows["yes"])

    one, two = fit(draws, frame, PARAMS), fit(draws, frame, PARAMS)
    np.testing.assert_array_equal(one.score(frame), two.score(frame))


@pytest.mark.parametrize(
    ("train", "complaint"),
    [
        (lambda rows, _: LinearRegression().fit(rows[["a"]], rows["yes"]), "LinearRegression, which gives no prob"),
        (lambda rows, _: LogisticRegression(), "LogisticRegression that is not fitted"),
        (lambda rows, _: None, "NoneType, which gives no probabilities"),
        (lambda rows, _: LogisticRegression().fit(rows[["a"]], rows["a"].round() % 3), r"for the classes \[.*0 or 1"),
        (lambda rows, _: LogisticRegression().fit(rows[["a"]].to_numpy(), rows["yes"]), "does not know its columns"),
        (
            lambda rows, _: LogisticRegression().fit(rows[["a", "group"]], rows["yes"]),
            "takes group, which a model of this project may not see",
        ),
        (lambda rows, _: LogisticRegression().fit(rows[["a", "yes"]], rows["yes"]), "takes yes"),
    ],
)
def test_anything_else_is_refused_in_a_sentence(frame: pd.DataFrame, train: Any, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        fit(train, frame, PARAMS)


def write(folder: Path, text: str) -> Path:
    (folder / "train.py").write_text(text)
    return folder


def test_it_may_import_its_neighbours_but_not_shadow_the_library(tmp_path: Path, frame: pd.DataFrame) -> None:
    (tmp_path / "my_neighbour_module.py").write_text("NAME = 'a'\n")
    (tmp_path / "json.py").write_text("raise RuntimeError('shadowed')\n")
    train = load_train(
        write(
            tmp_path,
            "import json\nfrom my_neighbour_module import NAME\nfrom sklearn.linear_model import LogisticRegression\n"
            "def train(frame, params):\n    return LogisticRegression().fit(frame[[NAME]], frame[params.target])\n",
        )
    )
    assert fit(train, frame, PARAMS).inputs == ("a",)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = 1\n", r"has no function train.*def train\(frame, params\)"),
        ("x = 1\n\nimport no_such_module\n", r"train\.py, line 3 cannot be loaded: ModuleNotFoundError"),
        ("def train(:\n", r"cannot be loaded: SyntaxError"),
    ],
)
def test_a_file_that_will_not_do_is_named_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load_train(write(tmp_path, text))


def test_its_own_error_is_told_with_its_line_and_kept(tmp_path: Path, frame: pd.DataFrame) -> None:
    train = load_train(write(tmp_path, "def train(frame, params):\n    return frame['c']\n"))
    with pytest.raises(ConfigError, match=r"train\.py, line 2 failed: KeyError: 'c'") as caught:
        fit(train, frame, PARAMS)
    assert isinstance(caught.value.__cause__, KeyError)
