"""The data contract as pandera schemas: one for types, one for values, and one for each rule over several columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from trivet.core.datacontract import Column, DataContract
from trivet.data.checks import rule_of

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pa

NOT_A_TYPE = {"number": "is not a number", "integer": "is not a number", "category": "is not a text"}
PLACEHOLDER = "is a placeholder for 'unknown', not a measurement"
LONGEST = 60  # characters of a value in a reason
DTYPES = {"number": "float64", "integer": "float64", "category": "str"}


def types_schema(contract: DataContract) -> pa.DataFrameSchema:
    """Every value has its column's type or is missing. Validation returns the frame with these types."""
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {column.name: pa.Column(DTYPES[column.type], coerce=True, nullable=True) for column in contract.columns},
        strict=True,
    )


def values_schema(contract: DataContract) -> pa.DataFrameSchema:
    """Every value of a frame with the right types is one that its column allows."""
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {column.name: pa.Column(checks=list(_checks(column)), nullable=column.nullable) for column in contract.columns},
        strict=True,
    )


def rule_schemas(contract: DataContract) -> Iterator[tuple[tuple[str, ...], pa.DataFrameSchema]]:
    """A schema for each rule over several columns, with the columns that it is about."""
    import pandera.pandas as pa

    for check in contract.checks:
        rule, sentence = rule_of(check)
        yield check.columns, pa.DataFrameSchema(checks=pa.Check(rule, error=sentence))


def as_text(value: object) -> str:
    """A value as people write it: whole numbers without a point, nothing endless."""
    text = f"{value:.12g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _checks(column: Column) -> Iterator[pa.Check]:
    """The first one that a value breaks is the one that is reported, so the most telling comes first."""
    import pandera.pandas as pa

    if column.placeholders:
        yield pa.Check.notin(list(column.placeholders), error=PLACEHOLDER)
    if column.type != "category":
        yield pa.Check(_finite, error="is not finite")
    if column.type == "integer":
        yield pa.Check(_whole, error="is no whole number")
    if column.minimum is not None:
        yield pa.Check.ge(column.minimum, error=f"is below {as_text(column.minimum)}")
    if column.maximum is not None:
        yield pa.Check.le(column.maximum, error=f"is above {as_text(column.maximum)}")
    if column.allowed is not None:
        values = ", ".join(map(as_text, column.allowed))
        yield pa.Check.isin(list(column.allowed), error=f"is not one of {values}")


def _finite(values: pd.Series) -> pd.Series:
    return values.abs() < float("inf")


def _whole(values: pd.Series) -> pd.Series:
    return values.mod(1).eq(0)
