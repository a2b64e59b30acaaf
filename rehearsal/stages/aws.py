"""AWS for a rehearsal: the fake for what boto3 asks, the stand-in providers for what Pulumi makes in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import boto3

from trivet.rehearsal.fakes.aws import REGION, Fake
from trivet.rehearsal.lying import lying
from trivet.rehearsal.plugins.guards import STORE
from trivet.rehearsal.plugins.path import rehearsing
from trivet.rehearsal.plugins.store import Store
from trivet.rehearsal.rigs.aws import ACCOUNT, COMMANDS
from trivet.rehearsal.stages import Stage


class AwsStage(Stage):
    """One account and region."""

    title = "AWS"
    proves = (
        "the requests, as AWS's own service models allow them; the containers' contract; "
        "the order of what is made and deleted; what is said when something fails"
    )
    proves_not = "rights (IAM), quotas, prices, timing, and that AWS's real services answer as the fake does"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fake = Fake(folder / "aws", images=COMMANDS, region=REGION)
        self.evidence = f"fake (moto {version('moto')}, botocore {version('botocore')}, {self._fake.mode})"

    @property
    def environment(self) -> Mapping[str, str]:
        return {**rehearsing(self._folder / "plugins"), **self._fake.environment}

    @property
    def config(self) -> Mapping[str, str]:
        return {
            "cloud": "aws",
            "environment": "dev",
            "region": REGION,
            "account": ACCOUNT,
            # Nothing answers at the address of a stand-in's database: the ledger lies in the store.
            "database": "off",
        }

    def operations(self) -> Mapping[str, int]:
        return Counter(call["service"] for call in self._fake.calls())

    def left(self) -> Sequence[str]:
        store = Store(Path(rehearsing(self._folder / "plugins")[STORE]))
        return sorted([f"{entry.token} {entry.id}" for entry in store.all()] + [*lying(self._client)])

    def close(self) -> None:
        self._fake.close()

    @cached_property
    def _session(self) -> boto3.Session:
        given = self._fake.environment
        return boto3.Session(given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"], region_name=REGION)

    def _client(self, service: str) -> Any:
        return self._session.client(service, endpoint_url=self._fake.endpoint)
