"""Whether to retrain now: something must ask for it, and nothing must speak against it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from trivet.core.document import Document
from trivet.core.findings import Finding, Level
from trivet.core.project import Retrain


class Decision(Document):
    """Whether to run, and why or why not."""

    run: bool
    reason: str


def needed(
    now: datetime,
    last_training: datetime | None,
    served_since: datetime | None,
    findings: Sequence[Finding],
    labels_since: int,
    settings: Retrain,
) -> Decision:
    """Decide from what is known.

    An alarm asks, the served model's age asks, and so does an endpoint that serves nothing. What asks is heard once
    the cool-down since ``last_training`` is over and, unless nothing is served, enough labels came in since then.
    An ``unknown`` finding asks for nothing: to train again does not bring back missing records.
    """
    asks = "; ".join(_asking(now, served_since, findings, settings))
    if not asks:
        return Decision(run=False, reason=f"Nothing asks for a new model: {_calm(findings, served_since)}.")
    if against := "; ".join(_against(now, last_training, served_since, labels_since, settings)):
        return Decision(run=False, reason=f"A new model is asked for ({asks}), but {against}.")
    return Decision(run=True, reason=f"A new model is asked for: {asks}.")


def _asking(
    now: datetime, served_since: datetime | None, findings: Sequence[Finding], settings: Retrain
) -> Iterator[str]:
    if served_since is None:
        yield "nothing is served"
    elif now - served_since >= settings.every:
        yield f"the served model is {now - served_since} old and the schedule is {settings.every}"
    for finding in findings:
        if finding.level is Level.ALARM:
            effect = "" if finding.effect is None else f" at {finding.effect:.2f}"
            yield f"{finding.monitor} alarms on {finding.subject}{effect}"


def _against(
    now: datetime,
    last_training: datetime | None,
    served_since: datetime | None,
    labels_since: int,
    settings: Retrain,
) -> Iterator[str]:
    if last_training is not None and now - last_training < settings.cooldown:
        yield f"the last training was {now - last_training} ago and the cool-down is {settings.cooldown}"
    if served_since is not None and labels_since < settings.minimum_labels:
        yield f"{labels_since:,} labels came in since and {settings.minimum_labels:,} are needed to learn anything new"


def _calm(findings: Sequence[Finding], served_since: datetime | None) -> str:
    unknown = sum(finding.level is Level.UNKNOWN for finding in findings)
    told = f"{unknown} of {len(findings)} findings are unknown" if unknown else "no finding is an alarm"
    return f"{told}, and the model served since {served_since:%Y-%m-%d %H:%M} is not too old"
