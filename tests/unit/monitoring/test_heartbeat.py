"""Silence is told apart from calm."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from trivet.core.findings import Level
from trivet.core.specs import EndpointState, EndpointStatus
from trivet.monitoring.heartbeat import heartbeat

from .conftest import NOW

DAY = timedelta(days=1)


def endpoint(status: EndpointStatus = EndpointStatus.READY, since: datetime | None = NOW - 30 * DAY) -> EndpointState:
    return EndpointState(name="loan", status=status, url="http://127.0.0.1:1", since=since)


def test_records_that_come_in_are_ok() -> None:
    found = heartbeat(NOW - timedelta(hours=3), endpoint(), 7 * DAY, NOW)
    assert found.level is Level.OK
    assert (found.effect, found.threshold, found.subject) == (3.0, 168.0, "loan")


def test_a_ready_endpoint_without_records_is_unknown_with_the_time_of_the_last() -> None:
    found = heartbeat(NOW - 8 * DAY, endpoint(), 7 * DAY, NOW)
    assert found.level is Level.UNKNOWN
    assert "the endpoint is ready, but the last record is of 2026-11-15 15:08 UTC" in found.note
    assert found.start == NOW - 8 * DAY


def test_one_that_never_had_any_says_so() -> None:
    found = heartbeat(None, endpoint(), 7 * DAY, NOW)
    assert (found.level, found.effect, found.sample) == (Level.UNKNOWN, None, 0)
    assert "no record ever came in" in found.note
    assert heartbeat(None, endpoint(since=None), 7 * DAY, NOW).level is Level.UNKNOWN


def test_one_that_is_ready_since_a_moment_ago_gets_its_time() -> None:
    assert heartbeat(None, endpoint(since=NOW - DAY), 7 * DAY, NOW).level is Level.OK
    assert heartbeat(NOW - 20 * DAY, endpoint(since=NOW - DAY), 7 * DAY, NOW).level is Level.OK


@pytest.mark.parametrize("status", [one for one in EndpointStatus if one is not EndpointStatus.READY])
def test_an_endpoint_that_is_not_ready_is_unknown_whatever_came_in(status: EndpointStatus) -> None:
    found = heartbeat(NOW, endpoint(status), 7 * DAY, NOW)
    assert found.level is Level.UNKNOWN
    assert f"the endpoint is {status}" in found.note
