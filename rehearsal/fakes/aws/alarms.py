"""What CloudWatch says of alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trivet.rehearsal.fakes.aws.world import World


def first_in_alarm(world: World, region: str, names: list[str]) -> str:
    """The first of these alarms that is in ALARM; an empty text when none is."""
    if not names:
        return ""
    found = world.client("cloudwatch", region).describe_alarms(AlarmNames=names)
    alarms = [*found.get("MetricAlarms", []), *found.get("CompositeAlarms", [])]
    return next((alarm["AlarmName"] for alarm in alarms if alarm["StateValue"] == "ALARM"), "")
