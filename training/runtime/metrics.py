"""Numbers about scores, each with its interval. Intervals come from SciPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import binomtest, bootstrap, rankdata

from trivet.training.evaluation import ACCURACY, AUC, BAD_RISKS, Metric

RESAMPLES = 1000
BATCH = 20  # resamples at a time: small enough for the cache


def area(target: np.ndarray, score: np.ndarray, axis: int = -1) -> np.ndarray:
    """Area under the receiver operating characteristic along ``axis``: the Mann-Whitney statistic, ties by half."""
    positives = target.sum(axis=axis)
    negatives = target.shape[axis] - positives
    ranks = (rankdata(score, axis=axis) * target).sum(axis=axis)
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives)


def area_difference(target: np.ndarray, score: np.ndarray, other: np.ndarray, axis: int = -1) -> np.ndarray:
    """How much larger the area of ``score`` is than that of ``other`` on the same rows."""
    return area(target, score, axis) - area(target, other, axis)


def auc(target: np.ndarray, score: np.ndarray, *, confidence: float, seed: int) -> Metric:
    """Area under the curve with a percentile interval over bootstrapped rows."""
    return _bootstrapped(AUC, area, (target, score), confidence, seed)


def auc_difference(
    name: str, target: np.ndarray, score: np.ndarray, other: np.ndarray, *, confidence: float, seed: int
) -> Metric:
    """Difference of two areas on the same rows, with a percentile interval over bootstrapped rows."""
    return _bootstrapped(name, area_difference, (target, score, other), confidence, seed)


def at_threshold(target: np.ndarray, score: np.ndarray, threshold: float, confidence: float) -> tuple[Metric, Metric]:
    """Accuracy, and the share of negative rows that are denied, with Wilson intervals."""
    denied = score < threshold
    return (
        _share(ACCURACY, denied != (target == 1), confidence),
        _share(BAD_RISKS, denied[target == 0], confidence),
    )


def _share(name: str, hits: np.ndarray, confidence: float) -> Metric:
    interval = binomtest(int(hits.sum()), len(hits)).proportion_ci(confidence, method="wilson")
    return Metric(name=name, value=float(hits.mean()), low=float(interval.low), high=float(interval.high))


def _bootstrapped(
    name: str, statistic: Callable[..., np.ndarray], data: tuple[np.ndarray, ...], confidence: float, seed: int
) -> Metric:
    result = bootstrap(
        data,
        statistic,
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=BATCH,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    value, interval = float(statistic(*data)), result.confidence_interval
    return Metric(name=name, value=value, low=min(float(interval.low), value), high=max(float(interval.high), value))
