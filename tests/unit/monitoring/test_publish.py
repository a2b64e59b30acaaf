"""Findings as metric points, through a store of metrics that keeps them in a file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from trivet.core.findings import ENDPOINT, VERDICT, Finding, Level
from trivet.core.platform import Metrics
from trivet.core.specs import MetricPoint
from trivet.monitoring.publish import publish

from .conftest import NOW, START


class FileMetrics(Metrics):
    """One JSON line a point."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, points: Sequence[MetricPoint]) -> None:
        with self.path.open("ab") as file:
            file.writelines(point.canonical() + b"\n" for point in points)

    def query(self, name: str, since: datetime, dimensions: dict[str, str] | None = None) -> Sequence[MetricPoint]:
        points = (MetricPoint.model_validate_json(line) for line in self.path.read_bytes().splitlines())
        wanted = (dimensions or {}).items()
        return [point for point in points if point.name == name and wanted <= point.dimensions.items()]


def finding(level: Level, effect: float | None) -> Finding:
    return Finding(
        monitor="drift", subject="atotinc", level=level, effect=effect, sample=689, start=START, end=NOW,
        threshold=0.25, source="test", time=NOW,
    )  # fmt: skip


def test_a_finding_is_a_level_a_sample_and_an_effect(tmp_path: Path) -> None:
    metrics = FileMetrics(tmp_path / "metrics.jsonl")
    publish({"loan": [finding(Level.ALARM, 0.4)]}, metrics, NOW)
    found = {name: metrics.query(f"drift.{name}", NOW - timedelta(1), {"subject": "atotinc"})[0].value
             for name in ("level", "sample", "effect")}  # fmt: skip
    assert found == {"level": 2.0, "sample": 689.0, "effect": 0.4}


def test_an_unknown_is_published_too_and_is_above_every_alarm_line(tmp_path: Path) -> None:
    metrics = FileMetrics(tmp_path / "metrics.jsonl")
    publish({"loan": [finding(Level.UNKNOWN, None)]}, metrics, NOW)
    assert [point.value for point in metrics.query("drift.level", START)] == [3.0]
    assert metrics.query("drift.effect", START) == []


def test_an_endpoint_has_the_highest_level_of_its_findings_and_is_fine_where_it_serves_nothing(tmp_path: Path) -> None:
    metrics = FileMetrics(tmp_path / "metrics.jsonl")
    found = {"loan": [finding(Level.OK, 0.1), finding(Level.ALARM, 0.4), finding(Level.WARN, 0.2)], "fraud": []}
    publish(found, metrics, NOW)
    points = metrics.query(VERDICT, START)
    assert [(point.dimensions, point.value) for point in points] == [
        ({ENDPOINT: "loan"}, 2.0),
        ({ENDPOINT: "fraud"}, 0.0),
    ]
