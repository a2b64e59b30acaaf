from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from trivet.core.errors import ConfigError
from trivet.core.platform import Platform
from trivet.core.specs import MetricPoint
from trivet.rehearsal.rigs import Rig

# Full minutes of today: clouds keep no finer times for long, and take none that is much older.
NOON = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=3)


def test_points_come_back_oldest_first_and_since(rig: Rig, new_name: Callable[[], str]) -> None:
    name = new_name()
    points = [MetricPoint(name=name, value=hour, time=NOON + timedelta(hours=hour)) for hour in (2, 0, 1)]
    rig.platform.metrics.put(points)
    rig.platform.metrics.put([MetricPoint(name=f"{name}-other", value=9, time=NOON)])
    assert [one.value for one in rig.reconnect().metrics.query(name, NOON)] == [0, 1, 2]
    assert [one.value for one in rig.platform.metrics.query(name, NOON + timedelta(hours=1))] == [1, 2]


def test_a_query_takes_points_with_at_least_its_dimensions(platform: Platform, new_name: Callable[[], str]) -> None:
    name = new_name()
    both = MetricPoint(name=name, value=1, time=NOON, dimensions={"model": "loan", "version": "1"})
    one = MetricPoint(name=name, value=2, time=NOON, dimensions={"model": "loan"})
    platform.metrics.put([both, one])
    assert set(map(repr, platform.metrics.query(name, NOON))) == {repr(both), repr(one)}
    assert list(platform.metrics.query(name, NOON, {"version": "1"})) == [both]
    assert list(platform.metrics.query(name, NOON, {"version": "2"})) == []


def test_times_of_any_zone_mean_the_same(platform: Platform, new_name: Callable[[], str]) -> None:
    name, east = new_name(), timezone(timedelta(hours=9))
    platform.metrics.put([MetricPoint(name=name, value=1, time=NOON.astimezone(east))])
    [point] = platform.metrics.query(name, NOON.astimezone(east))
    assert point.time == NOON


def test_an_unknown_metric_has_no_points(platform: Platform) -> None:
    assert list(platform.metrics.query("never-put", NOON)) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused_and_nothing_stored(
    platform: Platform, new_name: Callable[[], str], value: float
) -> None:
    name = new_name()
    with pytest.raises(ConfigError):
        platform.metrics.put([MetricPoint(name=name, value=number, time=NOON) for number in (1.0, value)])
    assert list(platform.metrics.query(name, NOON)) == []
