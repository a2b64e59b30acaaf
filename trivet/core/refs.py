"""Handles that operations return."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from trivet.core.errors import ConfigError

_MODEL = re.compile(r"^(?:models:/)?(?P<name>[A-Za-z0-9][A-Za-z0-9_.-]*)(?:(?P<sep>[@/])(?P<which>[A-Za-z0-9_.-]+))?$")


@dataclass(frozen=True)
class JobRef:
    """A submitted job."""

    id: str


@dataclass(frozen=True)
class WorkflowRef:
    """An applied workflow."""

    name: str


@dataclass(frozen=True)
class RunRef:
    """One run of a workflow."""

    workflow: str
    id: str


@dataclass(frozen=True)
class ModelRef:
    """A model version by number or by alias; ``models:/loan/3``, ``loan@champion``, ``loan`` (the newest)."""

    name: str
    version: int | None = None
    alias: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read any of the three forms.

        :raises ConfigError: for anything else.
        """
        found = _MODEL.match(text)
        if found is None:
            raise ConfigError(f"{text!r} names no model.", "Write NAME, NAME/VERSION or NAME@ALIAS.")
        name, sep, which = found["name"], found["sep"], found["which"]
        if sep == "/":
            if not which.isdecimal():
                raise ConfigError(f"{which!r} is no version of {name}.", "Versions are numbers; aliases follow an @.")
            return cls(name, version=int(which))
        return cls(name, alias=which if sep else None)

    def __str__(self) -> str:
        if self.version is not None:
            return f"models:/{self.name}/{self.version}"
        return f"models:/{self.name}@{self.alias}" if self.alias else f"models:/{self.name}"
