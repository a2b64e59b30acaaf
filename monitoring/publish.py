"""Findings as metrics, so that alarms, dashboards and rollouts see what the monitors found."""

from __future__ import annotations

from collections.abc import Sequence

from trivet.core.findings import Finding, Level
from trivet.core.platform import Metrics
from trivet.core.specs import MetricPoint

LEVELS = {Level.OK: 0.0, Level.WARN: 1.0, Level.ALARM: 2.0, Level.UNKNOWN: 3.0}


def publish(findings: Sequence[Finding], metrics: Metrics) -> None:
    """Store each finding's level, as ``<monitor>.level`` (``LEVELS``), and its effect where it has one."""
    metrics.put([point for finding in findings for point in _points(finding)])


def _points(finding: Finding) -> list[MetricPoint]:
    dimensions = {"subject": finding.subject}
    numbers = {"level": LEVELS[finding.level], "sample": float(finding.sample)}
    if finding.effect is not None:
        numbers["effect"] = finding.effect
    return [
        MetricPoint(name=f"{finding.monitor}.{what}", value=value, time=finding.time, dimensions=dimensions)
        for what, value in numbers.items()
    ]
