"""What can be said to a fake: when it starts, and by its control API while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from trivet.core.errors import ConfigError


def _setting(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass
class Settings:
    """Times in seconds of this machine."""

    speed: float = _setting(
        60.0, "by how much the waits of an update (bake, interval, termination) and the periods of alarms pass faster"
    )
    grace: float = _setting(
        0.05, "what part of the documented time a container gets from SIGTERM to SIGKILL: 120 s in a job, 30 s serving"
    )
    startup: float = _setting(
        60.0, "the longest, in seconds, until a container's first good ping, where its variant allows more (8 minutes)"
    )
    invocation: float = _setting(60.0, "the longest, in seconds, that a container may take to answer")
    restarts: bool = _setting(True, "whether a container of an endpoint that ends by itself is started again")
    evaluate: bool = _setting(
        False, "whether alarms on endpoints follow the endpoints' metrics; else they are as SetAlarmState left them"
    )

    def change(self, given: dict[str, Any]) -> None:
        """Set some of them.

        :raises ConfigError: for a name that there is not, or a value of another type.
        """
        for name, value in given.items():
            known = [one.name for one in fields(self)]
            if name not in known:
                raise ConfigError(f"{name} is no setting of this fake.", f"Choose one of: {', '.join(known)}.")
            kind = type(getattr(self, name))
            if not isinstance(value, (int, float)) or (kind is bool) != isinstance(value, bool):
                raise ConfigError(f"{name} cannot be {value!r}.", f"Give a {kind.__name__}.")
            setattr(self, name, kind(value))
