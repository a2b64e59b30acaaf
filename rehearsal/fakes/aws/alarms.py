"""Alarms on endpoints: what CloudWatch says of them and, with the setting ``evaluate``, what their metrics say.

moto keeps alarms and never evaluates them. With the setting on, those of the namespace AWS/SageMaker on one metric are
evaluated by the rules of "Using Amazon CloudWatch alarms"; periods pass faster by the setting ``speed``. Those on a
stack's own metrics are evaluated where a test says what time it is.
"""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from trivet.rehearsal.fakes.aws.metrics import NAMESPACE, Datum

if TYPE_CHECKING:
    from trivet.rehearsal.fakes.aws.world import World

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Sum": sum,
    "Average": lambda values: sum(values) / len(values),
    "Minimum": min,
    "Maximum": max,
    "SampleCount": len,
}

_PUT = "what was put"


def first_in_alarm(world: World, region: str, names: list[str]) -> str:
    """The first of these alarms that is in ALARM; an empty text when none is."""
    if not names:
        return ""
    found = world.client("cloudwatch", region).describe_alarms(AlarmNames=names)
    alarms = [*found.get("MetricAlarms", []), *found.get("CompositeAlarms", [])]
    return next((alarm["AlarmName"] for alarm in alarms if alarm["StateValue"] == "ALARM"), "")


def evaluate(world: World, data: Iterable[Datum]) -> None:
    """Give every alarm on SageMaker's endpoints the state that the data say."""
    data = list(data)
    for region in {datum.region for datum in data}:
        cloudwatch = world.client("cloudwatch", region)
        own = [datum for datum in data if datum.region == region]
        for alarm in cloudwatch.describe_alarms().get("MetricAlarms", []):
            if alarm.get("Namespace") != NAMESPACE or alarm.get("ComparisonOperator") not in _COMPARE:
                continue
            state = state_of(alarm, own, time.monotonic(), world.settings.speed)
            if state and state != alarm["StateValue"]:
                said = f"{alarm['MetricName']} against the threshold {alarm['Threshold']}"
                cloudwatch.set_alarm_state(AlarmName=alarm["AlarmName"], StateValue=state, StateReason=said)


def settle(cloudwatch: Any, now: datetime) -> dict[str, str]:
    """Give every alarm on one metric of the account's own the state that CloudWatch's data say.

    Returns the new states of those that changed, which is what their actions are for. AWS makes an alarm in the state
    INSUFFICIENT_DATA, and moto in OK.

    :param cloudwatch: boto3's client.
    :param now: what time it is. Nothing passes faster: such metrics are put by the clock's full minutes.
    """
    changed: dict[str, str] = {}
    for alarm in cloudwatch.describe_alarms()["MetricAlarms"]:
        if alarm.get("Namespace", "AWS/").startswith("AWS/") or alarm.get("ComparisonOperator") not in _COMPARE:
            continue
        wanted = alarm.get("Dimensions", [])
        found = cloudwatch.get_metric_statistics(
            Namespace=alarm["Namespace"],
            MetricName=alarm["MetricName"],
            Dimensions=wanted,
            StartTime=now - timedelta(seconds=alarm["Period"] * alarm["EvaluationPeriods"]),
            EndTime=now,
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
        named = frozenset((one["Name"], one["Value"]) for one in wanted)
        data = [Datum(one["Timestamp"].timestamp(), "", alarm["MetricName"], named, one["Maximum"]) for one in found]
        before = alarm["StateValue"] if alarm["StateReason"] == _PUT else "INSUFFICIENT_DATA"
        state = state_of(alarm, data, now.timestamp(), speed=1) or before
        cloudwatch.set_alarm_state(AlarmName=alarm["AlarmName"], StateValue=state, StateReason=_PUT)
        if state != before:
            changed[alarm["AlarmName"]] = state
    return changed


def state_of(alarm: dict[str, Any], data: Iterable[Datum], present: float, speed: float) -> str:
    """OK, ALARM or INSUFFICIENT_DATA; an empty text where it stays what it is.

    :param alarm: as DescribeAlarms gives it.
    :param present: on the clock of the data, in seconds.
    """
    wanted = frozenset((one["Name"], one["Value"]) for one in alarm.get("Dimensions", []))
    values = [(one.at, one.value) for one in data if one.name == alarm["MetricName"] and one.dimensions == wanted]
    period = alarm["Period"] / speed
    breaches: list[bool | None] = []
    for number in range(alarm["EvaluationPeriods"]):
        end = present - number * period
        inside = [value for at, value in values if end - period < at <= end]
        breaches.append(_breaches(alarm, inside) if inside else _missing(alarm))
    known = [one for one in breaches if one is not None]
    if not known:
        return "" if alarm.get("TreatMissingData") == "ignore" else "INSUFFICIENT_DATA"
    return "ALARM" if sum(known) >= alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"]) else "OK"


def _breaches(alarm: dict[str, Any], values: list[float]) -> bool:
    if percentile := alarm.get("ExtendedStatistic"):
        ranked = sorted(values)
        found = ranked[math.ceil(float(percentile.lstrip("p")) / 100 * len(ranked)) - 1]
    else:
        found = _STATISTICS[alarm["Statistic"]](values)
    return _COMPARE[alarm["ComparisonOperator"]](found, alarm["Threshold"])


def _missing(alarm: dict[str, Any]) -> bool | None:
    return {"breaching": True, "notBreaching": False}.get(alarm.get("TreatMissingData", "missing"))
