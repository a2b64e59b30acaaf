"""When to retrain, and why not."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from trivet.core.findings import Finding, Level
from trivet.core.project import Retrain
from trivet.monitoring.retrain import needed

from .conftest import NOW

SETTINGS = Retrain(every=timedelta(days=30), cooldown=timedelta(hours=24), minimum_labels=200)
DAY = timedelta(days=1)


def finding(level: Level) -> Finding:
    return Finding(
        monitor="drift", subject="atotinc", level=level, effect=0.4 if level is Level.ALARM else None, sample=500,
        start=NOW - DAY, end=NOW, threshold=0.25, source="test", time=NOW,
    )  # fmt: skip


def test_an_alarm_asks_for_a_new_model() -> None:
    found = needed(NOW, NOW - 5 * DAY, NOW - 5 * DAY, [finding(Level.OK), finding(Level.ALARM)], 300, SETTINGS)
    assert found.run
    assert found.reason == "A new model is asked for: drift alarms on atotinc at 0.40."


def test_so_does_the_schedule() -> None:
    found = needed(NOW, NOW - 31 * DAY, NOW - 31 * DAY, [finding(Level.OK)], 300, SETTINGS)
    assert found.run
    assert "31 days" in found.reason
    assert not needed(NOW, NOW - 29 * DAY, NOW - 29 * DAY, [finding(Level.OK)], 300, SETTINGS).run


def test_the_cool_down_and_the_labels_are_waited_for_and_named() -> None:
    hot = needed(NOW, NOW - DAY / 2, NOW - 5 * DAY, [finding(Level.ALARM)], 300, SETTINGS)
    assert not hot.run
    assert "the last training was 12:00:00 ago and the cool-down is 1 day" in hot.reason
    blind = needed(NOW, NOW - 5 * DAY, NOW - 5 * DAY, [finding(Level.ALARM)], 199, SETTINGS)
    assert not blind.run
    assert "199 labels came in since and 200 are needed" in blind.reason


def test_an_endpoint_that_serves_nothing_needs_no_labels_but_the_cool_down() -> None:
    assert needed(NOW, None, None, [], 0, SETTINGS).run
    refused = needed(NOW, NOW - DAY / 24, None, [], 0, SETTINGS)
    assert not refused.run
    assert "nothing is served" in refused.reason


def test_unknown_asks_for_nothing_and_is_not_called_calm() -> None:
    found = needed(NOW, NOW - DAY, NOW - DAY, [finding(Level.UNKNOWN), finding(Level.OK)], 300, SETTINGS)
    assert not found.run
    assert "1 of 2 findings are unknown" in found.reason


times = st.none() | st.timedeltas(timedelta(0), timedelta(days=90)).map(lambda ago: NOW - ago)


@given(times, times, st.lists(st.sampled_from(Level).map(finding), max_size=4), st.integers(0, 500))
def test_it_runs_exactly_when_something_asks_and_nothing_speaks_against_it(
    last: datetime | None, served: datetime | None, found: list[Finding], labels: int
) -> None:
    decision = needed(NOW, last, served, found, labels, SETTINGS)
    alarm = any(one.level is Level.ALARM for one in found)
    asked = served is None or NOW - served >= SETTINGS.every or alarm
    cool = last is None or NOW - last >= SETTINGS.cooldown
    taught = served is None or labels >= SETTINGS.minimum_labels
    assert decision.run == (asked and cool and taught)
    assert decision.reason.endswith(".")
