"""What can be said to a fake: when it starts, and by its control API while it runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from trivet.core.errors import ConfigError


@dataclass
class Settings:
    """Times in seconds of this machine."""

    speed: float = 60.0
    """By how much the waits of a deployment pass faster than they are configured: bakes, intervals, terminations."""

    grace: float = 0.05
    """What part of the documented time between SIGTERM and SIGKILL a container gets: 120 s in training, 30 in serving.
    A container that leaves by itself is not affected."""

    startup: float = 60.0
    """The longest that a container may take until its first good ping, below what its variant allows (8 minutes)."""

    invocation: float = 60.0
    """The longest that a container may take to answer: 60 s in AWS's documentation."""

    restarts: bool = True
    """Whether a container that ends by itself, in an endpoint that serves, is started again."""

    evaluate: bool = False
    """Whether alarms on endpoints get their state from the endpoints' metrics; else it is as a test has set it."""

    def change(self, given: dict[str, Any]) -> None:
        """Set some of them.

        :raises ConfigError: for a name that there is not, or a value of another type.
        """
        for name, value in given.items():
            if name not in {field.name for field in fields(self)}:
                raise ConfigError(f"{name} is no setting of this fake.", f"Choose one of: {', '.join(asdict(self))}.")
            kind = type(getattr(self, name))
            if not isinstance(value, (int, float)) or (kind is bool) != isinstance(value, bool):
                raise ConfigError(f"{name} cannot be {value!r}.", f"Give a {kind.__name__}.")
            setattr(self, name, kind(value))
