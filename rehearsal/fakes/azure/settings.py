"""What can be said to the fake of Azure: when it starts, and by its control API while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from trivet.rehearsal.fakes.settings import Adjustable, setting


@dataclass
class Settings(Adjustable):
    """Times in seconds of this machine."""

    operation: float = setting(0.1, "how long an asynchronous operation takes beyond what it does")
    poll: float = setting(0.05, "how long clients are told to wait before they look at an operation again")
    queued: float = setting(0.0, "how long a job is queued, and then prepared, before it runs")
    probe: float = setting(0.01, "what part of their delays and periods probes of a container have")
    grace: float = setting(0.05, "what part of 30 s a container gets from SIGTERM to SIGKILL")
    startup: float = setting(60.0, "the longest until a container's first good answer to its readiness probe")
    token: float = setting(3600.0, "how long a token is good")
    restarts: bool = setting(True, "whether a container of a deployment that ends by itself is started again")
