"""The gate on real decisions, and closed wherever something is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from math import inf, nan

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.core.errors import ConfigError
from trivet.core.findings import GateReport, Measure, Verdict
from trivet.core.policy import Bound, Policy
from trivet.governance.gate import judge

Scored = Callable[[int], pd.DataFrame]
Metrics = dict[str, tuple[float, float, float]]


def measure(report: GateReport, name: str, group: str = "") -> Measure:
    return next(one for one in report.measures if (one.name, one.group) == (name, group))


def demanding(policy: Policy, **bounds: Bound) -> Policy:
    """The policy with these demands on metrics and none on groups."""
    return policy.model_copy(update={"metrics": bounds, "fairness": None})


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("threshold", "verdict"), [(0.5, Verdict.INCONCLUSIVE), (0.85, Verdict.FAIL)])
def test_the_mortgage_model_at_its_two_thresholds(
    scored: Scored, metrics: Metrics, policy: Policy, features: list[str], seed: int, threshold: float, verdict: Verdict
) -> None:
    report = judge("default", threshold, scored(seed), metrics, policy, features=features)
    assert report.verdict is verdict
    black = measure(report, "selection_ratio", "black")
    assert black.verdict is verdict
    assert any("black against white" in reason for reason in report.reasons)
    assert measure(report, "bad_risks_caught").verdict is Verdict.PASS


def test_to_approve_everybody_does_not_pass(
    scored: Scored, metrics: Metrics, policy: Policy, features: list[str]
) -> None:
    report = judge("all", 0.0, scored(0), metrics, policy, features=features)
    assert report.verdict is Verdict.FAIL
    assert measure(report, "bad_risks_caught").verdict is Verdict.FAIL
    assert measure(report, "selection_ratio", "black").verdict is Verdict.PASS
    assert measure(report, "accuracy").value == pytest.approx(scored(0)["target"].mean())


def test_to_deny_everybody_does_not_pass(scored: Scored, metrics: Metrics, policy: Policy, features: list[str]) -> None:
    report = judge("none", 1.0, scored(0), metrics, policy, features=features)
    assert report.verdict is Verdict.INSUFFICIENT
    assert measure(report, "selection_ratio", "black").value is None


@pytest.mark.parametrize("score", [nan, -0.1, 1.5, inf])
def test_one_row_without_a_score_fails(
    scored: Scored, metrics: Metrics, policy: Policy, features: list[str], score: float
) -> None:
    table = scored(0).copy()
    table.loc[17, "score"] = score
    report = judge("default", 0.5, table, metrics, policy, features=features)
    assert report.verdict is Verdict.FAIL
    assert [one.name for one in report.measures] == ["rows_scored"]
    assert "share of rows with a score" in report.reasons[0]


def test_no_rows_are_insufficient(scored: Scored, metrics: Metrics, policy: Policy, features: list[str]) -> None:
    report = judge("default", 0.5, scored(0).iloc[:0], metrics, policy, features=features)
    assert report.verdict is Verdict.INSUFFICIENT


def test_a_metric_that_nobody_measured_is_no_pass(
    scored: Scored, metrics: Metrics, policy: Policy, features: list[str]
) -> None:
    wanted = demanding(policy, happiness=Bound(minimum=0, source="a wish"))
    report = judge("default", 0.5, scored(0), metrics, wanted, features=features)
    assert report.verdict is Verdict.INSUFFICIENT
    assert "happiness is unknown" in report.reasons[0]
    assert "nobody measured it" in report.reasons[0]


@pytest.mark.parametrize("three", [(nan, nan, nan), (0.9, nan, 0.95), (0.9, 0.95, 0.99), (None, None, None)])
def test_a_metric_that_is_no_number_is_no_pass(
    scored: Scored, policy: Policy, features: list[str], three: tuple[float, float, float]
) -> None:
    wanted = demanding(policy, auc=Bound(minimum=0, source="anything"))
    assert judge("x", 0.5, scored(0), {"auc": three}, wanted, features=features).verdict is Verdict.INSUFFICIENT


def test_what_the_table_tells_overrides_what_is_claimed(scored: Scored, policy: Policy, features: list[str]) -> None:
    wanted = demanding(policy, accuracy=Bound(minimum=0.95, source="a dream"))
    report = judge("x", 0.5, scored(0), {"accuracy": (1.0, 1.0, 1.0)}, wanted, features=features)
    assert report.verdict is Verdict.FAIL
    assert report.accuracy == measure(report, "accuracy").value


def test_the_served_release_counts_from_the_second_release_on(
    scored: Scored, metrics: Metrics, policy: Policy, features: list[str]
) -> None:
    wanted = demanding(policy, auc_difference_to_served=Bound(minimum=-0.05, source="no worse"))
    first = judge("x", 0.5, scored(0), metrics, wanted, features=features)
    assert first.verdict is Verdict.PASS
    assert measure(first, "auc_difference_to_served").verdict is None
    worse = metrics | {"auc_difference_to_served": (-0.2, -0.25, -0.15)}
    assert judge("x", 0.5, scored(0), worse, wanted, features=features).verdict is Verdict.FAIL


def test_a_score_at_the_threshold_is_a_yes(policy: Policy) -> None:
    table = pd.DataFrame({"score": [0.5, 0.4], "target": [1, 0]})
    wanted = demanding(policy, accuracy=Bound(minimum=0, source="any"))
    assert judge("x", 0.5, table, {}, wanted, features=[]).accuracy == 1


def test_a_maximum_is_held_from_the_other_side(scored: Scored, policy: Policy, features: list[str]) -> None:
    wanted = demanding(policy, cost=Bound(maximum=10, source="budget"))
    verdicts = [
        judge("x", 0.5, scored(0), {"cost": three}, wanted, features=features).verdict
        for three in ((8, 7, 9), (10, 9, 11), (12, 11, 13))
    ]
    assert verdicts == [Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL]


def test_a_missing_column_and_a_strange_target_are_named(
    scored: Scored, metrics: Metrics, policy: Policy, features: list[str]
) -> None:
    with pytest.raises(ConfigError, match="lacks obrat"):
        judge("x", 0.5, scored(0).drop(columns="obrat"), metrics, policy, features=features)
    with pytest.raises(ConfigError, match="something else than 0 and 1"):
        judge("x", 0.5, scored(0).assign(target=2), metrics, policy, features=features)


row = st.tuples(
    st.floats(0, 1) | st.just(nan), st.sampled_from([0, 1]), st.sampled_from([0.0, 1.0, nan]), st.floats(-3, 3)
)


@settings(deadline=None, max_examples=60)
@given(st.lists(row, max_size=80), st.floats(0, 1))
def test_any_table_gives_a_report_that_is_closed_by_default(
    policy: Policy, drawn: list[tuple[float, int, float, float]], threshold: float
) -> None:
    table = pd.DataFrame(drawn, columns=["score", "target", "black", "x"]).assign(white=lambda rows: 1 - rows["black"])
    assert policy.fairness
    groups = policy.fairness.model_copy(update={"groups": policy.fairness.groups[:1], "minimum_rows": 10})
    report = judge("x", threshold, table, {}, policy.model_copy(update={"fairness": groups, "metrics": {
        "bad_risks_caught": Bound(minimum=0.2, source="floor")}}), features=["x"])  # fmt: skip
    assert GateReport.model_validate_json(report.canonical()) == report
    judged = [one for one in report.measures if one.verdict]
    assert len(report.reasons) == sum(one.verdict is not Verdict.PASS for one in judged)
    if report.verdict is Verdict.PASS:
        assert not np.isnan(table["score"]).any()
        assert all(one.low is not None and one.bound is not None and one.low >= one.bound for one in judged)


def test_the_gate_needs_neither_scikit_learn_nor_mlflow() -> None:
    code = (
        "import sys, json, pandas as pd\n"
        "from trivet.core.policy import Bound, Policy\n"
        "from trivet.governance.gate import judge\n"
        "floor = {'accuracy': Bound(minimum=0, source='test')}\n"
        "policy = Policy(owner='me', source='test', metrics=floor, approval={})\n"
        "table = pd.DataFrame({'score': [0.1, 0.9], 'target': [0, 1], 'x': [1, 2]})\n"
        "judge('x', 0.5, table, {}, policy, features=['x'])\n"
        "print(json.dumps([name for name in ('sklearn', 'mlflow', 'jinja2') if name in sys.modules]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
