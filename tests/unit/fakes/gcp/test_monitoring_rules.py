"""Cloud Monitoring as whoever writes and reads metrics meets it: over plain HTTP, since no SDK of it is installed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from trivet.core.errors import ConfigError
from trivet.rehearsal.fakes.gcp import Fake

PROJECT = "/v3/projects/rehearsal-project"
KIND = "custom.googleapis.com/trivet/level"
NOW = datetime.now(UTC).replace(microsecond=0)
FILTER = 'resource.type = "global" AND metric.type = "custom.googleapis.com/a"'
THRESHOLD = {"conditionThreshold": {"filter": FILTER, "comparison": "COMPARISON_GT"}, "displayName": "errors"}
POLICY = {"displayName": "first-errors", "combiner": "OR", "conditions": [THRESHOLD]}
Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same time for all of a test, and none of minutes ago when it was collected."""
    monkeypatch.setattr(sys.modules[__name__], "NOW", datetime.now(UTC).replace(microsecond=0))


def series(ago: timedelta, value: float = 1.0, **more: Any) -> dict[str, Any]:
    point = {"interval": {"endTime": (NOW - ago).isoformat()}, "value": {"doubleValue": value}}
    metric = {"type": KIND, "labels": {"subject": "age"}}
    return {"metric": metric, "resource": {"type": "global"}, "points": [point], **more}


def written(ask: Ask, *given: dict[str, Any]) -> str:
    """What was refused; nothing where all was written."""
    status, answer = ask("POST", f"{PROJECT}/timeSeries", {"timeSeries": list(given)})
    return "" if status == 200 else answer["error"]["message"]


def read(ask: Ask, wanted: str = f'metric.type = "{KIND}"', ago: timedelta = timedelta(days=1)) -> Any:
    query = {"filter": wanted, "interval.startTime": (NOW - ago).isoformat(), "interval.endTime": NOW.isoformat()}
    status, answer = ask("GET", f"{PROJECT}/timeSeries?{urlencode(query)}")
    return answer.get("timeSeries", []) if status == 200 else answer["error"]["message"]


def test_what_is_written_is_read_newest_first_and_without_the_interval_s_start(ask: Ask) -> None:
    for minutes in (3, 2, 1):
        assert written(ask, series(timedelta(minutes=minutes), minutes)) == ""
    [found] = read(ask)
    assert [point["value"]["doubleValue"] for point in found["points"]] == [1, 2, 3]
    [found] = read(ask, ago=timedelta(minutes=2))
    assert [point["value"]["doubleValue"] for point in found["points"]] == [1]
    assert read(ask, f'metric.type = "{KIND}" AND metric.labels.subject = "income"') == []
    [descriptor] = ask("GET", f"{PROJECT}/metricDescriptors")[1]["metricDescriptors"]
    assert (descriptor["type"], descriptor["labels"]) == (KIND, [{"key": "subject"}])


@pytest.mark.parametrize(
    ("name", "before", "given", "said"),
    [
        ("points-recent", [], [timedelta(hours=26)], "cannot be written that far away"),
        ("points-recent", [], [-timedelta(minutes=6)], "cannot be written that far away"),
        ("points-one", [], [timedelta(minutes=2), timedelta(minutes=1)], "Duplicate TimeSeries"),
        ("points-in-order", [timedelta(minutes=1)], [timedelta(minutes=2)], "written in order"),
        ("points-apart", [timedelta(seconds=9)], [timedelta(seconds=5)], "more frequently"),
    ],
)
def test_a_point_at_a_wrong_time_is_refused(
    ask: Ask, fake: Fake, name: str, before: list[timedelta], given: list[timedelta], said: str
) -> None:
    earlier, points = ([series(ago) for ago in each] for each in (before, given))
    if earlier:
        assert written(ask, *earlier) == ""
    assert said in written(ask, *points)
    fake.switch(name, False)
    if name == "points-in-order":
        fake.switch("points-apart", False)
    assert written(ask, *points) == ""


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"metric": {"type": "level"}}, "Field metric.type"),
        ({"metric": {"type": KIND, "labels": {"a-b": "c"}}}, "Field metric.labels"),
        ({"resource": {"type": "global", "labels": {"zone": "a"}}}, "Field resource"),
        ({"points": []}, "exactly one point"),
        ({"valueType": "INT64"}, "value type"),
        ({"colour": "red"}, 'Unknown name "colour"'),
    ],
)
def test_what_is_no_time_series_is_refused(ask: Ask, more: dict[str, Any], said: str) -> None:
    assert said in written(ask, series(timedelta(0), **more))
    assert read(ask) == []


