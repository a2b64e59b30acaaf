"""Snapshots: the accepted rows, frozen under the digest of what they are.

The digest covers the data contract, the source's digest and every value of every row in order, as canonical JSON. It
does not depend on how a version of Parquet writes them; the bytes that were written have a digest of their own, which
readers check.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from trivet.core.canonical import canonical_json, digest
from trivet.core.datacontract import DataContract
from trivet.core.document import Document
from trivet.core.errors import IntegrityError
from trivet.core.platform import Store
from trivet.data.collect import Collected
from trivet.data.datasheet import make_datasheet
from trivet.data.validate import Validation

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

DATA, QUARANTINE = "data.parquet", "quarantine.parquet"
CONTRACT, DATASHEET, SNAPSHOT = "contract.json", "datasheet.json", "snapshot.json"


class Snapshot(Document):
    """A frozen data set and where it lies in the store. ``snapshot.json`` is written last: with it, all is there."""

    version: Literal[1] = 1
    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    contract: str = Field(description="Digest of the data contract.")
    source: str = Field(description="Digest of the file that the rows came from.")
    data: str = Field(description="Digest of the bytes of data.parquet.")
    rows: int
    quarantined: int

    @property
    def key(self) -> str:
        """The key prefix of its files, without a slash at the end."""
        return key_of(self.digest)


def key_of(snapshot: str) -> str:
    """The key prefix of the snapshot with this digest."""
    return f"snapshots/{snapshot.removeprefix('sha256:')}"


def take_snapshot(store: Store, contract: DataContract, collected: Collected, validation: Validation) -> Snapshot:
    """Freeze the accepted rows in the store. The same rows again give the same snapshot, and nothing is written."""
    table = _table(validation.accepted, contract)
    name = _content_digest(table, contract, collected.digest)
    key = key_of(name)
    if f"{key}/{SNAPSHOT}" in store.list(f"{key}/"):
        return read_snapshot(store, name)
    data = _parquet(table)
    snapshot = Snapshot(
        digest=name,
        contract=contract.content_digest(),
        source=collected.digest,
        data=digest(data),
        rows=validation.report.accepted,
        quarantined=validation.report.quarantined,
    )
    store.put(f"{key}/{DATA}", data)
    store.put(f"{key}/{QUARANTINE}", _parquet(_quarantine(validation)))
    store.put(f"{key}/{CONTRACT}", contract.canonical())
    store.put(f"{key}/{DATASHEET}", make_datasheet(contract, collected, validation).canonical())
    store.put(f"{key}/{SNAPSHOT}", snapshot.canonical())
    return snapshot


def read_snapshot(store: Store, snapshot: str) -> Snapshot:
    """The snapshot with this digest.

    :raises NotFound: when the store has none.
    """
    key = f"{key_of(snapshot)}/{SNAPSHOT}"
    return Snapshot.parse(json.loads(store.get(key)), key)


def read_rows(store: Store, snapshot: Snapshot) -> pd.DataFrame:
    """The rows of a snapshot: ``float64`` for numbers, ``int64`` for whole columns of integers, ``str`` for categories.

    :raises IntegrityError: when the stored bytes are not those of the snapshot.
    """
    return _read(_verified(store, snapshot)).to_pandas()


def read_quarantine(store: Store, snapshot: Snapshot) -> pd.DataFrame:
    """The quarantined rows as text, with their row in the source (from 0) and their reasons."""
    return _read(store.get(f"{snapshot.key}/{QUARANTINE}")).to_pandas()


def _verified(store: Store, snapshot: Snapshot) -> bytes:
    data = store.get(f"{snapshot.key}/{DATA}")
    if digest(data) != snapshot.data:
        raise IntegrityError(
            f"The data of snapshot {snapshot.digest[:19]} is not what was stored: it was changed.",
            "Delete the snapshot's folder in the store and run again.",
        )
    return data


def _content_digest(table: pa.Table, contract: DataContract, source: str) -> str:
    sha = hashlib.sha256(canonical_json({"contract": contract.content_digest(), "source": source}))
    for row in _rows(table):
        sha.update(b"\n" + canonical_json(row))
    return f"sha256:{sha.hexdigest()}"


def _rows(table: pa.Table) -> Iterator[tuple[object, ...]]:
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def _table(accepted: pd.DataFrame, contract: DataContract) -> pa.Table:
    import pyarrow as pa

    kinds = {"number": pa.float64(), "integer": pa.int64(), "category": pa.string()}
    arrays = {
        column.name: pa.array(accepted[column.name], from_pandas=True).cast(kinds[column.type])
        for column in contract.columns
    }
    return pa.table(arrays)


def _quarantine(validation: Validation) -> pa.Table:
    import pyarrow as pa

    found = validation.quarantined
    arrays: dict[str, pa.Array] = {
        "row": pa.array(list(found.index), pa.int64()),
        "reasons": pa.array(["; ".join(map(str, validation.reasons[row])) for row in found.index], pa.string()),
    }
    values = found.astype("str")
    return pa.table(
        arrays | {f"value.{name}": pa.array(values[name], pa.string(), from_pandas=True) for name in values.columns}
    )


def _parquet(table: pa.Table) -> bytes:
    import pyarrow.parquet as pq

    buffer = BytesIO()
    pq.write_table(table, buffer, version="2.6", compression="snappy", row_group_size=1 << 16)
    return buffer.getvalue()


def _read(data: bytes) -> pa.Table:
    import pyarrow.parquet as pq

    return pq.read_table(BytesIO(data))
