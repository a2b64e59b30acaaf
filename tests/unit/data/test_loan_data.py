"""The mortgage applications, as the example's contract finds them."""

from __future__ import annotations

from io import BytesIO

import pandas as pd
import pytest

from trivet.core.datacontract import DataContract, Tag
from trivet.core.errors import DataContractBroken
from trivet.core.project import Project
from trivet.data.collect import Collected
from trivet.data.validate import Validation, validate


def test_the_contract_describes_every_column_of_the_file(loan_contract: DataContract, loan_file: Collected) -> None:
    header = pd.read_csv(BytesIO(loan_file.data), compression="bz2", nrows=0).columns.tolist()
    assert [column.name for column in loan_contract.columns] == header
    assert len(header) == 59
    assert all(column.description for column in loan_contract.columns)


def test_no_target_in_disguise_and_no_group_is_a_feature(loan_contract: DataContract, loan_project: Project) -> None:
    assert loan_contract.target == "approve"
    assert set(loan_contract.tagged(Tag.LEAK)) == {"action", "reject", "typur", "inson", "review", "gdlin"}
    assert set(loan_contract.tagged(Tag.PROTECTED)) == {
        *("black", "hispan", "white", "male", "married", "dep", "old"),
    }
    assert loan_project.features
    assert set(loan_project.features) <= set(loan_contract.features)
    assert not set(loan_project.features) & {"min30", "suffolk", "bd", "mi", "vr", "sch", "msa"}


def test_the_real_flaws_show_as_what_they_are(loan_validation: Validation) -> None:
    report = loan_validation.report
    assert (report.rows, report.accepted, report.quarantined) == (1989, 1969, 20)
    counts = {str(count) for count in report.reasons}
    assert "liq 1000000 is a placeholder for 'unknown', not a measurement (9 rows)" in counts
    assert "term 999999.375 is a placeholder for 'unknown', not a measurement (4 rows)" in counts
    assert "gdlin 666 is a placeholder for 'unknown', not a measurement (2 rows)" in counts
    assert "lines 999999.375 is a placeholder for 'unknown', not a measurement (1 row)" in counts
    assert "unit is missing (4 rows)" in counts


def test_missing_values_pass_only_where_the_contract_says_so(
    loan_validation: Validation, loan_contract: DataContract
) -> None:
    missing = loan_validation.accepted.isna().sum()
    with_gaps = {str(name): int(count) for name, count in missing.items() if count}
    assert set(with_gaps) == {"married", "dep", "rep", "min30", "male", "thick"}
    assert with_gaps["min30"] == 180
    assert all(loan_contract[name].nullable for name in with_gaps)


@pytest.mark.parametrize("column", ["reject", "white", "loanprc", "mortno"])
def test_a_contradiction_between_columns_goes_to_quarantine(
    loan_frame: pd.DataFrame, loan_contract: DataContract, column: str
) -> None:
    flipped = loan_frame.copy()
    flipped.loc[7, column] = 1 - flipped.loc[7, column]
    found = validate(flipped, loan_contract)
    assert found.report.quarantined == 21
    assert any(column in reason.columns for reason in found.reasons[7])


def test_a_file_with_more_flaws_than_tolerated_breaks_the_contract(
    loan_frame: pd.DataFrame, loan_contract: DataContract
) -> None:
    broken = loan_frame.copy()
    broken.loc[:150, "term"] = 999999.375
    with pytest.raises(DataContractBroken, match=r"term 999999\.375 is a placeholder"):
        validate(broken, loan_contract)
