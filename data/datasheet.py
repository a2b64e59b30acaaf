"""The data sheet: what the rows are, where they come from and what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trivet.core.datacontract import Column, ColumnType, DataContract, Tag
from trivet.core.document import Document
from trivet.data.collect import Collected
from trivet.data.validate import ReasonCount, Validation

if TYPE_CHECKING:
    import pandas as pd


class ColumnFacts(Document):
    """One column as it is in the accepted rows."""

    name: str
    type: ColumnType
    description: str
    tags: tuple[Tag, ...]
    missing: int
    distinct: int
    minimum: float | None
    maximum: float | None
    mean: float | None


class DataSheet(Document):
    """What a snapshot holds, for people. After Gebru et al. 2021, Datasheets for Datasets, as far as it can be read
    off the data contract and the rows.
    """

    name: str
    description: str
    row: str
    source: str
    licence: str
    file: str
    file_digest: str
    rows: int
    quarantined: int
    reasons: tuple[ReasonCount, ...]
    target: str
    columns: tuple[ColumnFacts, ...]


def make_datasheet(contract: DataContract, collected: Collected, validation: Validation) -> DataSheet:
    """Describe the accepted rows."""
    return DataSheet(
        name=contract.name,
        description=contract.description,
        row=contract.row,
        source=contract.source,
        licence=contract.licence,
        file=collected.name,
        file_digest=collected.digest,
        rows=validation.report.accepted,
        quarantined=validation.report.quarantined,
        reasons=validation.report.reasons,
        target=contract.target,
        columns=tuple(_facts(column, validation.accepted[column.name]) for column in contract.columns),
    )


def _facts(column: Column, values: pd.Series) -> ColumnFacts:
    known = values.dropna()
    numbers = known if column.type != "category" and len(known) else None
    return ColumnFacts(
        name=column.name,
        type=column.type,
        description=column.description,
        tags=column.tags,
        missing=len(values) - len(known),
        distinct=int(known.nunique()),
        minimum=None if numbers is None else float(numbers.min()),
        maximum=None if numbers is None else float(numbers.max()),
        mean=None if numbers is None else float((numbers / len(numbers)).sum()),  # a sum of all might overflow
    )
