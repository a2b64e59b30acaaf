"""Drift on real applications: nothing where there is none, an alarm where there is, unknown where little came in."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from trivet.core.errors import IntegrityError
from trivet.core.findings import Finding, Level
from trivet.core.modelpackage import FeatureProfile, Profile
from trivet.core.project import Drift
from trivet.monitoring.drift import Histogram, Sample, chi_squared, findings, sample, shift, worst

from .conftest import FEATURES, NOW, START, predictions_of, profile_feature, scores

SETTINGS = Drift()


def look(profile: Profile, rows: pd.DataFrame, settings: Drift = SETTINGS) -> dict[str, Finding]:
    window = sample(profile, predictions_of(rows, profile))
    return {found.subject: found for found in findings(profile, window, settings, START, NOW, NOW)}


def test_applications_like_those_of_training_do_not_drift(profile: Profile, applications: pd.DataFrame) -> None:
    found = look(profile, applications.iloc[1300:])
    assert set(found) == {"score", *FEATURES}
    assert {one.level for one in found.values()} == {Level.OK}
    assert all(one.sample == len(applications) - 1300 for one in found.values())
    assert all(one.effect is not None and one.effect < 0.05 for one in found.values())


@pytest.mark.parametrize("rows", [100, 200, 600])
def test_incomes_half_as_high_again_alarm(profile: Profile, applications: pd.DataFrame, rows: int) -> None:
    shifted = applications.iloc[1300 : 1300 + rows].assign(atotinc=lambda frame: frame["atotinc"] * 1.5)
    found = look(profile, shifted)
    assert found["atotinc"].level is Level.ALARM
    assert {one.level for name, one in found.items() if name != "atotinc"} == {Level.OK}
    headline = worst(list(found.values()))
    assert headline == found["atotinc"]
    assert (headline.threshold, headline.source) == (SETTINGS.alarm, SETTINGS.source)


def test_the_score_is_watched_too(profile: Profile, applications: pd.DataFrame) -> None:
    rows = applications.iloc[1300:].assign(obrat=lambda frame: frame["obrat"] + 15)
    found = look(profile, rows.assign(score=scores(rows)))
    assert found["score"].level is Level.ALARM
    assert found["obrat"].level is Level.ALARM


def test_values_that_stop_coming_are_drift(profile: Profile, applications: pd.DataFrame) -> None:
    found = look(profile, applications.iloc[1300:].assign(price=np.nan))
    assert found["price"].level is Level.ALARM


@pytest.mark.parametrize("rows", [0, 1, 99])
def test_too_little_is_unknown_and_says_so(profile: Profile, applications: pd.DataFrame, rows: int) -> None:
    shifted = applications.iloc[:rows].assign(atotinc=1e9)
    found = look(profile, shifted)
    assert {one.level for one in found.values()} == {Level.UNKNOWN}
    assert {one.effect for one in found.values()} == {None}
    assert f"{rows or 'no'} records came in, and 100 are needed" in found["atotinc"].note


def window_of(reference: pd.DataFrame, rows: pd.DataFrame) -> tuple[Profile, Sample]:
    """The profile of some rows and a window of others, counted by NumPy."""
    features = tuple(profile_feature(reference[name], name) for name in FEATURES)
    score = profile_feature(reference["score"], "score")
    histograms = tuple(Histogram(one, counts_of(rows[one.name], one.edges)) for one in (score, *features))
    return Profile(rows=len(reference), features=features, score=score), Sample(len(rows), histograms)


def counts_of(values: pd.Series, edges: tuple[float, ...]) -> np.ndarray:
    known = np.bincount(np.searchsorted(edges, values.dropna(), side="right"), minlength=len(edges) + 1)
    return np.array([*known, values.isna().sum()])


def test_chance_alone_rarely_warns_even_in_the_smallest_window(applications: pd.DataFrame) -> None:
    """Of 60 windows of 100 rows over 12 histograms; by the threshold alone, every fifth would warn."""
    lots = np.random.default_rng(1)
    warned = crossed = 0
    for _ in range(60):
        rows = applications.iloc[lots.permutation(len(applications))]
        profile, window = window_of(rows[:1300], rows[1300:1400])
        found = findings(profile, window, SETTINGS, START, NOW, NOW)
        warned += worst(found).level is not Level.OK
        crossed += any(one.effect is not None and one.effect >= SETTINGS.warn for one in found)
    assert warned <= 3 < crossed


def test_values_that_were_always_missing_are_no_drift(profile: Profile, applications: pd.DataFrame) -> None:
    """Every third, in training and since."""
    rows = applications.assign(price=applications["price"].where(applications.index % 3 != 0))
    profile, window = window_of(rows[:1300], rows[1300:])
    assert {one.level for one in findings(profile, window, SETTINGS, START, NOW, NOW)} == {Level.OK}


def test_the_correction_takes_away_what_chance_makes() -> None:
    lots = np.random.default_rng(2)
    shares = np.full(10, 0.1)
    draws = [shift(lots.multinomial(2000, shares), lots.multinomial(200, shares)) for _ in range(400)]
    assert np.mean([found.index - found.expected for found in draws]) == pytest.approx(0, abs=0.004)
    assert np.mean([found.beyond_chance(0.05) for found in draws]) == pytest.approx(0.05, abs=0.035)


histograms = st.integers(1, 12).flatmap(
    lambda bins: st.tuples(*[st.lists(st.integers(0, 500), min_size=bins, max_size=bins).filter(any)] * 2)
)


@given(histograms)
def test_the_index_is_never_negative_and_symmetric(pair: tuple[list[int], list[int]]) -> None:
    ours, theirs = map(np.array, pair)
    found, mirrored = shift(ours, theirs), shift(theirs, ours)
    assert found.index >= 0
    assert found.corrected >= 0
    assert found.index == pytest.approx(mirrored.index)
    assert found.expected == mirrored.expected


@given(st.lists(st.integers(0, 500), min_size=1).filter(any))
def test_equal_histograms_do_not_differ(counts: list[int]) -> None:
    found = shift(np.array(counts), np.array(counts))
    assert found.index == 0
    assert not found.beyond_chance(0.05)


@given(st.floats(0.9, 0.999), st.integers(1, 60))
def test_quantiles_of_chi_squared(probability: float, freedom: int) -> None:
    assert chi_squared(probability, freedom) == pytest.approx(chi2.ppf(probability, freedom), rel=0.04)


def test_bins_that_are_empty_in_both_do_not_count() -> None:
    found = shift(np.array([50, 50, 0]), np.array([5, 5, 0]))
    assert found.freedom == 1
    assert found.index == 0


def test_a_category_goes_by_its_value() -> None:
    histogram = Histogram.empty(FeatureProfile(name="rate", values=("fixed", "adjustable"), counts=(10, 5, 0)))
    for value in ("fixed", "adjustable", "adjustable", "floating", None):
        histogram.add(value)
    histogram.add({"bin": 0})
    assert histogram.counts.tolist() == [2, 2, 1, 1]


@pytest.mark.parametrize("number", [-1, 4])
def test_a_bin_of_another_profile_is_refused(number: int) -> None:
    histogram = Histogram.empty(FeatureProfile(name="rate", values=("fixed", "adjustable"), counts=(10, 5, 0)))
    with pytest.raises(IntegrityError, match=f"bin {number} of rate, which has 4"):
        histogram.add({"bin": number})


def test_memory_does_not_grow_with_the_records(profile: Profile, applications: pd.DataFrame) -> None:
    """Predictions are taken one at a time: an endless stream is read as far as it is given, and none is kept."""
    alive: list[int] = []

    def stream():
        for number, prediction in enumerate(predictions_of(applications, profile)):
            alive.append(number)
            yield prediction

    found = sample(profile, stream())
    assert isinstance(found, Sample)
    assert found.rows == len(alive) == len(applications)
    assert sum(histogram.counts.nbytes for histogram in found.histograms) < 2000


def finding(level: Level, effect: float | None) -> Finding:
    return Finding(
        monitor="drift", subject="x", level=level, effect=effect, sample=1, start=START, end=NOW, threshold=0.25,
        source="test", time=NOW + timedelta(0),
    )  # fmt: skip


def test_the_worst_decides_and_unknown_is_worse_than_ok() -> None:
    ok, unknown = finding(Level.OK, 0.09), finding(Level.UNKNOWN, None)
    warn, alarm = finding(Level.WARN, 0.2), finding(Level.ALARM, 0.3)
    higher = finding(Level.ALARM, 0.4)
    assert worst([ok, unknown]) == unknown
    assert worst([unknown, warn, ok]) == warn
    assert worst([warn, higher, alarm]) == higher
