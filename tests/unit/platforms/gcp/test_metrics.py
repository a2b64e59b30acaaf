"""Metrics in Cloud Monitoring: what their descriptors say, and who says it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from trivet.core.errors import ConfigError
from trivet.core.platform import Platform
from trivet.core.specs import MetricPoint
from trivet.rehearsal.rigs.gcp import GcpRig


@pytest.fixture
def point(new_name: Callable[[], str]) -> Callable[..., MetricPoint]:
    name, now = new_name(), datetime.now(UTC)
    return lambda value, **labels: MetricPoint(name=name, value=value, time=now, dimensions=labels)


def test_a_dimension_that_comes_later_is_taken_whoever_wrote_before(
    rig: GcpRig, point: Callable[..., MetricPoint]
) -> None:
    first, other, third = point(1.0, model="loan"), point(2.0, model="loan", shift="night"), point(3.0)
    with rig.reconnect() as one, rig.reconnect() as two:
        one.metrics.put([first])
        two.metrics.put([other, third])
        one.metrics.put([point(4.0, shift="day")])
        found = one.metrics.query(first.name, first.time - timedelta(minutes=1))
    assert sorted((one.value, sorted(one.dimensions)) for one in found) == [
        (1.0, ["model"]),
        (2.0, ["model", "shift"]),
        (3.0, []),
        (4.0, ["shift"]),
    ]


def test_descriptors_are_asked_for_once(rig: GcpRig, platform: Platform, point: Callable[..., MetricPoint]) -> None:
    platform.metrics.put([point(1.0, model="loan")])
    rig.fake.forget_calls()
    platform.metrics.put([point(2.0, model="other")])
    assert [one["operation"] for one in rig.fake.calls() if "Descriptor" in one["operation"]] == []


def test_without_the_right_to_describe_a_metric_nothing_is_written(
    rig: GcpRig, platform: Platform, point: Callable[..., MetricPoint]
) -> None:
    rig.fake.fault("CreateMetricDescriptor", code="INVALID_ARGUMENT", message="No.")
    with pytest.raises(ConfigError, match="No"):
        platform.metrics.put([point(1.0, model="loan")])
    assert platform.metrics.query(point(1.0).name, datetime.now(UTC) - timedelta(hours=1)) == []
