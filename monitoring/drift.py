"""Drift: how far the records of a window have moved from the training snapshot, feature by feature and in the score.

One measure: the population stability index, the sum over bins of ``(p - q) ln(p / q)`` (Siddiqi 2006, Credit Risk
Scorecards), less what chance alone would make of it. With ``n`` and ``m`` rows over ``B`` bins and no drift,
``PSI / (1/n + 1/m)`` is close to chi-squared with ``B - 1`` degrees of freedom (Yurdakul and Naranjo 2020, Statistical
properties of the population stability index, Journal of Risk Model Validation 14(4)), so that its expectation is
``(B - 1) (1/n + 1/m)``: the index of a small window is too high by that.

A threshold alone would still be crossed by chance: among many features one is always unlucky. A feature warns or
alarms where it is beyond the threshold and also beyond what chance would do, in one window of twenty, to any of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import NormalDist
from typing import Literal

import numpy as np

from trivet.core.errors import IntegrityError
from trivet.core.findings import Finding, Level
from trivet.core.modelpackage import FeatureProfile, Profile
from trivet.core.project import Drift
from trivet.core.records import Prediction

MONITOR = "drift"
ERROR = 0.05
PSEUDOCOUNT = 0.5  # Jeffreys: an empty bin would make the index infinite
SEVERITY = (Level.OK, Level.UNKNOWN, Level.WARN, Level.ALARM)

Recorded = float | str | dict[Literal["bin"], int] | None
Counts = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Histogram:
    """The values of one feature in a window, over the bins of its profile; the last bin is for missing values."""

    profile: FeatureProfile
    counts: Counts

    @classmethod
    def empty(cls, profile: FeatureProfile) -> Histogram:
        """A histogram without values."""
        return cls(profile, np.zeros(len(profile.counts) + 1, np.int64))

    @property
    def reference(self) -> Counts:
        """The training snapshot's counts over the same bins."""
        return np.array((*self.profile.counts, self.profile.missing), np.int64)

    def add(self, value: Recorded) -> None:
        """Count one value, or, for a personal feature, its bin.

        :raises IntegrityError: for a bin that the profile does not have.
        """
        number = value["bin"] if isinstance(value, dict) else self.profile.bin_of(value)
        if not 0 <= number < len(self.counts):
            raise IntegrityError(
                f"A record holds bin {number} of {self.profile.name}, which has {len(self.counts)}.",
                "Compare records with the profile of the model package that they name.",
            )
        self.counts[number] += 1


@dataclass(frozen=True)
class Sample:
    """The predictions of a window, counted."""

    rows: int
    histograms: tuple[Histogram, ...]


def sample(profile: Profile, predictions: Iterable[Prediction]) -> Sample:
    """Count predictions, of one package and one at a time, in memory that does not grow with them."""
    score = Histogram.empty(profile.score)
    features = [Histogram.empty(feature) for feature in profile.features]
    for prediction in predictions:
        score.add(prediction.score)
        for histogram in features:
            histogram.add(prediction.inputs.get(histogram.profile.name))
    return Sample(int(score.counts.sum()), (score, *features))


@dataclass(frozen=True)
class Shift:
    """The stability index of two histograms, and what of it chance would make."""

    index: float
    expected: float
    unit: float
    freedom: int

    @property
    def corrected(self) -> float:
        """The index less its expectation without drift, and not below 0."""
        return max(0.0, self.index - self.expected)

    def beyond_chance(self, error: float) -> bool:
        """Whether no drift would give so high an index less often than ``error``."""
        return self.index > self.unit * chi_squared(1 - error, self.freedom)


def shift(reference: Counts, found: Counts) -> Shift:
    """How far two histograms over the same bins lie apart. Bins that are empty in both do not count.

    Symmetric, never negative, and 0 for equal histograms. Both must hold a value.
    """
    used = (reference + found) > 0
    ours, theirs = (_shares(counts[used]) for counts in (reference, found))
    unit, freedom = 1 / reference.sum() + 1 / found.sum(), int(np.count_nonzero(used)) - 1
    return Shift(
        index=float(np.sum((ours - theirs) * np.log(ours / theirs))),
        expected=float(freedom * unit),
        unit=float(unit),
        freedom=freedom,
    )


def findings(
    profile: Profile, window: Sample, settings: Drift, start: datetime, end: datetime, now: datetime
) -> list[Finding]:
    """One finding for the score and for each feature; ``unknown`` for all when the window holds too little."""
    known = window.rows >= settings.minimum_sample and profile.rows > 0
    shifts = [shift(histogram.reference, histogram.counts) if known else None for histogram in window.histograms]
    return [
        Finding(
            monitor=MONITOR,
            subject=histogram.profile.name,
            level=_level(found, settings, ERROR / len(shifts)),
            effect=found and found.corrected,
            sample=window.rows,
            start=start,
            end=end,
            threshold=settings.alarm,
            source=settings.source,
            note=_note(found, window.rows, settings),
            time=now,
        )
        for histogram, found in zip(window.histograms, shifts, strict=True)
    ]


def worst(found: Sequence[Finding]) -> Finding:
    """The finding that decides for all: the most severe, and of those the largest effect."""
    return max(found, key=lambda finding: (SEVERITY.index(finding.level), finding.effect or 0.0))


def chi_squared(probability: float, freedom: int) -> float:
    """A quantile of the chi-squared distribution, to a few percent (Wilson and Hilferty 1931)."""
    if freedom == 0:
        return 0.0
    spread = 2 / (9 * freedom)
    return freedom * (1 - spread + NormalDist().inv_cdf(probability) * spread**0.5) ** 3


def _shares(counts: Counts) -> np.ndarray:
    padded = counts + PSEUDOCOUNT
    return padded / padded.sum()


def _level(found: Shift | None, settings: Drift, error: float) -> Level:
    if found is None:
        return Level.UNKNOWN
    if found.corrected < settings.warn or not found.beyond_chance(error):
        return Level.OK
    return Level.ALARM if found.corrected >= settings.alarm else Level.WARN


def _note(found: Shift | None, rows: int, settings: Drift) -> str:
    if found is None:
        came = f"{rows:,} records came in" if rows else "no records came in"
        return f"{came}, and {settings.minimum_sample:,} are needed to tell drift from chance"
    return f"index {found.index:.3f}, of which chance makes {found.expected:.3f}"
