"""The platform of a stack on this machine, from its outputs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trivet.clouds import cloud
from trivet.core.checkup import Check
from trivet.core.errors import ConfigError, NotReady
from trivet.core.outputs import LocalNative, Outputs
from trivet.core.platform import Platform, Store
from trivet.platforms.local.doctor import examine
from trivet.platforms.local.endpoints import LocalEndpoints
from trivet.platforms.local.jobs import JOBS, WORKFLOWS, LocalJobs
from trivet.platforms.local.metrics import LocalMetrics
from trivet.platforms.local.models import LocalModels
from trivet.platforms.local.workflows import LocalWorkflows
from trivet.platforms.store import ObjectStore, path_of

REGISTRY_DB, METRICS_DB = "registry.db", "metrics.db"


def connect(outputs: Outputs, root: Path) -> Platform:
    """The platform that ``outputs`` describe; ``root`` is the project's folder, wherever it lies now.

    :raises NotReady: when the stack's folder is not there.
    """
    return LocalPlatform(outputs, root.resolve())


class LocalPlatform(Platform):
    """Files, processes and SQLite under the stack's home. Nothing is opened before it is used."""

    def __init__(self, outputs: Outputs, root: Path) -> None:
        if not isinstance(outputs.native, LocalNative):
            raise ConfigError(f"The outputs of stack {outputs.stack} are of {outputs.native.cloud}, not of local.")
        home = root / outputs.native.home
        if not home.is_dir():
            raise NotReady(f"The folder of stack {outputs.stack}, {home}, is not there.", "Run `trivet up`.")

        def at(url: str) -> Path:
            return home / path_of(url)

        self._home, self._root = home, root
        self.cloud = cloud("local")
        self.outputs = outputs
        self.store = ObjectStore(at(outputs.store).as_uri())
        work = at(outputs.workflows)
        self.jobs = LocalJobs(work / JOBS, self.store, self.store.url, outputs.signing.public_key, self.check)
        self.workflows = LocalWorkflows(work / WORKFLOWS, root, self.check)
        self.models = LocalModels(
            at(outputs.models) / REGISTRY_DB, self.store, at(outputs.store), at(outputs.signing.private_key)
        )
        records = at(outputs.records) if outputs.records.startswith("file:") else outputs.records
        self.endpoints = LocalEndpoints(
            outputs.endpoints, root, self.store, records, outputs.signing.public_key, self.check
        )
        self.metrics = LocalMetrics(at(outputs.metrics) / METRICS_DB)

    def store_at(self, url: str) -> Store:
        return ObjectStore(url)

    def clear(self) -> None:
        """Nothing: whatever runs belongs to a shell or a folder of the stack."""

    def doctor(self) -> Iterator[Check]:
        return examine(self.outputs, self._home, self._root)

    def close(self) -> None:
        """Nothing to let go of: every verb opens what it needs and closes it."""
