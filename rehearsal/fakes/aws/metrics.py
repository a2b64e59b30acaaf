"""What SageMaker counts about an endpoint, put to CloudWatch, so that alarms have something to look at."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from trivet.rehearsal.fakes.aws.world import World

NAMESPACE = "AWS/SageMaker"
_BATCH = 200  # data in one request


class Metrics:
    """Takes counts from any thread and puts them in batches from one of its own: answers do not wait for CloudWatch."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._waiting: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
        threading.Thread(target=self._put, name="metrics", daemon=True).start()

    def invoked(self, region: str, endpoint: str, variant: str, status: int, seconds: float) -> None:
        """One request of a variant, by the status that its container answered (0: it did not)."""
        latency = seconds * 1e6
        self._count(region, endpoint, variant, "Invocations", 1, "None")
        self._count(region, endpoint, variant, "InvocationsPerInstance", 1, "None")
        self._count(region, endpoint, variant, "Invocation4XXErrors", int(400 <= status < 500), "None")
        self._count(region, endpoint, variant, "Invocation5XXErrors", int(status == 0 or status >= 500), "None")
        self._count(region, endpoint, variant, "ModelLatency", latency, "Microseconds")

    def settle(self) -> None:
        """Wait until all that was counted so far is in CloudWatch."""
        self._waiting.join()

    def _count(self, region: str, endpoint: str, variant: str, name: str, value: float, unit: str) -> None:
        dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}]
        datum = {"MetricName": name, "Dimensions": dimensions, "Value": value, "Unit": unit}
        self._waiting.put((region, {**datum, "Timestamp": datetime.now(UTC)}))

    def _put(self) -> None:
        while True:
            batch = [self._waiting.get()]
            with suppress(queue.Empty):
                while len(batch) < _BATCH:
                    batch.append(self._waiting.get_nowait())
            try:
                for region in {one for one, _ in batch}:
                    data = [datum for one, datum in batch if one == region]
                    with suppress(ClientError, BotoCoreError):
                        self._world.client("cloudwatch", region).put_metric_data(Namespace=NAMESPACE, MetricData=data)
            finally:
                for _ in batch:
                    self._waiting.task_done()
