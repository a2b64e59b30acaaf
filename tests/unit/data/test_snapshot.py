"""Snapshots are what they are named after, once and for all."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.core.datacontract import Column, DataContract, Tag, Tolerance
from trivet.core.errors import IntegrityError, NotFound
from trivet.data.collect import Collected
from trivet.data.datasheet import DataSheet
from trivet.data.snapshot import read_quarantine, read_rows, read_snapshot, take_snapshot
from trivet.data.validate import validate
from trivet.platforms.store import ObjectStore

CONTRACT = DataContract(
    name="small",
    columns=(
        Column(name="amount", type="number", nullable=True),
        Column(name="count", type="integer", nullable=True),
        Column(name="kind", type="category", nullable=True),
        Column(name="yes", type="integer", minimum=0, maximum=1, tags=(Tag.TARGET,)),
    ),
    tolerance=Tolerance(max_share=1, min_rows=1),
)
FILE = Collected(b"the file", f"sha256:{'a' * 64}", "rows.csv")


def frame(*rows: tuple[object, ...]) -> pd.DataFrame:
    table = pd.DataFrame(list(rows), columns=[column.name for column in CONTRACT.columns])
    return table.astype({"amount": "float64", "count": "float64", "kind": "str", "yes": "float64"})


def take(store: ObjectStore, table: pd.DataFrame, source: Collected = FILE):
    return take_snapshot(store, CONTRACT, source, validate(table, CONTRACT))


ROWS = frame((1.5, 1, "a", 1), (None, None, None, 0), (3.0, 2, "b", 7))


def written(path: Path) -> tuple[int, ...]:
    """All that writing to a file changes; reading may change its time of access."""
    told = path.stat()
    return (told.st_ino, told.st_mtime_ns, told.st_ctime_ns, told.st_size, told.st_mode, told.st_nlink)


def test_the_same_rows_are_the_same_snapshot_and_nothing_is_written(store: ObjectStore, tmp_path: Path) -> None:
    first = take(store, ROWS)
    files = {path: written(path) for path in (tmp_path / "store").rglob("*") if path.is_file()}
    assert take(store, ROWS) == first
    assert {path: written(path) for path in files} == files
    assert {path.name for path in files} == {
        "data.parquet",
        "quarantine.parquet",
        "contract.json",
        "datasheet.json",
        "snapshot.json",
    }


def test_another_value_source_or_order_is_another_snapshot(store: ObjectStore) -> None:
    digests = {
        take(store, ROWS).digest,
        take(store, ROWS.assign(amount=[1.6, None, 3.0])).digest,
        take(store, ROWS.iloc[[1, 0, 2]].reset_index(drop=True)).digest,
        take(store, ROWS, Collected(b"", f"sha256:{'b' * 64}", "rows.csv")).digest,
    }
    assert len(digests) == 4


def test_rows_come_back_with_their_types(store: ObjectStore) -> None:
    rows = read_rows(store, take(store, ROWS))
    assert rows["amount"].tolist()[0] == 1.5
    assert rows.isna().any().to_dict() == {"amount": True, "count": True, "kind": True, "yes": False}
    assert rows["yes"].tolist() == [1, 0]
    assert rows["yes"].dtype == "int64"


def test_quarantine_tells_row_values_and_reasons(store: ObjectStore) -> None:
    found = read_quarantine(store, take(store, ROWS))
    assert found.to_dict("records") == [
        {
            "row": 2,
            "reasons": "yes 7 is above 1",
            "value.amount": "3.0",
            "value.count": "2.0",
            "value.kind": "b",
            "value.yes": "7.0",
        }
    ]


def test_changed_data_is_refused(store: ObjectStore) -> None:
    snapshot = take(store, ROWS)
    store.put(f"{snapshot.key}/data.parquet", b"other")
    with pytest.raises(IntegrityError, match="was changed"):
        read_rows(store, snapshot)


def test_a_snapshot_that_was_interrupted_is_completed(store: ObjectStore) -> None:
    snapshot = take(store, ROWS)
    store.delete(f"{snapshot.key}/snapshot.json")
    store.put(f"{snapshot.key}/data.parquet", b"half")
    with pytest.raises(NotFound):
        read_snapshot(store, snapshot.digest)
    assert take(store, ROWS) == snapshot
    assert len(read_rows(store, read_snapshot(store, snapshot.digest))) == 2


def test_the_data_sheet_says_what_the_rows_are(store: ObjectStore) -> None:
    snapshot = take(store, ROWS)
    sheet = DataSheet.model_validate_json(store.get(f"{snapshot.key}/datasheet.json"))
    assert (sheet.rows, sheet.quarantined, sheet.target) == (2, 1, "yes")
    amount = sheet.columns[0]
    assert (amount.missing, amount.distinct, amount.minimum, amount.maximum, amount.mean) == (1, 1, 1.5, 1.5, 1.5)
    assert sheet.columns[2].minimum is None


def test_huge_numbers_are_no_trouble(store: ObjectStore) -> None:
    snapshot = take(store, frame((1.7e308, 1, "a", 1), (1.7e308, 1, "a", 1)))
    sheet = DataSheet.model_validate_json(store.get(f"{snapshot.key}/datasheet.json"))
    assert sheet.columns[0].mean == pytest.approx(1.7e308)


def test_the_parquet_file_holds_nothing_of_pandas(store: ObjectStore) -> None:
    snapshot = take(store, ROWS)
    schema = pq.read_schema(BytesIO(store.get(f"{snapshot.key}/data.parquet")))
    assert schema.metadata is None
    assert [str(kind) for kind in schema.types] == ["double", "int64", "string", "int64"]


values = st.tuples(
    st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    st.one_of(st.none(), st.integers(-(2**53), 2**53)),
    st.one_of(st.none(), st.text(st.characters(codec="utf-8"), min_size=1, max_size=5)),
    st.integers(0, 1),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(values, min_size=1, max_size=6))
def test_any_accepted_rows_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[object, ...]]) -> None:
    store = ObjectStore(f"file://{tmp_path_factory.mktemp('store')}")
    snapshot = take(store, frame(*rows))
    back = read_rows(store, snapshot)
    for row, given_row in zip(back.itertuples(index=False), rows, strict=True):
        for found, value in zip(row, given_row, strict=True):
            assert (found is None or found != found) if value is None else found == value
    assert snapshot.rows == len(rows)
    assert take(store, back).digest == snapshot.digest
