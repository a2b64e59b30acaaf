"""What a list of prices is made of, whichever cloud's it is. What is not in a list is unknown, and never a guess."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

CURRENCY = "USD"
HOURS_A_MONTH = 730  # as the clouds' own calculators count
HOUR, MONTH, GB_MONTH = "hour", "month", "GB-month"


class Price(NamedTuple):
    """What one unit of something costs in a region."""

    usd: Decimal
    unit: str
    region: str
    as_of: date
    source: str


class Row(NamedTuple):
    """One item: its unit, as of when, which public page has it, and the price by region."""

    item: str
    unit: str
    as_of: date
    source: str
    by_region: Mapping[str, str]


Prices = Mapping[tuple[str, str], Price]


def listed(rows: Iterable[Row]) -> Prices:
    """The prices by item and region."""
    return MappingProxyType(
        {
            (row.item, region): Price(Decimal(usd), row.unit, region, row.as_of, row.source)
            for row in rows
            for region, usd in row.by_region.items()
        }
    )
