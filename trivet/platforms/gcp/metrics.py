"""Metrics in Cloud Monitoring, as user-defined ones under the stack's own name.

A series takes a point every 5 seconds, each later than the last, up to 25 hours old. So what is put together within 5
seconds becomes its mean, and one that comes late, after a later one, is refused: nothing is lost in silence.
Source: Cloud Monitoring, "Create user-defined metrics with the API" and ``projects.timeSeries``.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from statistics import fmean
from typing import Any

from google.api_core.exceptions import GoogleAPICallError

from trivet.clouds.gcpnames import METRIC_RESOURCE
from trivet.core.errors import ConfigError, NotReady, PlatformError
from trivet.core.platform import Metrics
from trivet.core.specs import MetricPoint
from trivet.platforms.gcp.clients import Again, Clients
from trivet.platforms.gcp.errors import BAD, said, told

PERIOD = timedelta(seconds=5)
TOGETHER = 200  # series that one call may hold
MOST_LABELS = 30
AHEAD = timedelta(minutes=5)  # beyond now: clocks differ
_NAME, _KEY = re.compile(r"[A-Za-z0-9_./-]{1,150}"), re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,99}")
_LATE = ("written in order", "more frequently")

Series = tuple[str, tuple[tuple[str, str], ...]]  # a metric's name and its dimensions


class GcpMetrics(Metrics):
    """Points of the metrics whose types begin alike."""

    def __init__(self, clients: Clients, begin: str) -> None:
        """:param begin: such as ``custom.googleapis.com/trivet/PREFIX``."""
        self._clients = clients
        self._begin = begin
        self._path = f"v3/projects/{clients.project}/timeSeries"

    def put(self, points: Sequence[MetricPoint]) -> None:
        for one in points:
            _check(one)
        rounds: dict[int, list[MetricPoint]] = defaultdict(list)
        for series in _merged(points):
            for number, one in enumerate(series):
                rounds[number].append(one)
        for number in sorted(rounds):  # of each series one point at a time, the oldest first
            every = rounds[number]
            for start in range(0, len(every), TOGETHER):
                self._write(every[start : start + TOGETHER])

    def query(self, name: str, since: datetime, dimensions: dict[str, str] | None = None) -> Sequence[MetricPoint]:
        begin, wanted = _period(since), dimensions or {}
        for key in wanted:
            _check_key(name, key)
        terms = [f'metric.type="{self._begin}/{name}"']
        terms += [f'metric.labels.{key}="{_escaped(value)}"' for key, value in sorted(wanted.items())]
        return sorted(self._points(name, " AND ".join(terms), begin), key=lambda one: one.time)

    def _points(self, name: str, wanted: str, begin: datetime) -> Iterator[MetricPoint]:
        interval = {
            # What is read begins after this.
            "interval.startTime": _stamp(begin - timedelta(microseconds=1)),
            "interval.endTime": _stamp(datetime.now(UTC) + AHEAD),
        }
        with told(f"The metric {name}"):
            pages = self._clients.pages("monitoring", self._path, "timeSeries", filter=wanted, **interval)
            for series in pages:
                for point in series["points"]:
                    yield MetricPoint(
                        name=name,
                        value=point["value"]["doubleValue"],
                        time=_period(datetime.fromisoformat(point["interval"]["endTime"])),
                        dimensions=series["metric"].get("labels", {}),
                    )

    def _write(self, points: Sequence[MetricPoint]) -> None:
        body = {"timeSeries": [self._series(one) for one in points]}
        with told("Metrics"):
            try:
                self._clients.post("monitoring", self._path, body, Again.ALWAYS)
            except GoogleAPICallError as error:
                if error.code != BAD or not any(words in said(error) for words in _LATE):
                    raise
                # The others were written. It may have been our own call, whose answer was lost.
                if late := [one for one in points if not self._is_there(one)]:
                    raise _late(late[0]) from error

    def _is_there(self, point: MetricPoint) -> bool:
        there = self.query(point.name, point.time, point.dimensions)
        return any(
            (one.time, one.value, one.dimensions) == (point.time, point.value, point.dimensions) for one in there
        )

    def _series(self, one: MetricPoint) -> dict[str, Any]:
        return {
            "metric": {"type": f"{self._begin}/{one.name}", "labels": dict(sorted(one.dimensions.items()))},
            "resource": {"type": METRIC_RESOURCE, "labels": {"project_id": self._clients.project}},
            "metricKind": "GAUGE",
            "valueType": "DOUBLE",
            "points": [{"interval": {"endTime": _stamp(one.time)}, "value": {"doubleValue": one.value}}],
        }


def _late(point: MetricPoint) -> Exception:
    if datetime.now(UTC) - point.time <= 2 * PERIOD:
        return NotReady(f"The metric {point.name!r} has a point of these 5 seconds already.", "Try again in 5 seconds.")
    return PlatformError(
        f"The metric {point.name!r} has a later point than {point.time:%Y-%m-%d %H:%M:%S} UTC, and Cloud Monitoring "
        "takes none before it.",
        "Put points in the order of their times.",
    )


def _merged(points: Sequence[MetricPoint]) -> list[list[MetricPoint]]:
    """The points of each series in order, those within a period as their mean."""
    found: dict[Series, dict[datetime, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in points:
        found[one.name, tuple(sorted(one.dimensions.items()))][_period(one.time)].append(one.value)
    return [
        [
            MetricPoint(name=name, value=fmean(values), time=time, dimensions=dict(dimensions))
            for time, values in sorted(times.items())
        ]
        for (name, dimensions), times in found.items()
    ]


def _check(one: MetricPoint) -> None:
    if not math.isfinite(one.value):
        raise ConfigError(f"The metric {one.name!r} is {one.value}, which is no number.")
    if not _NAME.fullmatch(one.name):
        raise ConfigError(f"{one.name!r} is no name of a metric.", "Use letters, digits and _ . / -.")
    if len(one.dimensions) > MOST_LABELS:
        raise ConfigError(f"The metric {one.name!r} has more than {MOST_LABELS} dimensions.")
    for key in one.dimensions:
        _check_key(one.name, key)


def _check_key(name: str, key: str) -> None:
    if not _KEY.fullmatch(key):
        raise ConfigError(f"{key!r} is no name of a dimension of {name!r}.", "Use letters, digits and underscores.")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _period(time: datetime) -> datetime:
    """The beginning of the 5 seconds of a time."""
    time = time.astimezone(UTC)
    return time.replace(second=time.second - time.second % int(PERIOD.total_seconds()), microsecond=0)


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
