"""Azure Monitor: custom metrics are sent, and found by what they are called and when they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from .conftest import MONITOR, Subscription, said

NAMESPACE = "trivet/monitoring"


def metric(name: str = "drift", minutes: float = 0.0, **base: Any) -> dict[str, Any]:
    """A metric as it is sent, of some minutes ago."""
    series = [{"dimValues": ["loan"], "min": 1, "max": 3, "sum": 4, "count": 2}]
    data = {"metric": name, "namespace": NAMESPACE, "dimNames": ["endpoint"], "series": series, **base}
    time = datetime.now(UTC) - timedelta(minutes=minutes)
    return {"time": time.isoformat(), "data": {"baseData": data}}


def put(azure: Subscription, content: Any) -> str:
    where = f"https://{azure.fake.location}.monitoring.azure.com{azure.workspace}/metrics"
    return said(azure.send("POST", where, MONITOR, json=content))


def query(azure: Subscription, **given: str) -> requests.Response:
    usual = {"metricnames": "drift", "metricnamespace": NAMESPACE, "aggregation": "Total,Count,Average,Maximum"}
    return azure.arm("GET", "providers/Microsoft.Insights/metrics", **{**usual, **given})


def test_a_metric_is_found_again_by_minute_and_dimension(azure: Subscription):
    for minutes in (3, 3, 1):
        assert put(azure, metric(minutes=minutes)) == ""
    other = [{"dimValues": ["other"], "min": 9, "max": 9, "sum": 9, "count": 1}]
    assert put(azure, metric(minutes=1, series=other)) == ""
    begin = (datetime.now(UTC) - timedelta(minutes=10)).isoformat()
    span = f"{begin}/{(datetime.now(UTC) + timedelta(minutes=1)).isoformat()}"
    [found] = query(azure, timespan=span, **{"$filter": "endpoint eq 'loan'"}).json()["value"]
    [series] = found["timeseries"]
    assert [one["total"] for one in series["data"]] == [8, 4] and series["data"][0]["average"] == 2
    assert series["metadatavalues"][0]["value"] == "loan" and found["name"]["value"] == "drift"
    apart = query(azure, timespan=span, **{"$filter": "endpoint eq '*'"}).json()["value"][0]["timeseries"]
    assert sorted(one["metadatavalues"][0]["value"] for one in apart) == ["loan", "other"]
    [whole] = query(azure, timespan=span, interval="PT1H").json()["value"][0]["timeseries"]
    assert [(one["total"], one["maximum"]) for one in whole["data"]] == [(21, 9)]
    early = f"{(datetime.now(UTC) - timedelta(hours=2)).isoformat()}/{begin}"
    assert query(azure, timespan=early).json()["value"][0]["timeseries"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"minutes": 21},
        {"minutes": -6},
        {"name": ""},
        {"namespace": ""},
        {"dimNames": [f"d{number}" for number in range(11)]},
        {"dimNames": ["endpoint", "model"]},
        {"series": [{"dimValues": ["loan"], "min": 1}]},
    ],
)
def test_a_metric_has_its_shape(azure: Subscription, wrong: dict[str, Any]):
    assert put(azure, metric(**wrong)).startswith("BadRequest")
    azure.fake.switch("metric-shape", False)
    assert put(azure, metric(**wrong)) == ""


@pytest.mark.parametrize("wrong", [{"metricnames": "none"}, {"interval": "PT7M"}, {"aggregation": "Median"}])
def test_a_query_has_its_shape(azure: Subscription, wrong: dict[str, str]):
    assert put(azure, metric()) == "" and query(azure).ok
    assert said(query(azure, **wrong)).startswith("BadRequest")
    azure.fake.switch("query-shape", False)
    assert query(azure, **wrong).ok


def test_metrics_are_sent_with_a_token_for_them(azure: Subscription):
    where = f"https://{azure.fake.location}.monitoring.azure.com{azure.workspace}/metrics"
    assert azure.send("POST", where, json=metric()).status_code == 401
    assert azure.send("POST", where, MONITOR, json={"time": "now"}).status_code == 400
