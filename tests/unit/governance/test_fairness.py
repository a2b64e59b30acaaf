"""Group measures against fairlearn, an implementation by others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, false_negative_rate, selection_rate, true_positive_rate
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from trivet.core.errors import ConfigError
from trivet.core.findings import Measure, Verdict
from trivet.core.policy import Bound, Fairness, Group, Policy
from trivet.governance.fairness import measures, reference_name, separation, stand_ins
from trivet.governance.outcome import Outcome

FOUR_FIFTHS = Bound(minimum=0.8, source="four-fifths")


def fairness(*groups: Group, minimum_rows: int = 1) -> Fairness:
    return Fairness(
        groups=groups, minimum_rows=minimum_rows, selection_ratio=FOUR_FIFTHS, false_denial_ratio=FOUR_FIFTHS
    )


def one_group(table: pd.DataFrame, minimum_rows: int = 1) -> dict[str, Measure]:
    """The measures of a table with the columns group (1 or 0), target and selected."""
    group = Group(name="ours", column="group", value=1, reference_column="group", reference_value=0)
    outcome = Outcome(table["selected"].to_numpy(dtype=bool), table["target"].to_numpy() == 1)
    found = measures(fairness(group, minimum_rows=minimum_rows), table, outcome, 0.95)
    return {measure.name: measure for measure in found}


@pytest.mark.parametrize("threshold", [0.5, 0.85])
def test_ratios_are_fairlearns_on_the_mortgage_applications(
    scored: Callable[[int], pd.DataFrame], policy: Policy, threshold: float
) -> None:
    table = scored(0)
    selected = (table["score"] >= threshold).to_numpy()
    assert policy.fairness
    found = {
        (m.group, m.name): m.value
        for m in measures(policy.fairness, table, Outcome(selected, table["target"].to_numpy() == 1), 0.95)
    }
    rates = {"selection_ratio": selection_rate, "false_denial_ratio": true_positive_rate,
             "raw_false_denial_ratio": false_negative_rate}  # fmt: skip
    for group in policy.fairness.groups:
        in_group = table[group.column] == group.value
        in_reference = table[group.reference_column] == group.reference_value
        both = in_group | in_reference
        frame = MetricFrame(
            metrics=rates,
            y_true=table.loc[both, "target"],
            y_pred=selected[both].astype(int),
            sensitive_features=in_group[both].rename("group"),
        )
        for name in rates:
            assert found[group.name, name] == pytest.approx(frame.by_group[name][True] / frame.by_group[name][False])


rows = st.lists(
    st.tuples(st.sampled_from([0, 1, None]), st.sampled_from([0, 1]), st.sampled_from([0, 1])), min_size=0, max_size=60
)


@settings(deadline=None)
@given(rows)
def test_any_table_gives_three_measures_and_no_crash(drawn: list[tuple[int | None, int, int]]) -> None:
    table = pd.DataFrame(drawn, columns=["group", "target", "selected"])
    found = one_group(table)
    assert set(found) == {"selection_ratio", "false_denial_ratio", "raw_false_denial_ratio"}
    ours, theirs = table[table["group"] == 1], table[table["group"] == 0]
    assert found["selection_ratio"].rows == len(ours)
    assert found["false_denial_ratio"].rows == int((ours["target"] == 1).sum())
    selection = found["selection_ratio"]
    if len(ours) and len(theirs) and theirs["selected"].sum():
        assert selection.value == pytest.approx(ours["selected"].mean() / theirs["selected"].mean())
    else:
        assert selection.value is None
        assert selection.verdict is Verdict.INSUFFICIENT


def table_of(ours: tuple[int, int], theirs: tuple[int, int]) -> pd.DataFrame:
    """Rows that are all positive; of each group so many selected of so many."""
    selected = np.concatenate([np.arange(rows) < events for events, rows in (ours, theirs)])
    group = [1] * ours[1] + [0] * theirs[1]
    return pd.DataFrame({"group": group, "target": 1, "selected": selected})


def test_a_group_that_fares_well_but_is_small_is_insufficient() -> None:
    table = table_of((99, 99), (900, 900))
    assert one_group(table, minimum_rows=99)["selection_ratio"].verdict is Verdict.PASS
    few = one_group(table, minimum_rows=100)["selection_ratio"]
    assert few.verdict is Verdict.INSUFFICIENT
    assert "99 rows are fewer than 100" in few.note


def test_a_small_reference_is_insufficient_too() -> None:
    assert (
        one_group(table_of((900, 900), (50, 50)), minimum_rows=100)["selection_ratio"].verdict is Verdict.INSUFFICIENT
    )


def test_the_raw_ratio_is_reported_and_never_judged() -> None:
    raw = one_group(table_of((100, 200), (890, 900)))["raw_false_denial_ratio"]
    assert raw.value == pytest.approx((100 / 200) / (10 / 900))
    assert (raw.verdict, raw.bound) == (None, None)


@pytest.mark.parametrize("kind", ["float64", "Int64", "boolean", "object"])
def test_a_row_whose_group_is_missing_belongs_to_neither(kind: str) -> None:
    table = table_of((60, 100), (90, 100))
    known = pd.Series([1] * 100 + [0] * 90 + [None] * 10, dtype="Int64").astype(pd.api.types.pandas_dtype(kind))
    found = one_group(table.assign(group=known))["selection_ratio"]
    assert found.rows == 100
    assert "60 of 100 (60.0%) against 90 of 90 (100.0%)" in found.note


def test_an_unknown_column_is_named() -> None:
    group = Group(name="tall", column="height", value=1, reference_column="group", reference_value=0)
    table = table_of((1, 1), (1, 1))
    outcome = Outcome(table["selected"].to_numpy(dtype=bool), table["target"].to_numpy() == 1)
    with pytest.raises(ConfigError, match="tall names height"):
        list(measures(fairness(group), table, outcome, 0.95))


def test_a_reference_is_named_as_people_would() -> None:
    group = Group(name="women", column="male", value=0, reference_column="male", reference_value=1)
    assert reference_name(group) == "male"
    assert reference_name(group.model_copy(update={"reference_value": 0})) == "not male"
    assert reference_name(group.model_copy(update={"reference_value": "b"})) == "male b"


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-5, 5) | st.none(), st.booleans()), min_size=2, max_size=60))
def test_separation_is_the_area_under_the_curve(drawn: list[tuple[float | None, bool]]) -> None:
    values = pd.Series([value for value, _ in drawn], dtype=float)
    group = np.array([member for _, member in drawn])
    known = values.notna().to_numpy()
    if len(set(group[known])) < 2:
        assert separation(values, group, ~group) == 0.5
        return
    auc = roc_auc_score(group[known], values[known])
    assert separation(values, group, ~group) == pytest.approx(max(auc, 1 - auc))


def test_a_category_that_gives_the_group_away_is_a_stand_in() -> None:
    group = np.array([True] * 50 + [False] * 50)
    table = pd.DataFrame(
        {
            "group": group.astype(int),
            "district": ["north"] * 50 + ["south"] * 49 + [None],
            "constant": ["same"] * 100,
            "amount": np.tile([1.0, 2.0], 50),
        }
    )
    demands = fairness(Group(name="ours", column="group", value=1, reference_column="group", reference_value=0))
    found = stand_ins(demands, table, ["constant", "amount", "district"])
    assert [(one.feature, one.group, one.auc) for one in found] == [("district", "ours", 1.0)]


def test_stand_ins_of_the_mortgage_applications(
    scored: Callable[[int], pd.DataFrame], policy: Policy, features: list[str]
) -> None:
    """Loans to black applicants are larger for their price: known of these data since Munnell et al. 1996."""
    assert policy.fairness
    found = stand_ins(policy.fairness, scored(0), features)
    assert ("loanprc", "black") in {(one.feature, one.group) for one in found}
    assert all(one.auc > policy.fairness.stand_in_auc for one in found)
    assert [one.auc for one in found] == sorted((one.auc for one in found), reverse=True)
