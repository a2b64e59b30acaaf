"""What a stack costs in a month in which nobody uses it: list prices times what is there, and what nobody knows.

An estimate is made from a list of resources, so that a preview, a state and the graph of a test give the same. Nothing
is guessed: a price that is not kept, or a resource of a kind that nobody has looked at, is unknown and shown as that,
and the total then says "at least".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from typing import Literal, NamedTuple

from pydantic import Field, computed_field

from trivet.clouds.prices import CURRENCY, HOUR, HOURS_A_MONTH, Prices
from trivet.core.document import Document
from trivet.infra.listing import Listed

CENT = Decimal("0.01")
PULUMI = "pulumi"


class Cost(NamedTuple):
    """One thing that a resource is charged for.

    :param what: the item, as prices name it.
    :param quantity: of units in a month; none where it is not known before the stack is made.
    :param price: of one unit; none where it is unknown.
    :param idle: whether it is charged when nobody uses the stack.
    """

    what: str
    quantity: Decimal | None
    unit: str
    price: Decimal | None
    as_of: date | None = None
    idle: bool = True


class CostRow(Document):
    """All that is charged for one item."""

    what: str
    resources: tuple[str, ...] = Field(description="Logical names.")
    quantity: Decimal | None = Field(description="Units in a month; none where it is unknown, zero where by use.")
    unit: str
    unit_price: Decimal | None = Field(description="None where it is unknown.")
    monthly: Decimal | None = Field(description="None where it is unknown.")
    as_of: date | None = Field(description="When the price was looked up.")
    charged: Literal["always", "by use"]


class Estimate(Document):
    """The list price of a month without use."""

    region: str
    currency: str
    rows: tuple[CostRow, ...]
    known: Decimal = Field(description="The sum of what is known.")
    complete: bool = Field(description="Whether nothing is unknown.")
    ceiling: int | None = Field(description="What the environment's defaults cost at most; none: nothing.")

    @computed_field
    @property
    def total(self) -> str:
        """``USD 41.20``, or ``at least USD 41.20`` where something is unknown."""
        return f"{'' if self.complete else 'at least '}{self.currency} {self.known:.2f}"

    @property
    def sentence(self) -> str:
        """The total with what it means, and the ceiling where there is one."""
        told = f"Idle: {self.total} a month in {self.region}, list prices without free tiers and taxes"
        return told + (
            f"; the ceiling of the environment's defaults is {self.currency} {self.ceiling}." if self.ceiling else "."
        )


Charge = Callable[[Listed, str], Iterable[Cost] | None]
"""What a resource is charged for in a region; none where nobody has looked at its type."""


def estimate(resources: Iterable[Listed], region: str, ceiling: int | None = None) -> Estimate:
    """What these resources cost in a month without use.

    :param region: in whose prices; of the cloud to which the resources belong.
    :param ceiling: what is promised, to be told beside it.
    """
    found: dict[tuple[str, bool, bool], list[tuple[str, Cost]]] = {}  # by item, whether always, whether countable
    for one in resources:
        if one.package == PULUMI or one.type.count(":") < 2 or one.type.startswith("trivet:"):
            continue  # providers, and components, which are made of the others
        charge = _charging(one.package)
        costs = charge(one, region) if charge else None
        if costs is None:
            costs = [Cost(one.type, None, "", None)]
        for cost in costs:
            found.setdefault((cost.what, cost.idle, cost.quantity is None), []).append((one.name, cost))
    rows = [_row(what, idle, costs) for (what, idle, _), costs in found.items()]
    known = sum((row.monthly for row in rows if row.monthly is not None), Decimal())
    return Estimate(
        region=region,
        currency=CURRENCY,
        rows=tuple(sorted(rows, key=_weight)),
        known=known.quantize(CENT),
        complete=all(row.monthly is not None for row in rows),
        ceiling=ceiling,
    )


def priced(prices: Prices, item: str, region: str, quantity: Decimal | int | None, *, idle: bool = True) -> Cost:
    """An item of a list of prices, by as many months or GB as there are, or by the hours of a month."""
    found = prices.get((item, region))
    amount = None if quantity is None else Decimal(quantity)
    if found is None:
        return Cost(item, amount, "", None, idle=idle)
    if found.unit == HOUR and amount is not None:
        amount *= HOURS_A_MONTH
    return Cost(item, amount, found.unit, found.usd, found.as_of, idle)


def _charging(package: str) -> Charge | None:
    """How resources of a package are charged, where somebody has looked."""
    name = f"{__name__}.{package.replace('-', '_')}"
    return import_module(name).charges if find_spec(name) else None


def _row(what: str, idle: bool, costs: list[tuple[str, Cost]]) -> CostRow:
    first = costs[0][1]
    counted = [cost.quantity for _, cost in costs if cost.quantity is not None]
    quantity = sum(counted, Decimal()) if counted else None
    monthly = None if quantity is None or first.price is None else (quantity * first.price).quantize(CENT)
    return CostRow(
        what=what,
        resources=tuple(sorted({name for name, _ in costs})),  # engines tell of them in any order
        quantity=quantity if idle else Decimal(),
        unit=first.unit,
        unit_price=first.price,
        monthly=monthly if idle else Decimal(),
        as_of=first.as_of,
        charged="always" if idle else "by use",
    )


def _weight(row: CostRow) -> tuple[int, Decimal, str]:
    """The dearest first, then what is unknown, then what is charged by use."""
    group = 2 if row.charged == "by use" else 1 if row.monthly is None else 0
    return group, -(row.monthly or Decimal()), row.what
