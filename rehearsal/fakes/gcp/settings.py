"""What can be said to the fake of Google Cloud: when it starts, and by its control API while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from trivet.rehearsal.fakes.settings import Adjustable, setting


@dataclass
class Settings(Adjustable):
    """Times in seconds of this machine."""

    operation: float = setting(0.1, "how long a long-running operation takes beyond what it does")
    queued: float = setting(0.0, "how long a job is queued, and then pending, before it runs")
    grace: float = setting(0.05, "what part of 30 s a container gets from SIGTERM to SIGKILL")
    startup: float = setting(60.0, "the longest until a container's first good answer to a health check")
    invocation: float = setting(60.0, "the longest that a container may take to answer")
    machines: int = setting(100, "how many replicas all endpoints may have: the project's quota")
    aborted: bool = setting(False, "whether a second operation is refused as ABORTED, and not as FAILED_PRECONDITION")
    restarts: bool = setting(True, "whether a container of an endpoint that ends by itself is started again")
