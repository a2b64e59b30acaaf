"""Plans, targets and waiting."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from trivet.core.datacontract import Column, DataContract, Tag
from trivet.core.errors import ConfigError
from trivet.core.modelpackage import Decision
from trivet.core.project import Variant
from trivet.training.plan import Plan, make_plan
from trivet.training.runtime.rows import outcomes


def test_a_plan_has_every_candidate_at_its_threshold(loan_plan: Plan) -> None:
    assert {candidate.name: candidate.threshold for candidate in loan_plan.candidates} == {
        "default": 0.5,
        "strict": 0.85,
        "mitigated": 0.65,
    }
    assert loan_plan.packaged.name == "default"
    assert Plan.model_validate_json(loan_plan.canonical()) == loan_plan


def test_a_plan_never_has_a_barred_feature(loan: Any) -> None:
    with pytest.raises(ConfigError, match="bars or lacks these features: black, nothing, reject"):
        loan.plan({"default": Variant()}, features=("atotinc", "reject", "black", "nothing"))
    with pytest.raises(ConfigError, match="no candidate best to pack"):
        loan.plan({"default": Variant()}, package="best")


def contract(**target: Any) -> DataContract:
    return DataContract(
        name="t", columns=(Column(name="a", type="number"), Column(name="y", tags=(Tag.TARGET,), **target))
    )


def test_no_feature_has_the_name_of_an_output(loan: Any) -> None:
    columns = tuple(
        column.model_copy(update={"name": "score"}) if column.name == "occ" else column
        for column in loan.contract.columns
    )
    renamed = loan.contract.model_copy(update={"columns": columns})
    with pytest.raises(ConfigError, match="no feature may be named score"):
        make_plan(
            loan.project.model_copy(update={"features": ("score", "unit")}),
            renamed,
            {"default": Variant()},
            package="default",
            snapshot=loan.snapshot,
            source=loan.source.digest,
        )


@pytest.mark.parametrize(
    ("kind", "values", "positive", "found"),
    [
        ("integer", [0, 1, 1], "approve", [0, 1, 1]),
        ("integer", [0.0, 1.0, 1.0], "1", [0, 1, 1]),
        ("integer", [1, 2, 2], "1", [1, 0, 0]),
        ("number", [0.5, 2.5, 0.5], "2.5", [0, 1, 0]),
        ("category", ["no", "yes", "no"], "yes", [0, 1, 0]),
        ("category", ["b", "a", "b"], "b", [1, 0, 1]),
    ],
)
def test_the_positive_outcome_is_the_one_that_the_decision_names(
    kind: str, values: list[Any], positive: str, found: list[int]
) -> None:
    decision = Decision(threshold=0.5, positive=positive)
    assert outcomes(pd.Series(values), contract(type=kind), decision).tolist() == found


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ([0, 1, 2], "has 3 values"),
        ([1, 1], "has 1 values"),
        ([0, 1, None], "2 values and gaps"),
        ([3, 4], "3.0 and 4.0, none of which is 1.0.*decision.positive"),
    ],
)
def test_any_other_target_is_refused(values: list[Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        outcomes(pd.Series(values, dtype=float), contract(type="integer"), Decision(threshold=0.5, positive="approve"))
