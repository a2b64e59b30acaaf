"""What containers of SageMaker have written, from CloudWatch Logs."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from trivet.platforms.aws.errors import is_missing, told
from trivet.platforms.serverlog import error_in

_STREAMS, _TAIL = 3, 50  # the newest machines, and how many of their last lines


def lines(logs: Any, group: str, prefix: str = "") -> Iterator[str]:
    """The lines of the streams whose names begin with ``prefix``, in the order in which they were written."""
    with told(f"The log {group}"):
        try:
            pages = logs.get_paginator("describe_log_streams").paginate(
                logGroupName=group, **({"logStreamNamePrefix": prefix} if prefix else {})
            )
            names = [one["logStreamName"] for page in pages for one in page["logStreams"]]
            streams = [_events(logs, group, name) for name in names]
            for event in heapq.merge(*streams, key=lambda event: event["timestamp"]):
                yield event["message"].rstrip("\n")
        except ClientError as error:
            if not is_missing(error):  # nothing was written yet
                raise


def _events(logs: Any, group: str, stream: str) -> Iterator[dict[str, Any]]:
    """Every event of one stream, oldest first; the end is where the token stays the same."""
    last, token = None, {}
    while True:
        page = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, **token)
        yield from page["events"]
        if page["nextForwardToken"] == last:
            return
        last = page["nextForwardToken"]
        token = {"nextToken": last}


def last_error(logs: Any, group: str) -> str:
    """The last sentence that a server of ours wrote as an error; empty when there is none."""
    with told(f"The log {group}"):
        try:
            streams = logs.describe_log_streams(
                logGroupName=group, orderBy="LastEventTime", descending=True, limit=_STREAMS
            )["logStreams"]
            for stream in streams:
                name = stream["logStreamName"]
                events = logs.get_log_events(logGroupName=group, logStreamName=name, limit=_TAIL)["events"]
                for event in reversed(events):
                    if sentence := error_in(event["message"]):
                        return sentence
        except ClientError as error:
            if not is_missing(error):
                raise
    return ""
