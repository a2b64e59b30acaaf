"""What a monitor finds, and what the stack's alarms say of it by CloudWatch's rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trivet.core.findings import Finding, Level
from trivet.core.outputs import Outputs
from trivet.monitoring.publish import publish
from trivet.platforms.aws.clients import Clients
from trivet.platforms.aws.metrics import AwsMetrics
from trivet.rehearsal.fakes.aws.alarms import settle

from .conftest import Stack
from .test_aws_stack import program

NOON = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=5)


class Watched:
    """A stack that is there, and its monitors."""

    def __init__(self, stack: Stack) -> None:
        stack.up(program(network="off", database="off"))
        outputs = Outputs.parse(stack.outputs()["trivet"], "The stack's output")
        assert outputs.native.cloud == "aws"
        self.cloudwatch = stack.client("cloudwatch")
        clients = Clients(outputs.native.account, outputs.region, outputs.stack)
        self.metrics = AwsMetrics(clients, outputs.metrics.removeprefix("cloudwatch:"))

    def find(self, now: datetime, **levels: Level) -> None:
        publish({name: [finding(name, level, now)] for name, level in levels.items()}, self.metrics, now)

    def states(self, now: datetime, what: str) -> dict[str, str]:
        """Of the alarms of one kind, by endpoint, as they are then."""
        self.changed = settle(self.cloudwatch, now)
        return {name: one["StateValue"] for name, one in self.alarms(what).items()}

    def alarms(self, what: str) -> dict[str, Any]:
        alarms = self.cloudwatch.describe_alarms()["MetricAlarms"]
        found = {one["AlarmName"].split("-")[-2]: one for one in alarms if one["AlarmName"].endswith(f"-{what}")}
        assert all(one["ActionsEnabled"] for one in found.values())
        return dict(sorted(found.items()))


def finding(endpoint: str, level: Level, now: datetime) -> Finding:
    return Finding(
        monitor="drift", subject=endpoint, level=level, effect=0.4, sample=689, start=None, end=now,
        threshold=0.25, source="test", time=now,
    )  # fmt: skip


@pytest.fixture
def watched(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Watched:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    return Watched(stack)


def test_an_alarm_rings_for_its_endpoint_until_a_monitor_says_otherwise(watched: Watched):
    assert watched.states(NOON, "findings") == {"fraud": "INSUFFICIENT_DATA", "loan": "INSUFFICIENT_DATA"}
    watched.find(NOON, loan=Level.ALARM, fraud=Level.WARN)
    soon, later = NOON + timedelta(minutes=1), NOON + timedelta(hours=20)
    assert watched.states(soon, "findings") == {"fraud": "OK", "loan": "ALARM"}
    assert watched.states(later, "findings") == {"fraud": "OK", "loan": "ALARM"}, "nobody has said otherwise"
    watched.find(later, loan=Level.OK, fraud=Level.UNKNOWN)
    assert watched.states(later + timedelta(minutes=1), "findings") == {"fraud": "ALARM", "loan": "OK"}


def test_silence_is_told_of_monitors_that_have_spoken_and_of_no_others(watched: Watched):
    """An action needs a change of state, and an alarm is without data when it is made."""
    assert watched.states(NOON, "silence") == {"fraud": "INSUFFICIENT_DATA", "loan": "INSUFFICIENT_DATA"}
    assert watched.changed == {}
    watched.find(NOON, loan=Level.ALARM)
    for hours in (1, 30, 47):
        assert watched.states(NOON + timedelta(hours=hours), "silence")["loan"] == "OK", "an alarm is no silence"
    assert watched.states(NOON + timedelta(hours=49), "silence")["loan"] == "INSUFFICIENT_DATA"
    [silent] = watched.changed
    assert silent.endswith("-loan-silence")
    told = watched.alarms("silence")["loan"]
    assert told["InsufficientDataActions"] == watched.alarms("findings")["loan"]["AlarmActions"] != []
