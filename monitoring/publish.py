"""Findings as metrics, so that alarms, dashboards and rollouts see what the monitors found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain

from trivet.core.findings import ENDPOINT, LEVELS, VERDICT, Finding, Level
from trivet.core.platform import Metrics
from trivet.core.specs import MetricPoint


def publish(found: Mapping[str, Sequence[Finding]], metrics: Metrics, now: datetime) -> None:
    """Store each finding's level, as ``<monitor>.level`` (``LEVELS``), and its effect where it has one.

    Of each endpoint also ``verdict``, the highest of its levels. One that serves nothing is fine: so what is heard of
    no more is a monitor that does not run.

    :param found: the findings by endpoint.
    """
    every = chain.from_iterable(found.values())
    verdicts = [_verdict(endpoint, own, now) for endpoint, own in found.items()]
    metrics.put([*(point for finding in every for point in _points(finding)), *verdicts])


def _points(finding: Finding) -> list[MetricPoint]:
    dimensions = {"subject": finding.subject}
    numbers = {"level": LEVELS[finding.level], "sample": float(finding.sample)}
    if finding.effect is not None:
        numbers["effect"] = finding.effect
    return [
        MetricPoint(name=f"{finding.monitor}.{what}", value=value, time=finding.time, dimensions=dimensions)
        for what, value in numbers.items()
    ]


def _verdict(endpoint: str, found: Sequence[Finding], now: datetime) -> MetricPoint:
    highest = max((LEVELS[one.level] for one in found), default=LEVELS[Level.OK])
    return MetricPoint(name=VERDICT, value=highest, time=now, dimensions={ENDPOINT: endpoint})
