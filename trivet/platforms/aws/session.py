"""The platform of a stack on AWS, from its outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import NoCredentialsError

from trivet.clouds import cloud
from trivet.core.checkup import Check
from trivet.core.errors import ConfigError
from trivet.core.outputs import AwsNative, Outputs
from trivet.core.platform import Login, Platform, Store
from trivet.platforms.aws.clearing import clear
from trivet.platforms.aws.clients import Clients
from trivet.platforms.aws.database import login
from trivet.platforms.aws.doctor import examine
from trivet.platforms.aws.endpoints import AwsEndpoints
from trivet.platforms.aws.errors import told
from trivet.platforms.aws.images import SERVING, image
from trivet.platforms.aws.jobs import AwsJobs
from trivet.platforms.aws.metrics import AwsMetrics
from trivet.platforms.aws.models import AwsModels
from trivet.platforms.aws.signing import signer
from trivet.platforms.refused import NoWorkflows
from trivet.platforms.store import ObjectStore

NAMESPACE = "cloudwatch:"
KMS = "awskms:///"
AMAZON = (".amazonaws.com", ".amazonaws.com.cn")
# boto3 renews credentials when they have 15 minutes left, or 10 at the latest; what obstore holds must end before.
HELD = timedelta(minutes=5)
# As long as boto3 tries again, see clients.CONFIG.
RETRIES: dict[str, Any] = {"max_retries": 8, "retry_timeout": timedelta(minutes=1)}


def connect(outputs: Outputs, root: Path) -> Platform:  # noqa: ARG001  nothing of a stack on AWS lies in the project
    """The platform that ``outputs`` describe; nothing is asked of AWS before a verb is called."""
    return AwsPlatform(outputs)


class AwsPlatform(Platform):
    """SageMaker, S3, CloudWatch and KMS, with whatever credentials boto3 finds."""

    def __init__(self, outputs: Outputs, clients: Clients | None = None) -> None:
        native = outputs.native
        if not isinstance(native, AwsNative):
            raise ConfigError(f"The outputs of stack {outputs.stack} are of {native.cloud}, not of aws.")
        self.cloud = cloud("aws")
        self.outputs = outputs
        self._native = native
        self.clients = clients = clients or Clients(native.account, outputs.region, outputs.stack)
        self.store = self.store_at(outputs.store)
        self.jobs = AwsJobs(clients, outputs, native, self.store, self.check)
        self.models = AwsModels(
            clients,
            outputs,
            self.store,
            signer(clients, outputs.signing.private_key.removeprefix(KMS)),
            partial(image, native, SERVING),
        )
        self.endpoints = AwsEndpoints(clients, outputs, native, self.store, self.check)
        self.workflows = NoWorkflows(self.cloud)
        self.metrics = AwsMetrics(clients, outputs.metrics.removeprefix(NAMESPACE))

    def store_at(self, url: str) -> Store:
        return ObjectStore(url, **reaching(self.clients, self.outputs.region))

    def database_login(self) -> Login | None:
        return login(self.clients, self.outputs.ledger, self.outputs.region)

    def clear(self) -> None:
        clear(self.clients, self.outputs, self._native, self.endpoints)

    def doctor(self) -> Iterator[Check]:
        return examine(self.clients, self.outputs, self._native)

    def close(self) -> None:
        self.clients.close()


def reaching(clients: Clients, region: str) -> dict[str, Any]:
    """How obstore reaches S3 as boto3 does: it knows neither profiles nor single sign-on by itself.

    Where boto3 is led elsewhere than to AWS, by a variable or a profile, obstore goes there too.
    """
    found: dict[str, Any] = {
        "credential_provider": credentials(clients),
        "region": region,
        "retry_config": RETRIES,
    }
    with told("The store"):
        endpoint = clients.address("s3")
    if not (urlsplit(endpoint).hostname or "").endswith(AMAZON):
        found |= {"endpoint": endpoint, "client_options": {"allow_http": endpoint.startswith("http:")}}
    return found


def credentials(clients: Clients) -> Callable[[], dict[str, Any]]:
    """What obstore asks for credentials: boto3's, looked for when the store is first used."""

    def provide() -> dict[str, Any]:
        with told("The credentials for AWS"):
            found = clients.session.get_credentials()
            if found is None:
                raise NoCredentialsError
            frozen = found.get_frozen_credentials()
        expires = datetime.now(UTC) + HELD
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": expires,
        }

    return provide
