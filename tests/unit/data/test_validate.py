"""Every row is accepted or in quarantine with its reasons, and nothing is lost."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.core.datacontract import Check, Column, DataContract, Tag, Tolerance
from trivet.core.errors import DataContractBroken
from trivet.data.validate import Validation, validate

ANYTHING_GOES = Tolerance(max_share=1, min_rows=1)
CONTRACT = DataContract(
    name="small",
    columns=(
        Column(name="amount", type="number", minimum=0, maximum=100, placeholders=(99,)),
        Column(name="count", type="integer", nullable=True, allowed=(1, 2, 3)),
        Column(name="kind", type="category", allowed=("a", "b"), placeholders=("?",)),
        Column(name="yes", type="integer", minimum=0, maximum=1, tags=(Tag.TARGET,)),
        Column(name="no", type="integer", minimum=0, maximum=1),
    ),
    checks=(Check(check="complement", columns=("yes", "no")),),
    tolerance=ANYTHING_GOES,
)
GOOD: dict[str, Any] = {"amount": 5.0, "count": 2.0, "kind": "a", "yes": 1.0, "no": 0.0}


def table(*changes: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame([GOOD, *({**GOOD, **change} for change in changes)])


def reasons(validation: Validation) -> list[str]:
    return [str(reason) for found in validation.reasons.values() for reason in found]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"amount": -1.0}, "amount -1 is below 0"),
        ({"amount": 100.5}, "amount 100.5 is above 100"),
        ({"amount": 99.0}, "amount 99 is a placeholder for 'unknown', not a measurement"),
        ({"amount": None}, "amount is missing"),
        ({"amount": math.inf}, "amount inf is not finite"),
        ({"count": 4.0}, "count 4 is not one of 1, 2, 3"),
        ({"count": 1.5}, "count 1.5 is no whole number"),
        ({"kind": "c"}, "kind c is not one of a, b"),
        ({"kind": "?"}, "kind ? is a placeholder for 'unknown', not a measurement"),
        ({"kind": None}, "kind is missing"),
        ({"no": 1.0}, "yes, no must be each other's complement"),
    ],
)
def test_a_reason_says_what_is_wrong_with_which_value(change: dict[str, Any], reason: str) -> None:
    found = validate(table(change), CONTRACT)
    assert reasons(found) == [reason]
    assert found.quarantined.index.tolist() == [1]


def test_a_number_that_is_none_is_named_as_it_was_written() -> None:
    frame = table({}, {})
    frame["amount"] = ["5", "five", "6"]
    frame["count"] = pd.Series(["1", None, "?"], dtype="str")
    found = validate(frame, CONTRACT)
    assert reasons(found) == ["amount five is not a number", "count ? is not a number"]
    assert found.quarantined["amount"].tolist() == ["five", "6"]
    assert found.accepted["amount"].tolist() == [5.0]


def test_missing_passes_only_where_the_contract_says_so() -> None:
    found = validate(table({"count": None}, {"yes": None}), CONTRACT)
    assert found.accepted.index.tolist() == [0, 1]
    assert reasons(found) == ["yes is missing"]


def test_a_row_has_all_its_reasons() -> None:
    found = validate(table({"amount": -1.0, "kind": "c", "no": 1.0}), CONTRACT)
    assert len(found.reasons[1]) == 3


def test_the_report_counts_rules_most_frequent_first() -> None:
    report = validate(table({"kind": "c"}, {"kind": "d"}, {"amount": -1.0, "kind": "c"}), CONTRACT).report
    assert (report.rows, report.accepted, report.quarantined) == (4, 1, 3)
    assert [(count.columns, count.rows) for count in report.reasons] == [(("kind",), 3), (("amount",), 1)]


def test_too_many_broken_rows_break_the_contract_with_the_reasons() -> None:
    strict = CONTRACT.model_copy(update={"tolerance": Tolerance(max_share=0.5, min_rows=1)})
    validate(table({"kind": "c"}), strict)
    with pytest.raises(DataContractBroken, match=r"2 of 3 rows \(66.7%\).*tolerates 50.0%: kind c is not one of a, b"):
        validate(table({"kind": "c"}, {"kind": "d"}), strict)


def test_too_few_good_rows_break_the_contract() -> None:
    strict = CONTRACT.model_copy(update={"tolerance": Tolerance(max_share=1, min_rows=2)})
    validate(table({}), strict)
    with pytest.raises(DataContractBroken, match=r"1 rows keep .* at least 2: kind c is not one of a, b"):
        validate(table({"kind": "c"}), strict)


def test_a_column_of_another_kind_leaves_no_row() -> None:
    with pytest.raises(DataContractBroken, match=r"0 rows keep .*: amount 2020-01-01 00:00:00 is not a number"):
        validate(table().assign(amount=pd.to_datetime(["2020-01-01"])), CONTRACT)


def test_an_endless_value_is_cut_short() -> None:
    frame = table({}).assign(amount=pd.Series([10**400, 5], dtype=object))
    assert reasons(validate(frame, CONTRACT)) == [f"amount 1{'0' * 59}... is not a number"]


def keeps(row: dict[str, Any]) -> bool:
    """The contract again, by hand and for one row."""

    def number(value: Any) -> float | None:
        return None if value is None or value != value else float(value)

    amount, count, yes, no = (number(row[name]) for name in ("amount", "count", "yes", "no"))
    return (
        amount is not None
        and 0 <= amount <= 100
        and amount != 99
        and (count is None or count in (1, 2, 3))
        and row["kind"] in ("a", "b")
        and yes in (0, 1)
        and no in (0, 1)
        and yes == 1 - no
    )


numbers = st.one_of(
    st.none(), st.sampled_from([-1.0, 0.0, 1.0, 2.0, 3.0, 99.0, 100.0, 1.5]), st.floats(), st.integers(-5, 200)
)
rows = st.fixed_dictionaries(
    {
        "amount": numbers,
        "count": numbers,
        "kind": st.one_of(st.none(), st.sampled_from(["a", "b", "?", "c"]), st.text(max_size=3)),
        "yes": numbers,
        "no": numbers,
    }
)


@settings(max_examples=30, deadline=None)
@given(st.lists(rows, max_size=8))
def test_any_frame_is_split_row_by_row_as_the_contract_says(found: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame([GOOD, *found], columns=list(GOOD), dtype=object)
    split = validate(frame, CONTRACT)
    assert sorted([*split.accepted.index, *split.quarantined.index]) == list(frame.index)
    assert set(split.reasons) == set(split.quarantined.index)
    assert all(split.reasons.values())
    for row, values in enumerate([GOOD, *found]):
        assert (row in split.accepted.index) == keeps(values), split.reasons.get(row)
    assert split.report.accepted == len(split.accepted)
    assert validate(split.accepted, CONTRACT).report.quarantined == 0
