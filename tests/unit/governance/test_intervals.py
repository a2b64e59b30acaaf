"""Intervals against closed forms and simulation; verdicts against their definition."""

from __future__ import annotations

from math import exp, inf, log, nan, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.core.findings import Verdict
from trivet.core.policy import Bound
from trivet.governance.intervals import Count, estimate, judge_interval, ratio, share

Z95 = 1.959963984540054


@st.composite
def counts(draw: st.DrawFn, least: int = 0) -> Count:
    rows = draw(st.integers(least, 5000))
    return Count(draw(st.integers(0, rows)), rows)


@settings(deadline=None)
@given(counts(least=1))
def test_wilson_is_the_closed_form_and_holds_the_share(count: Count) -> None:
    found = share(count, 0.95)
    assert found is not None
    n, p = count.rows, count.events / count.rows
    middle = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2))
    assert found.low == pytest.approx(max(middle - half, 0), abs=1e-9)
    assert found.high == pytest.approx(min(middle + half, 1), abs=1e-9)
    assert 0 <= found.low <= found.value <= found.high <= 1


@settings(deadline=None)
@given(counts(), counts())
def test_ratio_is_katz_or_wider_or_nothing(group: Count, reference: Count) -> None:
    found = ratio(group, reference, 0.95)
    if not group.rows or not reference.rows or not reference.events:
        assert found is None
        return
    assert found is not None
    value = (group.events / group.rows) / (reference.events / reference.rows)
    assert found.value == pytest.approx(value)
    assert 0 <= found.low <= found.value <= found.high < inf
    if not group.at_an_end and not reference.at_an_end:
        error = Z95 * sqrt(1 / group.events - 1 / group.rows + 1 / reference.events - 1 / reference.rows)
        assert found.low == pytest.approx(exp(log(value) - error))
        assert found.high == pytest.approx(exp(log(value) + error))
    else:
        assert found.high > found.low


@pytest.mark.parametrize("true_shares", [(0.98, 0.99), (0.02, 0.9), (0.8, 0.95)])
def test_the_interval_covers_the_true_ratio(true_shares: tuple[float, float]) -> None:
    """Also where all or none of a group have the property, which happens often in the first two cases."""
    lots = np.random.default_rng(0)
    ours, theirs = lots.binomial(120, true_shares[0], 400), lots.binomial(900, true_shares[1], 400)
    truth = true_shares[0] / true_shares[1]
    found = [ratio(Count(int(a), 120), Count(int(b), 900), 0.95) for a, b in zip(ours, theirs, strict=True)]
    assert np.mean([one is not None and one.low <= truth <= one.high for one in found]) > 0.92


def test_nobody_of_many_is_a_miss_and_nobody_of_few_is_not() -> None:
    four_fifths = Bound(minimum=0.8, source="four-fifths")
    assert judge_interval(ratio(Count(0, 300), Count(270, 300), 0.95), four_fifths) is Verdict.FAIL
    assert judge_interval(ratio(Count(0, 2), Count(270, 300), 0.95), four_fifths) is Verdict.INCONCLUSIVE
    assert judge_interval(ratio(Count(5, 5), Count(5, 5), 0.95), four_fifths) is Verdict.INCONCLUSIVE
    assert judge_interval(ratio(Count(300, 300), Count(300, 300), 0.95), four_fifths) is Verdict.PASS


@pytest.mark.parametrize(
    "three", [(nan, 0, 1), (0.5, nan, 1), (0.5, 0, inf), (None, 0, 1), (0.5, None, 1), (0.5, 0.6, 0.7), (0.5, 0.4, 0.3)]
)
def test_what_is_no_interval_is_no_estimate(three: tuple[float | None, ...]) -> None:
    assert estimate(*three) is None


numbers = st.floats(allow_nan=True, allow_infinity=True) | st.none()


@given(numbers, numbers, numbers, st.floats(-10, 10), st.booleans())
def test_a_pass_means_that_the_whole_interval_meets_the_bound(
    value: float | None, low: float | None, high: float | None, limit: float, is_minimum: bool
) -> None:
    bound = Bound(minimum=limit, source="test") if is_minimum else Bound(maximum=limit, source="test")
    verdict = judge_interval(estimate(value, low, high), bound)
    if verdict is Verdict.PASS:
        assert low is not None and high is not None
        assert low >= limit if is_minimum else high <= limit
    if verdict is Verdict.FAIL:
        assert low is not None and high is not None
        assert high < limit if is_minimum else low > limit
    if verdict is Verdict.INSUFFICIENT:
        assert estimate(value, low, high) is None
