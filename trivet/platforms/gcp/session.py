"""The platform of a stack on Google Cloud, from its outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from google.auth.transport.requests import Request

from trivet.clouds import cloud
from trivet.core.checkup import Check
from trivet.core.errors import ConfigError
from trivet.core.outputs import GcpNative, Outputs
from trivet.core.platform import Login, Platform, Store
from trivet.platforms.gcp.clearing import clear
from trivet.platforms.gcp.clients import Clients
from trivet.platforms.gcp.database import login
from trivet.platforms.gcp.doctor import examine
from trivet.platforms.gcp.endpoints import GcpEndpoints
from trivet.platforms.gcp.errors import told
from trivet.platforms.gcp.images import SERVING, image
from trivet.platforms.gcp.jobs import GcpJobs
from trivet.platforms.gcp.metrics import GcpMetrics
from trivet.platforms.gcp.models import GcpModels
from trivet.platforms.gcp.signing import signer
from trivet.platforms.refused import NoWorkflows
from trivet.platforms.store import ObjectStore

METRICS = "monitoring:"
# As long as calls of the other services are tried again, see clients.
RETRIES: dict[str, Any] = {"max_retries": 8, "retry_timeout": timedelta(minutes=1)}


def connect(outputs: Outputs, root: Path) -> Platform:  # noqa: ARG001  nothing of a stack there lies in the project
    """The platform that ``outputs`` describe; nothing is asked of Google Cloud before a verb is called."""
    return GcpPlatform(outputs)


class GcpPlatform(Platform):
    """Vertex AI, Cloud Storage, Cloud Monitoring and Cloud KMS, with whatever credentials google-auth finds."""

    def __init__(self, outputs: Outputs, clients: Clients | None = None) -> None:
        native = outputs.native
        if not isinstance(native, GcpNative):
            raise ConfigError(f"The outputs of stack {outputs.stack} are of {native.cloud}, not of gcp.")
        self.cloud = cloud("gcp")
        self.outputs = outputs
        self._native = native
        self.clients = clients = clients or Clients(native.gcp_project, outputs.region)
        self.store = self.store_at(outputs.store)
        self.jobs = GcpJobs(clients, outputs, native, self.store, self.check)
        self.models = GcpModels(
            clients,
            outputs,
            native,
            self.store,
            signer(clients, outputs.signing.private_key, outputs.signing.public_key),
            partial(image, native, SERVING),
        )
        self.endpoints = GcpEndpoints(clients, outputs, native, self.store, self.check)
        self.workflows = NoWorkflows(self.cloud)
        self.metrics = GcpMetrics(clients, outputs.metrics.removeprefix(METRICS))

    def store_at(self, url: str) -> Store:
        return ObjectStore(url, **reaching(self.clients))

    def database_login(self) -> Login | None:
        return login(self.clients, self.outputs.ledger)

    def clear(self) -> None:
        clear(self.clients, self.outputs, self.endpoints)

    def doctor(self) -> Iterator[Check]:
        return examine(self.clients, self.outputs, self._native)

    def close(self) -> None:
        self.clients.close()


def reaching(clients: Clients) -> dict[str, Any]:
    """How obstore reaches Cloud Storage as the others are reached: with the same identity, at the same place."""
    found: dict[str, Any] = {"retry_config": RETRIES, "credential_provider": tokens(clients)}
    if address := clients.storage:
        found |= {"base_url": address.rstrip("/"), "client_options": {"allow_http": address.startswith("http:")}}
    return found


def tokens(clients: Clients) -> Callable[[], dict[str, Any]]:
    """What obstore asks for tokens: google-auth's, looked for when the store is first used."""

    def provide() -> dict[str, Any]:
        with told("The credentials for Google Cloud"):
            credentials: Any = clients.credentials
            if not credentials.valid:
                credentials.refresh(Request())
        # google-auth says times in UTC without a zone, and renews a token some minutes before it ends.
        ends = credentials.expiry
        expires = ends.replace(tzinfo=UTC) if ends else datetime.now(UTC) + timedelta(minutes=5)
        return {"token": credentials.token, "expires_at": expires}

    return provide
