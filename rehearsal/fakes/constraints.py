"""What a cloud refuses beyond the shape of a request: a table, each entry with its source, each switchable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from trivet.core.errors import ConfigError
from trivet.rehearsal.fakes.refusing import Refused


class Constraint(NamedTuple):
    """What must hold, and who says so."""

    rule: str
    source: str


class Switches:
    """Which constraints of a table hold. All do at first."""

    def __init__(self, table: Mapping[str, Constraint]) -> None:
        self._table = table
        self._off: set[str] = set()

    def switch(self, name: str, on: bool) -> None:
        """Let one hold or not.

        :raises ConfigError: where the table has no such entry.
        """
        if name not in self._table:
            raise ConfigError(f"{name} is no constraint of this fake.", f"Choose one of: {', '.join(self._table)}.")
        (self._off.discard if on else self._off.add)(name)

    def reset(self) -> None:
        """Let all hold."""
        self._off.clear()

    def holds(self, name: str) -> bool:
        """Whether it is on."""
        if name not in self._table:
            raise KeyError(name)
        return name not in self._off

    def states(self) -> dict[str, bool]:
        """Every constraint, and whether it is on."""
        return {name: self.holds(name) for name in self._table}


class Demands(Switches):
    """Constraints whose breach is an error that the caller makes."""

    def demand(self, name: str, met: bool, error: Refused) -> None:
        """:raises Refused: where the constraint holds and is not met."""
        if self.holds(name) and not met:
            raise error
