"""What each cloud's service gives a container and asks of it: data only, each number with its source.

A cloud ends a request at its own limit, so a deadline here lies a little below it: the client then gets a 504 that
says why. Sizes that a cloud states in MB are taken as powers of two, the larger reading.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

from trivet.serving.config import Front

MB = 1 << 20


class Preset(NamedTuple):
    """Settings of a server on one kind of endpoint. Any of them may be set otherwise by the environment."""

    fronts: tuple[Front, ...]
    max_body_bytes: int
    deadline_seconds: float
    drain_seconds: float
    grace_seconds: float  # from the end of the drain to the end of the process
    host: str = "0.0.0.0"  # noqa: S104  a container's own network
    port: int = 8080
    signed: bool = True
    docs: bool = False
    batch: bool = False


# SIGKILL comes 30 s after SIGTERM: Developer Guide, "Use your own inference code with hosting services".
_SAGEMAKER = Preset(
    fronts=("sagemaker", "v2", "v1"),
    # The guide's FAQ says 25 MB, the service model of InvokeEndpoint 6291456 bytes: the smaller unless told otherwise.
    max_body_bytes=6 * MB,
    deadline_seconds=58,  # InvokeEndpoint: 60 s
    drain_seconds=4,
    grace_seconds=24,
)
_VERTEX = Preset(
    fronts=("vertex", "v2", "v1"),
    max_body_bytes=MB * 3 // 2,  # "Choose an endpoint type": 1.5 MB on the shared public endpoint
    deadline_seconds=58,  # 60 s
    drain_seconds=10,  # "Custom container requirements": health is asked every 10 s
    grace_seconds=50,
)
PRESETS = MappingProxyType(
    {
        "local": Preset(
            fronts=("v2", "v1", "sagemaker", "vertex", "azure"),
            max_body_bytes=6 * MB,
            deadline_seconds=10,
            drain_seconds=2,
            grace_seconds=25,
            host="127.0.0.1",
            signed=False,
            docs=True,
        ),
        "sagemaker": _SAGEMAKER,
        "sagemaker-serverless": _SAGEMAKER._replace(max_body_bytes=4 * MB),  # "Invoke a serverless endpoint": 4 MB
        # Batch transform waits as long as its job says, 3600 s at most: ModelClientConfig. Nobody else asks: no drain.
        "sagemaker-batch": _SAGEMAKER._replace(
            fronts=("sagemaker",), deadline_seconds=590, drain_seconds=0, grace_seconds=5, batch=True
        ),
        "vertex": _VERTEX,
        # 10 MB, and 10 minutes unless clientConnectionConfig.inferenceTimeout says otherwise.
        "vertex-dedicated": _VERTEX._replace(max_body_bytes=10 * MB, deadline_seconds=590),
        "azure": Preset(
            fronts=("azure", "v2", "v1"),
            max_body_bytes=10 * MB,  # ours: no page states a limit
            deadline_seconds=4.8,  # request_timeout_ms: 5000 by default, 180000 at most
            drain_seconds=10,  # readiness is asked every 10 s by default
            grace_seconds=15,
        ),
    }
)
