"""Cloud Monitoring: time series that are written and read, their descriptors, alert policies, and their alerts.

Conditions are kept and not evaluated: whoever holds the fake says when an alert opens and closes.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from trivet.core.errors import ConfigError
from trivet.rehearsal.fakes.gcp.constraints import Constraints
from trivet.rehearsal.fakes.gcp.names import PROJECT
from trivet.rehearsal.fakes.gcp.policies import broken
from trivet.rehearsal.fakes.gcp.refusals import invalid, left_out, missing
from trivet.rehearsal.fakes.gcp.rest import Api, Asked, Method, known, paged, stamp
from trivet.rehearsal.fakes.gcp.vertex.filters import matches, terms
from trivet.rehearsal.fakes.refusing import Refused

MOST_SERIES, MOST_LABELS, LONGEST_LABEL = 200, 30, 1024
OLDEST, AHEAD, APART = timedelta(hours=25), timedelta(minutes=5), timedelta(seconds=5)
OPEN, CLOSED = "OPEN", "CLOSED"
_TYPE = re.compile(r"(custom|external|workload)\.googleapis\.com/[A-Za-z0-9_./-]{1,180}")
_KEY = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,99}")
_RESOURCES = {  # "Monitored resource types" that custom metrics may be of, and their labels
    "global": {"project_id"},
    "generic_node": {"project_id", "location", "namespace", "node_id"},
    "generic_task": {"project_id", "location", "namespace", "job", "task_id"},
}
_SERIES = ("metric", "resource", "metadata", "metricKind", "valueType", "points", "unit", "description")
_POLICY = (
    *("name", "displayName", "documentation", "userLabels", "conditions", "combiner", "enabled", "validity"),
    *("notificationChannels", "creationRecord", "mutationRecord", "alertStrategy", "severity"),
)
_CONDITION = (
    *("name", "displayName", "conditionThreshold", "conditionAbsent", "conditionMatchedLog", "conditionSql"),
    *("conditionMonitoringQueryLanguage", "conditionPrometheusQueryLanguage"),
)
_COMBINERS = ("AND", "OR", "AND_WITH_MATCHING_RESOURCE")
_DESCRIPTOR = (
    *("name", "type", "labels", "metricKind", "valueType", "unit", "description", "displayName", "metadata"),
    *("launchStage", "monitoredResourceTypes"),
)
_PAGES = ("filter", "orderBy", "pageSize", "pageToken")
_PROJECT = "/v3/projects/{project}"

Series = dict[str, Any]


class Monitoring:
    """Everything of one fake."""

    def __init__(self, constraints: Constraints) -> None:
        self._constraints = constraints
        self._lock = threading.RLock()
        self._series: dict[str, Series] = {}
        self._descriptors: dict[str, dict[str, Any]] = {}
        self._policies: dict[str, dict[str, Any]] = {}
        self._alerts: list[dict[str, Any]] = []

    def api(self) -> Api:
        """Its door."""
        policies, descriptors = f"{_PROJECT}/alertPolicies", f"{_PROJECT}/metricDescriptors"
        interval = ("interval.startTime", "interval.endTime", "view")
        methods = (
            Method("CreateTimeSeries", "POST", f"{_PROJECT}/timeSeries", self._write, ("timeSeries",)),
            Method("ListTimeSeries", "GET", f"{_PROJECT}/timeSeries", self._read, (), (*_PAGES, *interval)),
            Method("CreateMetricDescriptor", "POST", descriptors, self._describe, _DESCRIPTOR),
            Method("ListMetricDescriptors", "GET", descriptors, self._list_descriptors, (), _PAGES),
            Method("CreateAlertPolicy", "POST", policies, self._create_policy, _POLICY),
            Method("ListAlertPolicies", "GET", policies, self._list_policies, (), _PAGES),
            Method("GetAlertPolicy", "GET", f"{policies}/{{policy}}", self._policy),
            Method(
                "UpdateAlertPolicy", "PATCH", f"{policies}/{{policy}}", self._update_policy, _POLICY, ("updateMask",)
            ),
            Method("DeleteAlertPolicy", "DELETE", f"{policies}/{{policy}}", self._delete_policy),
            Method("ListAlerts", "GET", f"{_PROJECT}/alerts", self._list_alerts, (), _PAGES),
        )
        return Api(self._constraints, "monitoring", "Cloud Monitoring", r"/v3/projects/", methods)

    def alert(self, policy: str, state: str) -> None:
        """Have an alert of a policy open, or close those that are.

        :param policy: its display name.
        :raises ConfigError: where there is no such policy.
        """
        with self._lock:
            found = next((one for one in self._policies.values() if one["displayName"] == policy), None)
            if found is None or state not in (OPEN, CLOSED):
                raise ConfigError(f"There is no alert policy {policy!r}, or {state!r} is no state of an alert.")
            if state == OPEN:
                alert = {"name": f"projects/{PROJECT}/alerts/0.{secrets.token_hex(6)}", "openTime": stamp()}
                brief = {key: found[key] for key in ("name", "displayName", "userLabels") if key in found}
                self._alerts.append({**alert, "state": OPEN, "policy": brief})
                return
            for one in self._alerts:
                if one["policy"]["name"] == found["name"] and one["state"] == OPEN:
                    one |= {"state": CLOSED, "closeTime": stamp()}

    def forget(self) -> None:
        """Hold nothing."""
        with self._lock:
            for held in (self._series, self._descriptors, self._policies, self._alerts):
                held.clear()

    def _write(self, asked: Asked) -> None:
        given = asked.body.get("timeSeries", [])
        if not 1 <= len(given) <= MOST_SERIES:
            raise invalid(f"Field timeSeries had an invalid value: from 1 to {MOST_SERIES} time series are written.")
        demand, keys = self._constraints.demand, [_checked(one) for one in given]
        twice = "Field timeSeries had an invalid value: Duplicate TimeSeries encountered. Only one point can be written"
        demand("points-one", len(set(keys)) == len(keys), invalid(f"{twice} per TimeSeries per request."))
        refused: list[str] = []
        with self._lock:
            for at, (key, one) in enumerate(zip(keys, given, strict=True)):
                try:
                    self._append(key, one)
                except Refused as error:
                    refused.append(f"{error.message}: timeSeries[{at}]")
        if refused:  # the others are written
            raise invalid(f"One or more TimeSeries could not be written: {'; '.join(refused)}")

    def _append(self, key: str, one: Series) -> None:
        demand, [point] = self._constraints.demand, one["points"]
        end, now = _time(point["interval"]["endTime"]), datetime.now(UTC)
        said = "Field points[0].interval.end_time had an invalid value of "
        in_time = now - OLDEST <= end <= now + AHEAD
        demand("points-recent", in_time, invalid(f"{said}'{stamp(end)}': Data points cannot be written that far away"))
        there = self._series.get(key)
        if there is not None:
            last = _time(there["points"][-1]["interval"]["endTime"])
            said = "Points must be written in order. One or more of the points specified had an older end time than the"
            demand("points-in-order", end > last, invalid(f"{said} most recent point"))
            said = "One or more points were written more frequently than the maximum sampling period configured for the"
            demand("points-apart", end - last >= APART, invalid(f"{said} metric"))
            kinds = {(one["metricKind"], one["valueType"]), (there["metricKind"], there["valueType"])}
            if len(kinds) > 1:
                raise invalid("Value type or kind differs from the metric's descriptor")
            there["points"].append(point)
            return
        self._series[key] = one
        metric = one["metric"]
        descriptor = self._descriptors.setdefault(metric["type"], _descriptor(one))
        seen = {label["key"] for label in descriptor["labels"]}
        descriptor["labels"] += [{"key": key} for key in metric.get("labels", {}) if key not in seen]

    def _read(self, asked: Asked) -> dict[str, Any]:
        wanted, end = asked.query.get("filter", ""), asked.query.get("interval.endTime", "")
        if not wanted or not end:
            raise invalid("Field filter and interval.end_time are required.")
        begin = _time(asked.query.get("interval.startTime") or end)
        until, read = _time(end), {path: _reader(path) for path, _, _ in terms(wanted)}
        if not any(path == "metric.type" for path in read):
            raise invalid("Field filter had an invalid value: it must name a metric.type.")
        if begin > until:
            raise invalid("Field interval had an invalid value: its start is after its end.")
        found = []
        with self._lock:
            for one in self._series.values():
                inside = [point for point in one["points"] if begin < _time(point["interval"]["endTime"]) <= until]
                if inside and matches(wanted, one, read):
                    found.append({**one, "points": inside[::-1]})
        return paged(found, asked, "timeSeries", 1000)

    def _describe(self, asked: Asked) -> dict[str, Any]:
        body = asked.body
        if not _TYPE.fullmatch(body.get("type", "")):
            raise invalid(f"Field metricDescriptor.type had an invalid value of '{body.get('type', '')}'.")
        with self._lock:
            made = {**body, "name": f"projects/{PROJECT}/metricDescriptors/{body['type']}"}
            self._descriptors[body["type"]] = {"labels": [], **made}
            return self._descriptors[body["type"]]

    def _list_descriptors(self, asked: Asked) -> dict[str, Any]:
        if asked.query.get("filter"):
            raise left_out("filter of metric descriptors")
        with self._lock:
            return paged(list(self._descriptors.values()), asked, "metricDescriptors")

    def _create_policy(self, asked: Asked) -> dict[str, Any]:
        self._check_policy(asked.body)
        policy = {"enabled": True, **asked.body}
        policy["name"] = f"projects/{PROJECT}/alertPolicies/{secrets.randbelow(10**19)}"
        policy["creationRecord"] = policy["mutationRecord"] = {"mutateTime": stamp()}
        for number, condition in enumerate(policy["conditions"]):
            condition["name"] = f"{policy['name']}/conditions/{number}"
        with self._lock:
            self._policies[policy["name"]] = policy
        return policy

    def _check_policy(self, body: dict[str, Any]) -> None:
        conditions = body.get("conditions", [])
        if not body.get("displayName") or body.get("combiner") not in _COMBINERS or not 1 <= len(conditions) <= 6:
            raise invalid("An alert policy needs a displayName, a combiner and from 1 to 6 conditions.")
        for at, condition in enumerate(conditions):
            known(condition, _CONDITION, f"alert_policy.conditions[{at}]")
            for constraint, said in broken(condition):
                where = f"Field alert_policy.conditions[{at}] had an invalid value"
                self._constraints.demand(constraint, False, invalid(f"{where}: {said}."))

    def _policy(self, asked: Asked) -> dict[str, Any]:
        name = f"projects/{PROJECT}/alertPolicies/{asked.names['policy']}"
        with self._lock:
            if name not in self._policies:
                raise missing(f"The policy {name} does not exist.")
            return self._policies[name]

    def _list_policies(self, asked: Asked) -> dict[str, Any]:
        names: dict[str, Callable[[dict[str, Any]], Any]] = {
            "display_name": lambda one: one["displayName"],
            "displayName": lambda one: one["displayName"],
        }
        with self._lock:
            found = [one for one in self._policies.values() if matches(asked.query.get("filter", ""), one, names)]
        return paged(found, asked, "alertPolicies")

    def _update_policy(self, asked: Asked) -> dict[str, Any]:
        policy = self._policy(asked)
        mask = [part.partition(".")[0] for part in asked.query.get("updateMask", "").split(",") if part]
        mask = [re.sub(r"_([a-z])", lambda found: found[1].upper(), part) for part in mask] or list(asked.body)
        with self._lock:
            new = {**policy, **{member: asked.body[member] for member in mask if member in asked.body}}
            self._check_policy(new)
            policy.update(new | {"mutationRecord": {"mutateTime": stamp()}})
            return policy

    def _delete_policy(self, asked: Asked) -> None:
        policy = self._policy(asked)
        with self._lock:
            self._policies.pop(policy["name"], None)

    def _list_alerts(self, asked: Asked) -> dict[str, Any]:
        names: dict[str, Callable[[dict[str, Any]], Any]] = {
            "state": lambda one: one["state"],
            "policy.name": lambda one: one["policy"]["name"],
            "policy.display_name": lambda one: one["policy"]["displayName"],
        }
        with self._lock:
            found = [one for one in self._alerts if matches(asked.query.get("filter", ""), one, names)]
        answer = paged(found, asked, "alerts")
        return answer | {"totalSize": len(found)}


def _checked(one: Any) -> str:
    """What tells a series from others.

    :raises Refused: for what is none.
    """
    known(one, _SERIES, "time_series")
    metric, resource, points = one.get("metric", {}), one.get("resource", {}), one.get("points", [])
    known(metric, ("type", "labels"), "time_series.metric")
    known(resource, ("type", "labels"), "time_series.resource")
    if len(points) != 1:
        raise invalid("Field points had an invalid value: exactly one point is written of a time series.")
    known(points[0], ("interval", "value"), "time_series.points")
    known(points[0].get("interval", {}), ("startTime", "endTime"), "time_series.points.interval")
    kind, labels = metric.get("type", ""), metric.get("labels", {})
    if not _TYPE.fullmatch(kind):
        raise invalid(f"Field metric.type had an invalid value of '{kind}'.")
    bad = [key for key, value in labels.items() if not _KEY.fullmatch(key) or len(value) > LONGEST_LABEL]
    if bad or len(labels) > MOST_LABELS:
        raise invalid(f"Field metric.labels had an invalid value: {', '.join(bad) or f'more than {MOST_LABELS}'}.")
    if set(resource.get("labels", {})) - _RESOURCES.get(resource.get("type", ""), set()) or not resource:
        raise invalid(f"Field resource had an invalid value: '{resource.get('type', '')}' is no such resource.")
    one.setdefault("metricKind", "GAUGE")
    [value] = points[0].get("value", {}) or {"": None}
    kinds = {"doubleValue": "DOUBLE", "int64Value": "INT64", "boolValue": "BOOL", "stringValue": "STRING"}
    if value not in kinds or one.setdefault("valueType", kinds[value]) != kinds[value]:
        raise invalid("Field points[0].value had an invalid value: it is not of the series' value type.")
    if one["metricKind"] != "GAUGE":
        raise left_out(f"time series of the kind {one['metricKind']}")
    return repr((kind, sorted(labels.items()), resource["type"], sorted(resource.get("labels", {}).items())))


def _descriptor(one: Series) -> dict[str, Any]:
    metric = one["metric"]
    return {
        "name": f"projects/{PROJECT}/metricDescriptors/{metric['type']}",
        "type": metric["type"],
        "labels": [],
        "metricKind": one["metricKind"],
        "valueType": one["valueType"],
    }


def _reader(path: str) -> Callable[[Series], Any]:
    """What of a series a filter names; ``metric.label.KEY`` is the same as ``metric.labels.KEY``."""

    def read(one: Series) -> Any:
        found: Any = one
        for step in path.replace(".label.", ".labels.").split("."):
            found = found.get(step.strip('"')) if isinstance(found, dict) else None
        return found

    return read


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid(f"Field interval had an invalid value: '{text}' is no time.") from error