def test_of_several_series_those_that_can_are_written(ask: Ask) -> None:
    other = {"metric": {"type": f"{KIND}-other"}}
    assert "timeSeries[1]" in written(ask, series(timedelta(minutes=1)), series(timedelta(days=2), **other))
    assert len(read(ask)) == 1


def test_an_alert_opens_and_closes_with_its_policy_s_name(ask: Ask, fake: Fake) -> None:
    status, policy = ask("POST", f"{PROJECT}/alertPolicies", POLICY)
    assert (status, policy["enabled"]) == (200, True)
    query = urlencode({"filter": 'state="OPEN" AND policy.display_name="first-errors"'})
    assert ask("GET", f"{PROJECT}/alerts?{query}")[1] == {"totalSize": 0}
    fake.alert("first-errors")
    [alert] = ask("GET", f"{PROJECT}/alerts?{query}")[1]["alerts"]
    assert (alert["state"], alert["policy"]["name"]) == ("OPEN", policy["name"])
    fake.alert("first-errors", "CLOSED")
    assert ask("GET", f"{PROJECT}/alerts?{query}")[1] == {"totalSize": 0}
    assert ask("GET", f"{PROJECT}/alerts")[1]["totalSize"] == 1
    with pytest.raises(ConfigError, match="no alert policy 'second'"):
        fake.alert("second")


def test_a_policy_is_listed_changed_and_deleted(ask: Ask) -> None:
    assert ask("POST", f"{PROJECT}/alertPolicies", {**POLICY, "combiner": "XOR"})[0] == 400
    name = ask("POST", f"{PROJECT}/alertPolicies", POLICY)[1]["name"]
    changed = {**POLICY, "displayName": "other"}
    assert ask("PATCH", f"/v3/{name}?updateMask=display_name", changed)[1]["displayName"] == "other"
    query = urlencode({"filter": 'display_name="other"'})
    assert [one["name"] for one in ask("GET", f"{PROJECT}/alertPolicies?{query}")[1]["alertPolicies"]] == [name]
    assert ask("DELETE", f"/v3/{name}")[0] == 200
    assert ask("GET", f"/v3/{name}")[0] == 404


@pytest.mark.parametrize(
    ("kind", "said", "constraint"),
    [
        ("conditionThreshold", {"filter": 'metric.type = "custom.googleapis.com/a"'}, "policy-filters"),
        ("conditionThreshold", {"filter": 'resource.type = "global"'}, "policy-filters"),
        ("conditionAbsent", {"filter": "nonsense"}, "policy-filters"),
        ("conditionThreshold", {"comparison": "COMPARISON_GE"}, "policy-comparisons"),
        ("conditionThreshold", {"duration": "7s"}, "policy-durations"),
        ("conditionAbsent", {"duration": "60s"}, "policy-durations"),
        ("conditionAbsent", {"duration": "86400s"}, "policy-durations"),
    ],
)
def test_a_condition_says_what_it_is_about_and_for_how_long(
    ask: Ask, fake: Fake, kind: str, said: dict[str, str], constraint: str
) -> None:
    right = {"filter": FILTER, "duration": "120s"}
    if kind == "conditionThreshold":
        right["comparison"] = "COMPARISON_GT"
    policy = {**POLICY, "conditions": [{"displayName": "wrong", kind: right | said}]}
    status, answer = ask("POST", f"{PROJECT}/alertPolicies", policy)
    assert status == 400 and "Field alert_policy.conditions[0]" in answer["error"]["message"]
    fake.switch(constraint, False)
    assert ask("POST", f"{PROJECT}/alertPolicies", policy)[0] == 200


def test_a_label_that_the_descriptor_does_not_say_is_refused_until_it_does(ask: Ask, fake: Fake) -> None:
    assert written(ask, series(timedelta(minutes=3))) == ""
    other = series(timedelta(minutes=2))
    other["metric"] = {"type": KIND, "labels": {"shift": "night"}}
    assert "Unrecognized metric label: shift" in written(ask, other)
    body = {"type": KIND, "metricKind": "GAUGE", "valueType": "DOUBLE", "labels": [{"key": "shift"}]}
    status, described = ask("POST", f"{PROJECT}/metricDescriptors", body)
    assert (status, [one["key"] for one in described["labels"]]) == (200, ["subject", "shift"])
    assert written(ask, other) == ""
    fake.switch("labels-described", False)
    third = series(timedelta(minutes=1))
    third["metric"] = {"type": KIND, "labels": {"sky": "clear"}}
    assert written(ask, third) == ""
    query = urlencode({"filter": f'metric.type="{KIND}"'})
    found = ask("GET", f"{PROJECT}/metricDescriptors?{query}")[1]
    assert [one["key"] for one in found["metricDescriptors"][0]["labels"]] == ["subject", "shift", "sky"]
