"""Shares and ratios of shares with their intervals, and the verdict that an interval earns.

Intervals come from SciPy: Wilson's for a share, Katz's log interval for a ratio of two shares.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

from trivet.core.findings import Verdict
from trivet.core.policy import Bound


class Estimate(NamedTuple):
    """A number inside its interval. Where there is no such thing, functions return ``None``."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Count:
    """Rows of which ``events`` have a property."""

    events: int
    rows: int

    @property
    def at_an_end(self) -> bool:
        """Whether none or all of the rows have it."""
        return self.events in (0, self.rows)

    def __str__(self) -> str:
        return f"{self.events:,} of {self.rows:,}" + (f" ({self.events / self.rows:.1%})" if self.rows else "")


def estimate(value: float | None, low: float | None, high: float | None) -> Estimate | None:
    """The three numbers, or ``None`` unless all are finite and in order."""
    if value is None or low is None or high is None or not all(map(isfinite, (value, low, high))):
        return None
    return Estimate(float(value), float(low), float(high)) if low <= value <= high else None


def share(count: Count, confidence: float) -> Estimate | None:
    """A share with Wilson's score interval; ``None`` without rows."""
    return _wilson(count, confidence) if count.rows else None


def ratio(group: Count, reference: Count, confidence: float) -> Estimate | None:
    """The group's share over the reference's, with Katz's log interval; ``None`` where no ratio exists.

    Where none or all of the rows have the property, Katz's interval has no width or does not exist. There the two
    shares' Wilson intervals, each at half the error, are taken against each other: wider than need be, never narrower.
    """
    if group.rows == 0 or reference.rows == 0 or reference.events == 0:
        return None
    if group.at_an_end or reference.at_an_end:
        top, bottom = (_wilson(count, (1 + confidence) / 2) for count in (group, reference))
        return Estimate(top.value / bottom.value, top.low / bottom.high, top.high / bottom.low)
    from scipy.stats.contingency import relative_risk

    risk = relative_risk(group.events, group.rows, reference.events, reference.rows)
    interval = risk.confidence_interval(confidence)
    return Estimate(float(risk.relative_risk), float(interval.low), float(interval.high))


def limit_of(bound: Bound) -> float:
    """The one number of a bound, whichever side it limits."""
    (limit,) = (side for side in (bound.minimum, bound.maximum) if side is not None)
    return limit


def judge_interval(found: Estimate | None, bound: Bound) -> Verdict:
    """Whether the interval meets the bound throughout, misses it throughout, or straddles it."""
    if found is None:
        return Verdict.INSUFFICIENT
    limit = limit_of(bound)
    if bound.minimum is not None:
        met, missed = found.low >= limit, found.high < limit
    else:
        met, missed = found.high <= limit, found.low > limit
    if met:
        return Verdict.PASS
    return Verdict.FAIL if missed else Verdict.INCONCLUSIVE


def _wilson(count: Count, confidence: float) -> Estimate:
    from scipy.stats import binomtest

    value = count.events / count.rows
    interval = binomtest(count.events, count.rows).proportion_ci(confidence, method="wilson")
    return Estimate(value, min(float(interval.low), value), max(float(interval.high), value))
