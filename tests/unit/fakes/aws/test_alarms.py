"""The state of an alarm by its data, as CloudWatch finds it."""

from __future__ import annotations

from typing import Any

import pytest

from trivet.rehearsal.fakes.aws.alarms import state_of
from trivet.rehearsal.fakes.aws.metrics import Datum

MAIN = frozenset({("EndpointName", "loan"), ("VariantName", "main")})


def alarm(**more: Any) -> dict[str, Any]:
    return {
        "MetricName": "ModelLatency",
        "Dimensions": [{"Name": name, "Value": value} for name, value in MAIN],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 3,
        "Threshold": 10.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        **more,
    }


def data(*values: tuple[float, float], dimensions: frozenset[tuple[str, str]] = MAIN) -> list[Datum]:
    """Values with their ages in seconds, at the time 1000."""
    return [Datum(1000 - age, "eu", "ModelLatency", dimensions, value) for age, value in values]


@pytest.mark.parametrize(
    ("more", "values", "state"),
    [
        ({}, [(1, 10), (61, 10), (121, 10)], "ALARM"),
        ({}, [(1, 10), (61, 10), (121, 9)], "OK"),
        ({}, [(1, 4), (2, 6), (61, 10), (121, 10)], "ALARM"),
        ({}, [(1, 10), (61, 10)], "OK"),  # a period without data does not breach
        ({}, [], "INSUFFICIENT_DATA"),
        ({"TreatMissingData": "notBreaching"}, [], "OK"),
        ({"TreatMissingData": "breaching"}, [], "ALARM"),
        ({"TreatMissingData": "ignore"}, [], ""),
        ({"DatapointsToAlarm": 2}, [(1, 10), (121, 10)], "ALARM"),
        ({"DatapointsToAlarm": 2}, [(1, 10), (181, 10)], "OK"),
        ({"Statistic": "Average", "EvaluationPeriods": 1}, [(1, 30), (2, 0), (3, 0), (4, 9)], "OK"),
        ({"Statistic": "Maximum", "EvaluationPeriods": 1}, [(1, 30), (2, 0)], "ALARM"),
        ({"Statistic": "Minimum", "EvaluationPeriods": 1}, [(1, 30), (2, 0)], "OK"),
        ({"Statistic": "SampleCount", "EvaluationPeriods": 1, "Threshold": 2.0}, [(1, 0), (2, 0)], "ALARM"),
        ({"ExtendedStatistic": "p50", "EvaluationPeriods": 1}, [(1, 1), (2, 10), (3, 99)], "ALARM"),
        ({"ExtendedStatistic": "p50", "EvaluationPeriods": 1}, [(1, 1), (2, 9), (3, 99)], "OK"),
        ({"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1}, [(1, 10)], "OK"),
        ({"ComparisonOperator": "LessThanThreshold", "EvaluationPeriods": 1}, [(1, 9)], "ALARM"),
    ],
)
def test_a_state_follows_from_the_data(more: dict[str, Any], values: list[tuple[float, float]], state: str):
    assert state_of(alarm(**more), data(*values), 1000, 1) == state


def test_periods_pass_faster_by_the_speed():
    values = data((0.5, 10), (1.5, 10), (2.5, 10))
    assert state_of(alarm(), values, 1000, 60) == "ALARM"
    assert state_of(alarm(), values, 1000, 1) == "OK"


def test_other_dimensions_are_another_metric():
    other = MAIN | {("EndpointConfigName", "new")}
    assert state_of(alarm(EvaluationPeriods=1), data((1, 99), dimensions=other), 1000, 1) == "INSUFFICIENT_DATA"
