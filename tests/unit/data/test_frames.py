"""Files to frames: the contract decides what a cell is."""

from __future__ import annotations

import gzip
from io import BytesIO

import pandas as pd
import pytest

from trivet.core.datacontract import Column, DataContract
from trivet.core.errors import ConfigError, DataContractBroken
from trivet.data.collect import Collected
from trivet.data.frames import read_frame

CONTRACT = DataContract(
    name="cells",
    columns=(
        Column(name="code", type="category"),
        Column(name="country", type="category", allowed=("NA", "DE")),
        Column(name="amount", type="number"),
        Column(name="yes", type="integer", tags=("target",)),
    ),
)


def read(text: str | bytes, name: str = "cells.csv") -> pd.DataFrame:
    return read_frame(Collected(text.encode() if isinstance(text, str) else text, "sha256:0", name), CONTRACT)


def test_codes_stay_text_and_missing_is_what_the_column_says() -> None:
    frame = read("code,country,amount,yes\n01,NA,1.5,1\nNA,DE,NA,0\n,,,\n")
    assert frame["code"].tolist()[0] == "01"
    assert frame["code"].isna().tolist() == [False, True, True]
    assert frame["country"].tolist()[:2] == ["NA", "DE"]
    assert frame["amount"].isna().tolist() == [False, True, True]


def test_columns_come_in_the_order_of_the_contract_and_numbers_are_exact() -> None:
    frame = read("yes,amount,country,code\n1,0.1,DE,x\n")
    assert frame.columns.tolist() == ["code", "country", "amount", "yes"]
    assert frame["amount"].tolist() == [0.1]


def test_compressed_and_parquet_files_give_the_same() -> None:
    text = "code,country,amount,yes\n1,DE,1.5,1\n"
    parquet = BytesIO()
    read(text).to_parquet(parquet)
    pd.testing.assert_frame_equal(read(gzip.compress(text.encode()), "cells.csv.gz"), read(text))
    pd.testing.assert_frame_equal(read(parquet.getvalue(), "cells.parquet"), read(text))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("code,amount,yes\n1,2,3\n", "lacks the column country"),
        ("code,country,amount,yes,more,most\n1,DE,2,3,4,5\n", "has beside it the columns more, most"),
        ("code,country,amount,amount\n1,DE,2,3\n", "lacks the column yes and has beside it the column amount.1"),
    ],
)
def test_other_columns_break_the_contract(text: str, complaint: str) -> None:
    with pytest.raises(DataContractBroken, match=complaint):
        read(text)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"code,country,amount,yes\n1,DE,2,3,4\n", "cells.csv"),
        (b"code,country,amount,yes\n1,DE,2,3\n1,DE,2,3,4\n", "cells.csv"),
        (b"", "cells.csv"),
        (b"\xff\xfe\x00", "cells.csv"),
        (b"no gzip", "cells.csv.gz"),
        (b"no bzip2", "cells.csv.bz2"),
        (b"PAR1 no", "cells.parquet"),
    ],
)
def test_what_cannot_be_parsed_is_said_in_one_sentence(data: bytes, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} cannot be parsed: .*[.] Correct the file"):
        read(data, name)


def test_another_form_is_refused_with_the_forms_that_are_known() -> None:
    with pytest.raises(ConfigError, match=r"cells.xlsx has no form.*\.csv, \.csv\.gz, \.csv\.bz2, \.parquet"):
        read(b"", "cells.xlsx")
