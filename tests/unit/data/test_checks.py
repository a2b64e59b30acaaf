"""Rules over several columns."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from trivet.core.datacontract import Check
from trivet.core.errors import ConfigError
from trivet.data.checks import CHECKS, rule_of

nan = float("nan")


@pytest.mark.parametrize(
    ("name", "params", "rows", "holds"),
    [
        ("complement", {}, [(1, 0), (0, 1), (1, 1), (0, 0), (nan, 1)], [True, True, False, False, True]),
        (
            "exactly_one",
            {},
            [(1, 0, 0), (1, 1, 0), (0, 0, 0), (2, -1, 0), (nan, 1, 1)],
            [True, False, False, False, True],
        ),
        ("less_or_equal", {}, [(1, 2, 2), (1, 3, 2), (3, nan, 1)], [True, False, True]),
        ("implies", {"when": 3, "then": 1}, [(3, 1), (3, 0), (2, 0), (nan, 0)], [True, False, True, True]),
        ("implies", {"when": "a", "then": "b"}, [("a", "b"), ("a", "c"), ("c", "a")], [True, False, True]),
        ("ratio", {"tolerance": 0.01}, [(0.5, 1, 2), (0.6, 1, 2), (0.5, 1, 0)], [True, False, False]),
        ("unique", {}, [(1, 2), (1, 3), (1, 2), (nan, 2)], [False, True, False, True]),
    ],
)
def test_each_rule_tells_rows_that_keep_it(
    name: str, params: dict[str, Any], rows: list[tuple[Any, ...]], holds: list[bool]
) -> None:
    columns = tuple("abc"[: len(rows[0])])
    rule, _ = rule_of(Check(check=name, columns=columns, params=params))
    assert rule(pd.DataFrame(rows, columns=list(columns), index=range(10, 10 + len(rows)))).tolist() == holds


def test_every_rule_is_tried_above() -> None:
    assert set(CHECKS) == {"complement", "exactly_one", "implies", "less_or_equal", "ratio", "unique"}


@pytest.mark.parametrize(
    ("check", "complaint"),
    [
        (Check(check="sums_up", columns=("a", "b")), "Known are: complement, "),
        (Check(check="complement", columns=("a",)), "takes 2 columns, not 1"),
        (Check(check="implies", columns=("a", "b"), params={"when": 1}), "missing or unknown parameters: then"),
        (Check(check="unique", columns=("a",), params={"loosely": True}), "missing or unknown parameters: loosely"),
    ],
)
def test_a_contract_that_asks_for_another_rule_is_refused(check: Check, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        rule_of(check)
