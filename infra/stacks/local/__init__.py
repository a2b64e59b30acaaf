"""The stack on one machine: folders, a key, and ports that are reserved before anything listens on them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi

from trivet.core.errors import ConfigError
from trivet.core.layout import project_root, stack_home
from trivet.infra.component import StackComponent
from trivet.infra.settings import Settings
from trivet.infra.stacks.local import database, endpoint, keys, registry, storage, training


class Stack(StackComponent):
    """Everything lies under the stack's home, so that ``destroy`` leaves nothing."""

    def __init__(self, stack: str, settings: Settings) -> None:
        super().__init__(stack, settings)
        root = project_root()
        self.home = _relative(stack_home(root, stack), root)
        home = storage.HomeFolder("home", path=self.home, opts=pulumi.ResourceOptions(parent=self))
        inside = pulumi.ResourceOptions(parent=self, depends_on=[home])
        self.storage = storage.create(self.home, inside)
        self.key = keys.create(self.home, inside)
        self.database = database.create(self.home, inside)
        self.registry = registry.create(self.home, inside)
        self.jobs = training.create(self.home, inside)
        self.endpoints = endpoint.create(self.home, settings.endpoints, inside)

    @classmethod
    def check(cls, settings: Settings, prefix: str) -> None:  # noqa: ARG003
        if settings.schedules:
            raise ConfigError(
                "One machine has no clock of its own, so trivet:schedules is for clouds.",
                "Call `trivet run --if-needed` from cron.",
            )

    def sections(self) -> Mapping[str, Any]:
        return {
            "store": self.storage["store"].url,
            "records": self.storage["records"].url,
            "models": self.registry.url,
            "ledger": self.database.url,
            "metrics": self.database.url,
            "workflows": self.jobs.url,
            "signing": {
                "public_key": self.key.public_key,
                "key_id": self.key.key_id,
                "private_key": self.key.url,
            },
            "endpoints": {
                shell.endpoint: {
                    "name": shell.name,
                    "host": shell.host,
                    "port": shell.port,
                    "folder": shell.folder,
                    "most_instances": shell.most_instances,
                }
                for shell in self.endpoints
            },
            "native": {"cloud": "local", "home": self.home},
        }


def _relative(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
