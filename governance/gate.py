"""The gate: decides on a candidate, at the threshold it would be served with, and is closed by default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from trivet.core.errors import ConfigError
from trivet.core.findings import GateReport, Measure, Verdict, worst
from trivet.core.policy import Bound, Policy
from trivet.governance import fairness
from trivet.governance.intervals import Count, Estimate, estimate, judge_interval, limit_of, share
from trivet.governance.outcome import Outcome
from trivet.governance.wording import label

if TYPE_CHECKING:
    import pandas as pd

Metrics = Mapping[str, tuple[float | None, float | None, float | None]]

ACCURACY = "accuracy"
BAD_RISKS = "bad_risks_caught"
SERVED = "auc_difference_to_served"
SCORED = "rows_scored"

EVERY_ROW = Bound(minimum=1, source="Of a row without a score nothing is known: the gate is closed by default.")


def judge(
    candidate: str,
    threshold: float,
    table: pd.DataFrame,
    metrics: Metrics,
    policy: Policy,
    *,
    features: Sequence[str],
    target: str = "target",
    score: str = "score",
) -> GateReport:
    """Judge one candidate by the policy.

    ``table`` holds every row once, with its out-of-fold ``score`` (0 to 1), its ``target`` (1 positive, 0 not), the
    columns of the policy's groups and the ``features``. ``metrics`` maps a name to value, lower and upper bound, as
    the evaluation found them; what the table itself tells at ``threshold`` is counted here and overrides it.

    The verdict is the worst of the measures that the policy bounds. A number that is missing, not finite or outside
    its own interval is never a pass; neither is a metric that nobody measured, except the difference to the served
    release, which does not exist before the first.

    :raises ConfigError: when the table lacks a column or the target is anything but 0 and 1.
    """
    _check_columns(table, {target, score, *features})
    outcome, scored = _decide(table, target, score, threshold)
    complete = scored.events == scored.rows
    measures = [_scored(scored)]
    if complete:
        measures += _of_the_model(outcome, metrics, policy)
        measures += fairness.measures(policy.fairness, table, outcome, policy.confidence) if policy.fairness else ()
    bounds = bounds_of(policy)
    return GateReport(
        candidate=candidate,
        threshold=threshold,
        verdict=worst([measure.verdict for measure in measures if measure.verdict]),
        measures=tuple(measures),
        stand_ins=fairness.stand_ins(policy.fairness, table, features) if policy.fairness else (),
        accuracy=outcome.right.events / outcome.right.rows if complete and scored.rows else 0.0,
        reasons=tuple(
            sentence(measure, bounds[measure.name])
            for measure in measures
            if measure.verdict not in (None, Verdict.PASS)
        ),
    )


def bounds_of(policy: Policy) -> dict[str, Bound]:
    """Every bound that the gate holds a measure against, by the measure's name."""
    demanded = {SCORED: EVERY_ROW} | policy.metrics
    if policy.fairness:
        demanded[fairness.SELECTION] = policy.fairness.selection_ratio
        demanded[fairness.FALSE_DENIAL] = policy.fairness.false_denial_ratio
    return demanded


def sentence(measure: Measure, bound: Bound) -> str:
    """What a measure found, what the policy wants of it, and how the two stand."""
    whose = f" of {measure.group} against {measure.reference}" if measure.group else ""
    found = "unknown" if measure.value is None else f"{measure.value:.2f} [{measure.low:.2f}, {measure.high:.2f}]"
    side = "at least" if bound.minimum is not None else "at most"
    how = _MEANING.get(measure.verdict or Verdict.PASS, measure.note)
    return f"The {label(measure.name)}{whose} is {found} and the policy wants {side} {limit_of(bound):.2f}: {how}."


_MEANING = {
    Verdict.PASS: "the whole interval meets it",
    Verdict.INCONCLUSIVE: "the interval straddles it",
    Verdict.FAIL: "the whole interval misses it",
}


def _check_columns(table: pd.DataFrame, wanted: set[str]) -> None:
    if missing := sorted(wanted - set(table)):
        raise ConfigError(
            f"The out-of-fold table lacks {', '.join(missing)}.", "Run the training again with this project's files."
        )


def _decide(table: pd.DataFrame, target: str, score: str, threshold: float) -> tuple[Outcome, Count]:
    truth = table[target].to_numpy(dtype=float, na_value=np.nan)
    if not np.isin(truth, (0, 1)).all():
        raise ConfigError(f"Column {target} of the out-of-fold table holds something else than 0 and 1.")
    scores = table[score].to_numpy(dtype=float, na_value=np.nan)
    scored = np.count_nonzero((scores >= 0) & (scores <= 1))
    return Outcome(selected=scores >= threshold, positive=truth == 1), Count(int(scored), len(scores))


def _scored(scored: Count) -> Measure:
    exact = scored.events / scored.rows if scored.rows else None
    return _measure(SCORED, estimate(exact, exact, exact), EVERY_ROW, scored.rows, f"{scored} have a score in 0 to 1")


def _of_the_model(outcome: Outcome, metrics: Metrics, policy: Policy) -> Iterator[Measure]:
    counted = {
        ACCURACY: (outcome.right, f"decided rightly; all alike would be right for {outcome.alike}"),
        BAD_RISKS: (outcome.caught, "truly negative rows denied"),
    }
    for name in dict.fromkeys([*policy.metrics, *counted, *metrics]):
        bound = policy.metrics.get(name)
        if name in counted:
            rows, words = counted[name]
            yield _measure(name, share(rows, policy.confidence), bound, rows.rows, f"{rows} {words}")
        elif name in metrics:
            yield _measure(name, estimate(*metrics[name]), bound, len(outcome.positive))
        elif name == SERVED:
            yield _measure(name, None, None, 0, "no release is served yet that it could be compared with")
        else:
            yield _measure(name, None, bound, 0, "nobody measured it")


def _measure(name: str, found: Estimate | None, bound: Bound | None, rows: int, note: str = "") -> Measure:
    return Measure(
        name=name,
        value=found and found.value,
        low=found and found.low,
        high=found and found.high,
        bound=bound and limit_of(bound),
        rows=rows,
        verdict=bound and judge_interval(found, bound),
        note=note or ("" if found else "it is no number inside an interval"),
    )
