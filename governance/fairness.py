"""How a group fares beside its reference at the deployed threshold, and which features tell the group apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from trivet.core.errors import ConfigError
from trivet.core.findings import Measure, StandIn, Verdict
from trivet.core.policy import Bound, Fairness, Group
from trivet.governance.intervals import Count, judge_interval, limit_of, ratio
from trivet.governance.outcome import Fate, Outcome, Rows, count

if TYPE_CHECKING:
    import pandas as pd

SELECTION = "selection_ratio"
FALSE_DENIAL = "false_denial_ratio"
RAW_FALSE_DENIAL = "raw_false_denial_ratio"


def measures(fairness: Fairness, table: pd.DataFrame, outcome: Outcome, confidence: float) -> Iterator[Measure]:
    """Three measures a group: selection, false denial as it counts, and false denial as a raw ratio.

    The false-denial ratio that counts compares the shares of truly positive rows that are *not* denied. The ratio of
    the false-denial rates themselves rests on the few rows that are, too few to pass or fail, and is only reported.

    :raises ConfigError: when the table lacks a column that the policy names.
    """
    for group in fairness.groups:
        ours, theirs = (outcome.of(rows) for rows in members(table, group))
        compare = partial(_compare, group, _shortage(ours, theirs, fairness.minimum_rows), confidence)
        yield compare(SELECTION, "selected", ours.selected, theirs.selected, fairness.selection_ratio)
        yield compare(
            FALSE_DENIAL, "positive, not denied", ours.not_denied, theirs.not_denied, fairness.false_denial_ratio
        )
        yield compare(RAW_FALSE_DENIAL, "positive, denied", ours.denied, theirs.denied, None)


def _shortage(ours: Fate, theirs: Fate, minimum: int) -> str:
    rows = min(ours.selected.rows, theirs.selected.rows)
    return f"{rows} rows are fewer than {minimum}" if rows < minimum else ""


def _compare(
    group: Group,
    shortage: str,
    confidence: float,
    name: str,
    words: str,
    ours: Count,
    theirs: Count,
    bound: Bound | None,
) -> Measure:
    found = ratio(ours, theirs, confidence)
    verdict = bound and (Verdict.INSUFFICIENT if shortage else judge_interval(found, bound))
    return Measure(
        name=name,
        group=group.name,
        reference=reference_name(group),
        value=found and found.value,
        low=found and found.low,
        high=found and found.high,
        bound=bound and limit_of(bound),
        rows=ours.rows,
        verdict=verdict,
        note="; ".join(filter(None, (f"{words}: {ours} against {theirs}", shortage))),
    )


def members(table: pd.DataFrame, group: Group) -> tuple[Rows, Rows]:
    """The rows of a group and those of its reference. A row whose column is missing belongs to neither.

    :raises ConfigError: when the table lacks a column that the group names.
    """
    if unknown := sorted({group.column, group.reference_column} - set(table)):
        raise ConfigError(
            f"The policy's group {group.name} names {', '.join(unknown)}, which the out-of-fold table lacks.",
            "Correct policy.yaml, or add the column to the data contract.",
        )
    return _equal(table[group.column], group.value), _equal(table[group.reference_column], group.reference_value)


def reference_name(group: Group) -> str:
    """Whom the group is compared with, in words."""
    column, value = group.reference_column, group.reference_value
    return column if value == 1 else f"not {column}" if value == 0 else f"{column} {value}"


def stand_ins(fairness: Fairness, table: pd.DataFrame, features: Sequence[str]) -> tuple[StandIn, ...]:
    """Features that alone tell a group from its reference better than the policy allows for, strongest first."""
    found = [
        StandIn(feature=feature, group=group.name, auc=auc)
        for group in fairness.groups
        for feature in features
        if (auc := separation(table[feature], *members(table, group))) > fairness.stand_in_auc
    ]
    return tuple(sorted(found, key=lambda stand_in: (-stand_in.auc, stand_in.group, stand_in.feature)))


def separation(values: pd.Series, group: Rows, reference: Rows) -> float:
    """Area under the curve by which the values tell the group from its reference, in 0.5 to 1; either sign.

    Rows without a value are left out. A category counts as the share of the group among its rows.
    """
    from scipy.stats import rankdata

    known = values.notna().to_numpy() & (group | reference)
    inside = group[known]
    ours, theirs = count(inside), count(~inside)
    if not ours or not theirs:
        return 0.5
    ranks = rankdata(_as_numbers(values[known], inside))
    auc = (float(ranks[inside].sum()) - ours * (ours + 1) / 2) / (ours * theirs)
    return max(auc, 1 - auc)


def _as_numbers(values: pd.Series, inside: Rows) -> np.ndarray:
    if values.dtype.kind in "biuf":
        return values.to_numpy(dtype=float)
    _, codes = np.unique(values.to_numpy(dtype=str), return_inverse=True)
    return (np.bincount(codes, weights=inside) / np.bincount(codes))[codes]


def _equal(values: pd.Series, wanted: float | str) -> Rows:
    return values.eq(wanted).fillna(False).to_numpy(dtype=bool)
