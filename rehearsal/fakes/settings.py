"""What can be said to a fake, when it starts and by its control API while it runs: each fake has a class of its own."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from trivet.core.errors import ConfigError


def setting(default: Any, meaning: str) -> Any:
    """A member of such a class, and what it means."""
    return field(default=default, metadata={"meaning": meaning})


@dataclass
class Adjustable:
    """Numbers and switches that can be changed by name."""

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
