"""What can be said to a fake: when it starts, and by its control API while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from trivet.rehearsal.fakes.settings import Adjustable, setting


@dataclass
class Settings(Adjustable):
    """Times in seconds of this machine."""

    speed: float = setting(
        60.0, "by how much the waits of an update (bake, interval, termination) and the periods of alarms pass faster"
    )
    grace: float = setting(
        0.05, "what part of the documented time a container gets from SIGTERM to SIGKILL: 120 s in a job, 30 s serving"
    )
    startup: float = setting(
        60.0, "the longest, in seconds, until a container's first good ping, where its variant allows more (8 minutes)"
    )
    invocation: float = setting(60.0, "the longest, in seconds, that a container may take to answer")
    restarts: bool = setting(True, "whether a container of an endpoint that ends by itself is started again")
    evaluate: bool = setting(
        False, "whether alarms on endpoints follow the endpoints' metrics; else they are as SetAlarmState left them"
    )
