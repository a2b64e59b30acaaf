"""What the job found out, held against other libraries' numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score

from trivet.core.canonical import digest_json
from trivet.data.snapshot import read_rows
from trivet.training.evaluation import score_column
from trivet.training.submit import Trained


@pytest.fixture(scope="module")
def scores(trained: Trained) -> pd.DataFrame:
    return pd.read_parquet(trained.scores)


def test_every_row_has_a_score_its_target_and_its_groups(scores: pd.DataFrame, loan: Any) -> None:
    rows = read_rows(loan.platform.store, loan.snapshot)
    assert scores["row"].tolist() == list(range(len(rows)))
    assert scores["target"].tolist() == rows["approve"].tolist()
    for group in ("black", "hispan", "white", "male", "married"):
        pd.testing.assert_series_equal(scores[group].astype(float), rows[group].astype(float))
    columns = [score_column(name) for name in ("default", "strict", "mitigated")]
    assert scores[columns].notna().all(axis=None)
    assert scores[columns].ge(0).all(axis=None)
    assert scores[columns].le(1).all(axis=None)
    assert scores["digest"].is_unique
    first = {name: None if value != value else value for name, value in rows.iloc[0].to_dict().items()}
    whole = {column.name for column in loan.contract.columns if column.type == "integer"}
    typed = {name: int(value) if name in whole and value is not None else value for name, value in first.items()}
    assert scores["digest"][0] == digest_json(typed)


def test_equal_parameters_share_scores_and_others_do_not(scores: pd.DataFrame) -> None:
    assert scores[score_column("default")].equals(scores[score_column("strict")])
    assert not scores[score_column("default")].equals(scores[score_column("mitigated")])


@pytest.mark.parametrize(("name", "threshold"), [("default", 0.5), ("strict", 0.85), ("mitigated", 0.65)])
def test_metrics_are_those_of_scikit_learn_and_scipy(
    trained: Trained, scores: pd.DataFrame, name: str, threshold: float
) -> None:
    target, score = scores["target"], scores[score_column(name)]
    decided = (score >= threshold).astype(int)
    found = trained.evaluation.metrics(name)
    assert found["auc"][0] == pytest.approx(roc_auc_score(target, score))
    assert found["accuracy"][0] == pytest.approx(accuracy_score(target, decided))
    assert found["bad_risks_caught"][0] == pytest.approx(recall_score(target, decided, pos_label=0))
    bad = int((target == 0).sum())
    wilson = binomtest(int(((target == 0) & (decided == 0)).sum()), bad).proportion_ci(method="wilson")
    assert found["bad_risks_caught"][1:] == pytest.approx((wilson.low, wilson.high))
    for value, low, high in found.values():
        assert low <= value <= high
    assert found["auc_over_baseline"][1] > 0.2


def test_the_interval_of_the_area_is_as_wide_as_delong_says(trained: Trained, scores: pd.DataFrame) -> None:
    _, low, high = trained.evaluation.metrics("default")["auc"]
    assert low is not None
    assert high is not None
    score, positive = scores[score_column("default")].to_numpy(), scores["target"].to_numpy() == 1
    wins = np.sign(score[positive][:, None] - score[~positive][None, :]) / 2 + 0.5
    of_positives, of_negatives = wins.mean(axis=1), wins.mean(axis=0)
    error = (of_positives.var(ddof=1) / len(of_positives) + of_negatives.var(ddof=1) / len(of_negatives)) ** 0.5
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_the_baseline_knows_nothing(trained: Trained) -> None:
    baseline = {metric.name: metric for metric in trained.evaluation.baseline}
    assert baseline["auc"].low <= 0.5 <= baseline["auc"].high
    assert baseline["bad_risks_caught"].value == 0
    assert trained.evaluation.served is None
