"""What Prometheus reads: requests, latencies, rows, places and dropped records.

With several worker processes, ``PROMETHEUS_MULTIPROC_DIR`` names the folder through which they add up.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from trivet.serving.http.limits import Places

TYPE = CONTENT_TYPE_LATEST.encode()
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Times(Histogram):
    """A histogram that takes many observations at once, in a fraction of the time that they take one by one."""

    def observe_all(self, seconds: Sequence[float]) -> None:
        """What ``observe`` does for each of them."""
        counts = [0] * len(self._buckets)
        for each in seconds:
            counts[bisect_left(self._upper_bounds, each)] += 1
        self._sum.inc(sum(seconds))
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)


class Metrics:
    """The measures of one process."""

    def __init__(self) -> None:
        self._registry = own = CollectorRegistry()
        self._places: Places | None = None
        self._served: set[tuple[str, str]] = set()
        self._seconds = Times(
            "trivet_request_seconds", "Time to answer a request.", ["route", "status"], buckets=SECONDS, registry=own
        )
        self._rows = Counter("trivet_rows", "Rows decided, by model and version.", ["model"], registry=own)
        self.dropped = Counter("trivet_records_dropped", "Records that could not be written.", registry=own)
        self.spans_dropped = Counter("trivet_spans_dropped", "Spans that no collector took.", registry=own)
        self._taken = _gauge("trivet_places_taken", "Requests at work or in wait.", own)
        self._limit = _gauge("trivet_places", "Requests that may be at work or in wait.", own)
        self.ready = _gauge("trivet_ready", "Processes that are ready.", own)
        self._models = _gauge("trivet_model", "Models served, by version and package.", own, "model", "package")
        self._took: dict[tuple[str, int], Times] = {}
        self._decided: dict[str, Counter] = {}

    def watch(self, places: Places, limit: int) -> None:
        """Say how many places there are, and whenever asked how many are taken."""
        self._limit.set(limit)
        self._places = places

    def observe(self, route: str, status: int, *seconds: float) -> None:
        """Count requests that were answered alike; their labels are looked up once."""
        took = self._took.get((route, status))
        if took is None:
            took = self._took[route, status] = self._seconds.labels(route, str(status))
        took.observe_all(seconds)

    def decided(self, requests: Iterable[tuple[str, int]]) -> None:
        """Count the rows of requests by model, ``name/version``."""
        sums: dict[str, int] = {}
        for model, rows in requests:
            sums[model] = sums.get(model, 0) + rows
        for model, rows in sums.items():
            decided = self._decided.get(model)
            if decided is None:
                decided = self._decided[model] = self._rows.labels(model)
            decided.inc(rows)

    def serves(self, models: dict[str, str]) -> None:
        """Say which models, ``name/version``, are served from which package."""
        now = set(models.items())
        for gone in self._served - now:
            self._models.labels(*gone).set(0)  # to take it away is more than several processes can agree on
        for there in now:
            self._models.labels(*there).set(1)
        self._served = now

    def render(self) -> bytes:
        """The measures as text, of all processes where there are several."""
        if self._places is not None:
            self._taken.set(self._places.taken)
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        return generate_latest(registry)


def _gauge(name: str, what: str, registry: CollectorRegistry, *labels: str) -> Gauge:
    """A gauge that adds up over the processes that live."""
    return Gauge(name, what, labels, registry=registry, multiprocess_mode="livesum")
