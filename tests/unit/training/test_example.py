"""The mortgage example over five seeds: what each candidate's approvals look like, and what they cost.

Out-of-fold scores over all rows, Katz intervals from SciPy; the gate itself is tested elsewhere.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest
from scipy.stats.contingency import relative_risk

from trivet.training.plan import Plan
from trivet.training.runtime.evaluate import out_of_fold_scores
from trivet.training.runtime.rows import Rows, read_rows
from trivet.training.runtime.usercode import load_train

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")  # fairlearn 0.15 on pandas 3.1

FOUR_FIFTHS = 0.8
FLOOR = 0.25  # of the bad risks, as the example's policy asks
SEEDS = range(5)


@pytest.fixture(scope="module")
def rows(loan: Any, loan_plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    folder = tmp_path_factory.mktemp("snapshot")
    (folder / "data.parquet").write_bytes(loan.platform.store.get(f"{loan.snapshot.key}/data.parquet"))
    return read_rows(folder, loan_plan)


@pytest.fixture(scope="module", params=SEEDS)
def approved(request: pytest.FixtureRequest, rows: Rows, loan_plan: Plan) -> dict[str, np.ndarray]:
    """By candidate, who is approved."""
    example = Path(__file__).parents[3] / "examples" / "loan_approval"
    train = load_train(example)
    sys.path.remove(str(example))
    plan = loan_plan.model_copy(update={"seed": request.param})
    scores = out_of_fold_scores(train, rows, plan)
    return {candidate.name: scores[candidate.name] >= candidate.threshold for candidate in plan.candidates}


def selection_ratio(rows: Rows, approved: np.ndarray, group: str) -> tuple[float, float]:
    """The 95 % interval of the group's approval rate over that of white applicants."""
    ours, white = approved[rows.frame[group] == 1], approved[rows.frame["white"] == 1]
    found = relative_risk(int(ours.sum()), len(ours), int(white.sum()), len(white)).confidence_interval(0.95)
    return float(found.low), float(found.high)


def caught(rows: Rows, approved: np.ndarray) -> float:
    """Lower end of the 95 % interval of the share of bad risks that are denied."""
    bad = ~approved[rows.target == 0]
    return float(binomtest(int(bad.sum()), len(bad)).proportion_ci(method="wilson").low)


def test_the_default_is_inconclusive(rows: Rows, approved: dict[str, np.ndarray]) -> None:
    low, high = selection_ratio(rows, approved["default"], "black")
    assert low < FOUR_FIFTHS < high
    assert selection_ratio(rows, approved["default"], "hispan")[0] > FOUR_FIFTHS
    assert caught(rows, approved["default"]) > FLOOR


def test_the_strict_one_fails(rows: Rows, approved: dict[str, np.ndarray]) -> None:
    assert selection_ratio(rows, approved["strict"], "black")[1] < FOUR_FIFTHS


def test_the_mitigated_one_passes_and_still_catches_bad_risks(rows: Rows, approved: dict[str, np.ndarray]) -> None:
    for group in ("black", "hispan"):
        assert selection_ratio(rows, approved["mitigated"], group)[0] > FOUR_FIFTHS
    assert caught(rows, approved["mitigated"]) > FLOOR
    cost = (approved["default"] == rows.target).mean() - (approved["mitigated"] == rows.target).mean()
    assert cost < 0.02


def test_race_is_no_input(loan: Any) -> None:
    assert not set(loan.project.features) & {"black", "hispan", "white", "min30"}
