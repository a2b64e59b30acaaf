"""Verdicts: of the gate on a release, and of a monitor on a stream. Never a silent absence."""

from __future__ import annotations

from enum import StrEnum

from pydantic import AwareDatetime, Field

from trivet.core.document import Document


class Verdict(StrEnum):
    """What the gate says of one measure and of a release."""

    PASS = "pass"  # noqa: S105  the interval meets the policy throughout
    FAIL = "fail"  # the interval misses the policy throughout
    INCONCLUSIVE = "inconclusive"  # the interval straddles the policy
    INSUFFICIENT = "insufficient"  # too few rows to say


SEVERITY = (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.INSUFFICIENT, Verdict.FAIL)


def worst(verdicts: list[Verdict]) -> Verdict:
    """The verdict on the whole: the gate is closed by default, so nothing at all is insufficient."""
    return max(verdicts, key=SEVERITY.index, default=Verdict.INSUFFICIENT)


class Measure(Document):
    """One number of the gate's report, with its interval, its bound and the verdict."""

    name: str
    group: str = ""
    reference: str = ""
    value: float | None
    low: float | None
    high: float | None
    bound: float | None = Field(description="None where the measure is only reported.")
    rows: int
    verdict: Verdict | None = Field(description="None where the measure is only reported.")
    note: str = ""


class StandIn(Document):
    """A feature that tells a protected group apart, so that leaving the group's column out hides nothing."""

    feature: str
    group: str
    auc: float = Field(description="How well the feature alone separates the group: 0.5 not at all, 1 entirely.")


class GateReport(Document):
    """What the gate found about one candidate."""

    candidate: str
    threshold: float
    verdict: Verdict
    measures: tuple[Measure, ...]
    stand_ins: tuple[StandIn, ...] = ()
    accuracy: float
    reasons: tuple[str, ...] = Field(description="One sentence for each measure that is not a pass.")


class Level(StrEnum):
    """A monitor's verdict."""

    OK = "ok"
    WARN = "warn"
    ALARM = "alarm"
    UNKNOWN = "unknown"


LEVELS = {Level.OK: 0.0, Level.WARN: 1.0, Level.ALARM: 2.0, Level.UNKNOWN: 3.0}
"""Levels as metrics have them: what is unknown is above every alarm line."""
VERDICT, ENDPOINT = "verdict", "endpoint"
"""The metric of an endpoint's highest level, and its only dimension: what monitors write and alarms read."""


class Finding(Document):
    """What a monitor found in a window."""

    monitor: str
    subject: str
    level: Level
    effect: float | None
    sample: int
    start: AwareDatetime | None
    end: AwareDatetime | None
    threshold: float
    source: str = Field(description="Where the threshold comes from.")
    note: str = ""
    time: AwareDatetime
