"""What every cloud's stack is: one component that knows the values of its outputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import pulumi

from trivet.infra import names
from trivet.infra.settings import Settings


class StackComponent(pulumi.ComponentResource, ABC):
    """Base of ``stacks.<cloud>.Stack``."""

    def __init__(self, stack: str, settings: Settings, options: pulumi.ResourceOptions | None = None) -> None:
        """:raises ConfigError: for what the cloud would not take, before anything is made."""
        project = pulumi.get_project()
        names.check(settings, project, stack)
        self.check(settings, names.prefix(settings, project, stack))
        super().__init__(f"trivet:{settings.cloud}:Stack", stack, None, options)
        self.stack = stack
        self.settings = settings

    @classmethod
    def check(cls, settings: Settings, prefix: str) -> None:
        """Refuse what this cloud's stack cannot make of settings; it may register nothing.

        :param prefix: of all names of the stack.
        :raises ConfigError: saying what to set instead.
        """

    @abstractmethod
    def sections(self) -> Mapping[str, Any]:
        """The sections of ``core.outputs.Outputs`` that only this cloud can fill."""

    def values(self) -> dict[str, Any]:
        """Every field of ``core.outputs.Outputs``, values as Pulumi outputs."""
        return {
            "version": 1,
            "project": pulumi.get_project(),
            "stack": self.stack,
            "cloud": self.settings.cloud,
            "environment": self.settings.environment,
            "region": self.settings.region,
            "regulated": self.settings.regulated,
            **self.sections(),
        }
