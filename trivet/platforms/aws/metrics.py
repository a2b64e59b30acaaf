"""Metrics in CloudWatch, in the stack's namespace.

CloudWatch keeps no single values: what is put within a minute becomes that minute's mean, and a series is told from
others by all of its dimensions. It takes what is up to two weeks old.
Source: CloudWatch User Guide, "Metrics"; API reference of ``PutMetricData`` and ``GetMetricData``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from trivet.core.errors import ConfigError
from trivet.core.platform import Metrics
from trivet.core.specs import MetricPoint
from trivet.platforms.aws.clients import Clients
from trivet.platforms.aws.errors import told

PERIOD = timedelta(minutes=1)
TOGETHER = 500  # of the 1,000 that one call may hold, which must not exceed 1 MB
MOST_SERIES = 500  # in one query
MOST_DIMENSIONS = 30
AHEAD = timedelta(minutes=5)  # beyond now: clocks differ


class AwsMetrics(Metrics):
    """Points in one namespace."""

    def __init__(self, clients: Clients, namespace: str) -> None:
        self._clients = clients
        self._namespace = namespace

    def put(self, points: Sequence[MetricPoint]) -> None:
        for one in points:
            if not math.isfinite(one.value):
                raise ConfigError(f"The metric {one.name!r} is {one.value}, which is no number.")
            if len(one.dimensions) > MOST_DIMENSIONS:
                raise ConfigError(f"The metric {one.name!r} has more than {MOST_DIMENSIONS} dimensions.")
        with told("Metrics"):
            for start in range(0, len(points), TOGETHER):
                data = [_datum(one) for one in points[start : start + TOGETHER]]
                self._cloudwatch.put_metric_data(Namespace=self._namespace, MetricData=data)

    def query(self, name: str, since: datetime, dimensions: dict[str, str] | None = None) -> Sequence[MetricPoint]:
        begin = _minute(since)
        with told(f"The metric {name}"):
            series = self._series(name, dimensions or {})
            found = [
                point
                for start in range(0, len(series), MOST_SERIES)
                for point in self._points(name, series[start : start + MOST_SERIES], begin)
            ]
        return sorted(found, key=lambda one: one.time)

    @property
    def _cloudwatch(self) -> Any:
        return self._clients("cloudwatch")

    def _series(self, name: str, wanted: dict[str, str]) -> list[list[dict[str, str]]]:
        """The dimensions of every series that has at least the wanted ones, each once."""
        given = [{"Name": key, "Value": value} for key, value in wanted.items()]
        pages = self._cloudwatch.get_paginator("list_metrics").paginate(
            Namespace=self._namespace, MetricName=name, **({"Dimensions": given} if given else {})
        )
        every = (one["Dimensions"] for page in pages for one in page["Metrics"])
        found = {frozenset(_named(one).items()): one for one in every}
        return [one for named, one in found.items() if wanted.items() <= named]

    def _points(self, name: str, series: Sequence[list[dict[str, str]]], begin: datetime) -> Iterator[MetricPoint]:
        metrics = [{"Namespace": self._namespace, "MetricName": name, "Dimensions": one} for one in series]
        queries = [
            {
                "Id": f"m{number}",
                "MetricStat": {"Metric": metric, "Period": int(PERIOD.total_seconds()), "Stat": "Average"},
            }
            for number, metric in enumerate(metrics)
        ]
        if not queries:
            return
        pages = self._cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries, StartTime=begin, EndTime=datetime.now(UTC) + AHEAD, ScanBy="TimestampAscending"
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                told_by = _named(series[int(result["Id"][1:])])
                for time, value in zip(result["Timestamps"], result["Values"], strict=True):
                    yield MetricPoint(name=name, value=value, time=_minute(time), dimensions=told_by)


def _datum(one: MetricPoint) -> dict[str, Any]:
    dimensions = [{"Name": key, "Value": value} for key, value in sorted(one.dimensions.items())]
    return {"MetricName": one.name, "Value": one.value, "Timestamp": _minute(one.time), "Dimensions": dimensions}


def _named(dimensions: Sequence[dict[str, str]]) -> dict[str, str]:
    return {one["Name"]: one["Value"] for one in dimensions}


def _minute(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(second=0, microsecond=0)
