"""What SageMaker counts about an endpoint, put to CloudWatch, so that alarms have something to look at."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from trivet.rehearsal.fakes.aws.world import World

NAMESPACE = "AWS/SageMaker"
_BATCH = 200  # data in one request
_KEPT = 50_000  # data kept for the evaluation of alarms


class Datum(NamedTuple):
    """One value of one metric at a time of the monotonic clock."""

    at: float
    region: str
    name: str
    dimensions: frozenset[tuple[str, str]]
    value: float


class Metrics:
    """Takes counts from any thread and puts them in batches from one of its own: answers do not wait for CloudWatch."""

    def __init__(self, world: World, meanwhile: Callable[[], None]) -> None:
        """:param meanwhile: called now and then from the same thread."""
        self._world = world
        self._meanwhile = meanwhile
        self._waiting: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
        self._recent: deque[Datum] = deque(maxlen=_KEPT)
        threading.Thread(target=self._put, name="metrics", daemon=True).start()

    def invoked(self, region: str, endpoint: str, config: str, variant: str, status: int, seconds: float) -> None:
        """One request of a variant, by the status that its container answered (0: it did not).

        All is counted twice: for the variant, and for the variant under its configuration, so that an alarm can tell
        the fleets of an update apart ("Auto-Rollback Configuration and Monitoring"). The latter is for alarms only and
        not put: moto's queries take data of more dimensions than they are asked for, and would count it twice.
        """
        values = {
            "Invocations": 1.0,
            "InvocationsPerInstance": 1.0,
            "Invocation4XXErrors": float(400 <= status < 500),
            "Invocation5XXErrors": float(status == 0 or status >= 500),
            "ModelLatency": seconds * 1e6,
        }
        dimensions = {"EndpointName": endpoint, "VariantName": variant}
        for found in (dimensions, {**dimensions, "EndpointConfigName": config}):
            for name, value in values.items():
                self._count(region, name, found, value)

    def recent(self) -> list[Datum]:
        """The last data, oldest first."""
        return list(self._recent)

    def settle(self) -> None:
        """Wait until all that was counted so far is in CloudWatch."""
        self._waiting.join()

    def clear(self) -> None:
        """Forget what was counted."""
        self._recent.clear()

    def _count(self, region: str, name: str, dimensions: dict[str, str], value: float) -> None:
        self._recent.append(Datum(time.monotonic(), region, name, frozenset(dimensions.items()), value))
        if "EndpointConfigName" in dimensions:
            return
        datum = {
            "MetricName": name,
            "Dimensions": [{"Name": one, "Value": named} for one, named in dimensions.items()],
            "Value": value,
            "Unit": "Microseconds" if name == "ModelLatency" else "None",
            "Timestamp": datetime.now(UTC),
        }
        self._waiting.put((region, datum))

    def _put(self) -> None:
        while True:
            batch = []
            with suppress(queue.Empty):
                batch.append(self._waiting.get(timeout=0.1))
                while len(batch) < _BATCH:
                    batch.append(self._waiting.get_nowait())
            try:
                for region in {one for one, _ in batch}:
                    data = [datum for one, datum in batch if one == region]
                    with suppress(ClientError, BotoCoreError):
                        self._world.client("cloudwatch", region).put_metric_data(Namespace=NAMESPACE, MetricData=data)
                with suppress(ClientError, BotoCoreError):
                    self._meanwhile()
            finally:
                for _ in batch:
                    self._waiting.task_done()
