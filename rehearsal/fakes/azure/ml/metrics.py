"""Azure Monitor: custom metrics as they are sent, a minute each, and queries for them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import isodate

from trivet.rehearsal.fakes.azure.ml.state import Ml, answer
from trivet.rehearsal.fakes.azure.refusals import invalid
from trivet.rehearsal.fakes.refusing import Answer
from trivet.rehearsal.fakes.server import Request

_MOST_DIMENSIONS = 10
_PAST, _FUTURE = timedelta(minutes=20), timedelta(minutes=5)
_INTERVALS = ("PT1M", "PT5M", "PT15M", "PT30M", "PT1H", "PT6H", "PT12H", "P1D")
_AGGREGATIONS = ("average", "count", "total", "minimum", "maximum")
_TERM = re.compile(r"\s*([\w .-]+?)\s+eq\s+'([^']*)'\s*", re.IGNORECASE)


def create(ml: Ml, request: Request) -> Answer:
    """Take in a metric of a resource, or several, a line each.

    :raises Refused: for what is none.
    """
    resource = unquote(request.path).removesuffix("/metrics").lower()
    lines = request.body.splitlines() if "ndjson" in request.headers.get("content-type", "") else [request.body]
    try:
        found = [json.loads(line) for line in lines if line.strip()]
        points = [point for one in found for point in _points(ml, one)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise invalid(f"Failed to parse the metric: {error!r}.", "BadRequest") from error
    with ml.lock:
        ml.metrics += [{**point, "resource": resource} for point in points]
    return 200, [], b""


def query(ml: Ml, request: Request, resource: str) -> Answer:
    """Metrics of a resource, in steps of an interval.

    :raises Refused: for a query that is none.
    """
    demand = ml.world.constraints.demand
    namespace, names = request.one("metricnamespace"), [one for one in request.one("metricnames").split(",") if one]
    text = request.one("interval", "PT1M")
    demand("query-shape", text in _INTERVALS, invalid(f"Invalid interval: {text}.", "BadRequest"))
    step = isodate.parse_duration(text if text in _INTERVALS else "PT1M")
    wanted = [one.lower() for one in request.one("aggregation", "Average").split(",")]
    bad = [one for one in wanted if one not in _AGGREGATIONS]
    demand("query-shape", not bad, invalid(f"Invalid aggregation: {', '.join(bad)}.", "BadRequest"))
    begin, end = _span(request.one("timespan"))
    terms = _terms(request.one("$filter"))
    with ml.lock:
        held = [one for one in ml.metrics if one["resource"] == resource.lower() and one["namespace"] == namespace]
    known = {one["metric"] for one in held}
    missing = [name for name in names if name not in known]
    said = f"Failed to find metric configuration for: {', '.join(missing) or '(none named)'}; valid: {sorted(known)}."
    demand("query-shape", bool(names) and not missing, invalid(said, "BadRequest"))
    values = []
    for name in names:
        points = [one for one in held if one["metric"] == name and begin <= one["time"] < end]
        series = [_series(few, begin, step, wanted, terms) for few in _split(points, terms)]
        named = {"value": name, "localizedValue": name}
        whole = {"id": f"{resource}/providers/Microsoft.Insights/metrics/{name}", "type": "Microsoft.Insights/metrics"}
        values.append({**whole, "name": named, "unit": "Unspecified", "timeseries": series, "errorCode": "Success"})
    told = f"{_written(begin)}/{_written(end)}"
    return answer({"cost": 0, "timespan": told, "interval": text, "namespace": namespace, "value": values})


def _points(ml: Ml, given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The series of a metric, each with its dimensions and its minute."""
    base = given["data"]["baseData"]
    names, series = base.get("dimNames") or [], base["series"]
    time = datetime.fromisoformat(given["time"])
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    now = datetime.now(UTC)
    demand = ml.world.constraints.demand

    def check(met: bool, said: str) -> None:
        demand("metric-shape", met, invalid(said, "BadRequest"))

    check(now - _PAST <= time <= now + _FUTURE, f"The time {given['time']} is too far from the present.")
    check(bool(base.get("metric")) and bool(base.get("namespace")), "A metric has a name and a namespace.")
    check(len(names) <= _MOST_DIMENSIONS and bool(series), f"At most {_MOST_DIMENSIONS} dimensions, and series.")
    for one in series:
        values = one.get("dimValues") or []
        check(len(values) == len(names), "There must be as many values as dimensions.")
        numbers = {name: one.get(name) for name in ("min", "max", "sum", "count")}
        check(all(isinstance(number, (int, float)) for number in numbers.values()), "min, max, sum, count are needed.")
        dimensions = dict(zip(names, values, strict=False))
        minute = time.replace(second=0, microsecond=0)
        whole = {"metric": base["metric"], "namespace": base["namespace"], "time": minute}
        yield {**whole, "dimensions": dimensions, **{key: number or 0 for key, number in numbers.items()}}


def _span(text: str) -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    if not text:
        return now - timedelta(hours=1), now
    first, _, last = text.partition("/")
    try:
        if first.startswith("P"):
            return now - isodate.parse_duration(first), now
        times = [datetime.fromisoformat(one) for one in (first, last)]
    except ValueError as error:
        raise invalid(f"Invalid timespan: {text}.", "BadRequest") from error
    begin, end = [one if one.tzinfo else one.replace(tzinfo=UTC) for one in times]
    return begin, end


def _terms(text: str) -> dict[str, str]:
    """A filter: dimensions and their values, ``*`` for each of them apart."""
    found = [_TERM.fullmatch(part) for part in re.split(r"\s+and\s+", text, flags=re.IGNORECASE) if part.strip()]
    if not all(found):
        raise invalid(f"Invalid filter: {text}.", "BadRequest")
    return {one[1]: one[2] for one in found if one}


def _split(points: list[dict[str, Any]], terms: dict[str, str]) -> list[list[dict[str, Any]]]:
    kept = [
        one
        for one in points
        if all(name in one["dimensions"] and value in ("*", one["dimensions"][name]) for name, value in terms.items())
    ]
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for one in kept:
        groups.setdefault(tuple(one["dimensions"][name] for name in terms), []).append(one)
    return list(groups.values())


def _series(
    points: list[dict[str, Any]], begin: datetime, step: timedelta, wanted: list[str], terms: dict[str, str]
) -> dict[str, Any]:
    first = points[0]["dimensions"]
    told = [{"name": {"value": name, "localizedValue": name}, "value": first[name]} for name in terms]
    steps: dict[datetime, list[dict[str, Any]]] = {}
    start = begin.replace(second=0, microsecond=0)
    for one in points:
        steps.setdefault(start + (one["time"] - start) // step * step, []).append(one)
    data = [{"timeStamp": _written(time), **_aggregated(few, wanted)} for time, few in sorted(steps.items())]
    return {"metadatavalues": told, "data": data}


def _aggregated(few: list[dict[str, Any]], wanted: list[str]) -> dict[str, float]:
    total, count = sum(one["sum"] for one in few), sum(one["count"] for one in few)
    every = {
        "average": total / count if count else 0.0,
        "count": count,
        "total": total,
        "minimum": min(one["min"] for one in few),
        "maximum": max(one["max"] for one in few),
    }
    return {name: every[name] for name in wanted if name in every}


def _written(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
