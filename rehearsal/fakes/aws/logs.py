"""What containers say, in CloudWatch Logs, as SageMaker puts it there."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from trivet.rehearsal.fakes.aws.state import ACCOUNT

if TYPE_CHECKING:
    from trivet.rehearsal.fakes.aws.world import World

TRAINING = "/aws/sagemaker/TrainingJobs"
TRANSFORM = "/aws/sagemaker/TransformJobs"
_EVENT = 256 << 10  # bytes; PutLogEvents, "Each log event can be no larger than 1 MB", 256 KB until 2025
_BATCH = 1000


class LogStream:
    """One log stream; its group and itself are made with the first line."""

    def __init__(self, world: World, region: str, group: str, name: str) -> None:
        self._client = world.client("logs", region)
        self._stream = {"logGroupName": group, "logStreamName": name}
        self._made = False
        self.arn = f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{group}:log-stream:{name}"

    def write(self, lines: list[bytes]) -> None:
        """Put lines with the present as their time. What the service refuses is dropped, as by CloudWatch's agents."""
        stamp = int(time.time() * 1000)
        texts = [line[:_EVENT].decode(errors="replace").rstrip("\r") for line in lines]
        events = [{"timestamp": stamp, "message": text} for text in texts if text]
        if not events:
            return
        with suppress(ClientError):
            self._make()
            for at in range(0, len(events), _BATCH):
                self._client.put_log_events(**self._stream, logEvents=events[at : at + _BATCH])

    def _make(self) -> None:
        if self._made:
            return
        with suppress(self._client.exceptions.ResourceAlreadyExistsException):
            self._client.create_log_group(logGroupName=self._stream["logGroupName"])
        with suppress(self._client.exceptions.ResourceAlreadyExistsException):
            self._client.create_log_stream(**self._stream)
        self._made = True
