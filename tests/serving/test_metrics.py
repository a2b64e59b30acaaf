"""Many observations at once: they must leave what they would have left one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from trivet.serving.http.metrics import SECONDS, Times

AMOUNTS = st.one_of(st.sampled_from(SECONDS), st.floats(0, 100), st.just(float("inf")))


@given(parts=st.lists(st.lists(AMOUNTS, max_size=20), min_size=1, max_size=5))
def test_many_observations_at_once_are_those_one_by_one(parts):
    common, own = CollectorRegistry(), CollectorRegistry()
    one_by_one = Histogram("t", "Times.", ["route"], buckets=SECONDS, registry=common).labels("r")
    at_once = Times("t", "Times.", ["route"], buckets=SECONDS, registry=own).labels("r")
    for part in parts:
        for amount in part:
            one_by_one.observe(amount)
        at_once.observe_all(part)
    assert counted(own) == counted(common)
    assert abs(summed(own) - summed(common)) <= 1e-9 * summed(common) or summed(own) == summed(common)


def counted(registry: CollectorRegistry) -> list[str]:
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if line.startswith(("t_bucket", "t_count"))]


def summed(registry: CollectorRegistry) -> float:
    total = registry.get_sample_value("t_sum", {"route": "r"})
    assert total is not None
    return total
