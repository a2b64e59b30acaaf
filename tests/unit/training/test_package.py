"""The model package of the mortgage example, as others open it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort
import pandas as pd
import pytest

from trivet.core.modelpackage import (
    CARD,
    CONTRACT,
    GOLDEN,
    LINEAGE,
    PROFILE,
    SERVING,
    Golden,
    Lineage,
    Package,
    Profile,
    Serving,
)
from trivet.data.snapshot import read_rows
from trivet.serving.engine import Engine
from trivet.training.cardfacts import CardFacts
from trivet.training.submit import Trained


def read(package: Path, name: str, kind: type[Any]) -> Any:
    return kind.model_validate_json(Package(package).read(name))


@pytest.fixture(scope="module")
def rows(loan: Any) -> pd.DataFrame:
    return read_rows(loan.platform.store, loan.snapshot)


def feeds(rows: pd.DataFrame, serving: Serving) -> dict[str, np.ndarray]:
    return {column.name: rows[[column.name]].to_numpy(np.float32) for column in serving.inputs}


def score(package: Path, rows: pd.DataFrame) -> np.ndarray:
    serving = read(package, SERVING, Serving)
    session = ort.InferenceSession(package / "model.onnx")
    return np.asarray(session.run(["score"], feeds(rows, serving))[0])


def test_it_is_sealed_and_says_what_it_takes(trained: Trained, loan: Any) -> None:
    Package(trained.package).verify()
    serving = read(trained.package, SERVING, Serving)
    assert tuple(column.name for column in serving.inputs) == loan.project.features
    assert (serving.decision.threshold, serving.decision.positive) == (0.5, "approve")
    by_name = {column.name: column for column in serving.inputs}
    assert by_name["rep"].nullable
    assert not by_name["unit"].nullable
    assert by_name["atotinc"].personal
    assert (by_name["unit"].minimum, by_name["unit"].maximum) == (1, 4)


def test_a_server_opens_it_and_gets_its_golden_answer(trained: Trained) -> None:
    engine = Engine.open(trained.package)
    engine.self_test()
    assert engine.serving.contributions


def test_mlflow_loads_it_and_predicts_from_a_table_or_from_tensors(
    trained: Trained, mlflow: SimpleNamespace, rows: pd.DataFrame
) -> None:
    mlflow.onnx.load_model(str(trained.package))
    model = mlflow.pyfunc.load_model(str(trained.package))
    serving = read(trained.package, SERVING, Serving)
    some = rows.head(20)
    table = some[[column.name for column in serving.inputs]].astype("float32")
    wanted = score(trained.package, some)
    np.testing.assert_allclose(model.predict(table)["score"], wanted, atol=1e-6)
    np.testing.assert_allclose(model.predict(feeds(some, serving))["score"], wanted, atol=1e-6)
    assert model.metadata.get_input_schema().input_names() == [column.name for column in serving.inputs]


def test_nothing_in_it_says_when_or_where_it_was_made(trained: Trained) -> None:
    text = b"".join(path.read_bytes() for path in trained.package.rglob("*") if path.is_file())
    assert str(trained.package.parent.parent).encode() not in text
    assert b"/tmp" not in text
    assert b"1970-01-01 00:00:00" in text


def test_no_row_of_the_data_is_in_the_golden_request(trained: Trained, rows: pd.DataFrame) -> None:
    golden = read(trained.package, GOLDEN, Golden)
    names = list(golden.rows[0])
    people = {tuple(row) for row in rows[names].to_numpy(dtype=float).tolist()}
    assert not {tuple(row[name] for name in names) for row in golden.rows} & people
    assert golden.rows[-1]["rep"] is None


def test_the_profile_counts_the_rows_of_the_snapshot(trained: Trained, rows: pd.DataFrame) -> None:
    profile = read(trained.package, PROFILE, Profile)
    assert profile.rows == len(rows)
    for feature in profile.features:
        binned = np.bincount(
            [feature.bin_of(None if value != value else value) for value in rows[feature.name]],
            minlength=len(feature.counts) + 1,
        )
        assert tuple(binned[:-1]) == feature.counts, feature.name
        assert binned[-1] == feature.missing
        assert len(feature.counts) >= 2
    by_name = {feature.name: feature for feature in profile.features}
    assert by_name["rep"].missing == rows["rep"].isna().sum() > 0
    assert by_name["self"].edges == (1.0,)
    assert len(by_name["loanamt"].counts) == 10
    assert by_name["other"].counts[0] == (rows["other"] == 0).sum()
    assert sum(profile.score.counts) == len(rows)


def test_lineage_and_card_name_what_went_in(trained: Trained, loan: Any) -> None:
    lineage = read(trained.package, LINEAGE, Lineage)
    assert lineage.snapshot == loan.snapshot.digest
    assert lineage.contract == loan.contract.content_digest()
    assert lineage.source == loan.source.digest
    card = read(trained.package, CARD, CardFacts)
    assert card.data is not None
    assert (card.data.rows, card.data.quarantined) == (1969, 20)
    assert card.training is not None
    assert card.training.estimator == "SimpleImputer → StandardScaler → LogisticRegression"
    assert set(card.audited) == {"black", "hispan", "white", "male", "married", "dep", "old"}
    assert {metric.name for metric in card.metrics} >= {"auc", "accuracy", "bad_risks_caught"}
    assert "exact contribution" in card.explanation
    assert json.loads(Package(trained.package).read(CONTRACT)) == json.loads(loan.contract.canonical())
    assert trained.evaluation.digest == trained.digest


def test_the_environment_is_pinned_without_pip(trained: Trained) -> None:
    requirements = (trained.package / "requirements.txt").read_text().split()
    assert [line.partition("==")[0] for line in requirements] == ["mlflow", "numpy", "onnx", "onnxruntime", "pandas"]
    assert all("==" in line for line in requirements)
    assert "pip==" not in (trained.package / "python_env.yaml").read_text()
    assert "pip==" not in (trained.package / "conda.yaml").read_text()


def test_contributions_add_up_and_stand_alone(trained: Trained, rows: pd.DataFrame) -> None:
    """A linear feature's contribution depends on that feature alone, and shifts the log-odds by exactly as much."""
    serving = read(trained.package, SERVING, Serving)
    session = ort.InferenceSession(trained.package / "contributions.onnx")

    def contributions(table: pd.DataFrame) -> np.ndarray:
        return np.asarray(session.run(["contributions"], feeds(table, serving))[0], dtype=float)

    scoring = ort.InferenceSession(trained.package / "model.onnx")

    def log_odds(table: pd.DataFrame) -> np.ndarray:
        probability = np.asarray(scoring.run(["score"], feeds(table, serving))[0], dtype=float)
        return np.log(probability / (1 - probability))

    parts = contributions(rows)
    sure = np.abs(log_odds(rows)) < 5  # beyond, a float32 probability has too few digits for its log-odds
    np.testing.assert_allclose((parts.sum(axis=1) + serving.intercept)[sure], log_odds(rows)[sure], atol=1e-4)
    np.testing.assert_allclose(parts.mean(axis=0), 0, atol=1e-5)
    for number, column in enumerate(serving.inputs):
        other = rows.copy()
        other[column.name] = rows[column.name].to_numpy()[::-1]
        changed = contributions(other)
        np.testing.assert_array_equal(np.delete(changed, number, axis=1), np.delete(parts, number, axis=1))
        both = sure & (np.abs(log_odds(other)) < 5)
        shift = (changed - parts)[:, number]
        np.testing.assert_allclose(shift[both], (log_odds(other) - log_odds(rows))[both], atol=2e-4)
