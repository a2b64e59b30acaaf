"""The stand-in for ``aws``: most types really lie in moto, through boto3; the rest in the strict store."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from trivet.core.errors import ConfigError
from trivet.infra.engine.values import Properties
from trivet.rehearsal.plugins import guards
from trivet.rehearsal.plugins.aws.account import AwsAccount
from trivet.rehearsal.plugins.aws.clients import Clients
from trivet.rehearsal.plugins.aws.functions import FUNCTIONS
from trivet.rehearsal.plugins.kinds import Account, Kind
from trivet.rehearsal.plugins.packages import Function, Package
from trivet.rehearsal.plugins.store import Store

_AREAS = ("access", "data", "machinelearning", "network", "storage", "stored", "watching")


class Aws(Package):
    """Objects of the account that the endpoint gives, in one region."""

    name = "aws"
    sdk = "pulumi-aws"
    moving = ("region",)

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """See :class:`Package`."""
        return _kinds()

    @property
    def functions(self) -> Mapping[str, Function]:
        """See :class:`Package`."""
        return FUNCTIONS

    def configure(self, config: Properties, store: Store) -> Account:
        """See :class:`Package`."""
        guards.require_loopback(config)
        region = config.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        if not region:
            raise ConfigError("No region is named for AWS.", "Set the config aws:region.")
        endpoints = {name: url for one in _plain(config.get("endpoints")) or [] for name, url in one.items()}
        clients = Clients(endpoints, region)
        number = clients.call("sts", "GetCallerIdentity", {})["Account"]
        allowed = _plain(config.get("allowedAccountIds")) or [number]
        if number not in allowed:
            raise ConfigError(f"The account {number} is none of those allowed.", "Correct aws:allowedAccountIds.")
        tags = (_plain(config.get("defaultTags")) or {}).get("tags") or {}
        own = store.within(f"{number}/{region}")
        return AwsAccount(own, {"region": region, "account": number, "partition": "aws"}, tags, clients)


@functools.cache
def _kinds() -> dict[str, Kind]:
    areas = (import_module(f"{__name__}.{area}").KINDS for area in _AREAS)
    return {kind.token: kind for kinds in areas for kind in kinds}


def _plain(value: Any) -> Any:
    """A setting, which an explicit provider is given as JSON."""
    return json.loads(value) if isinstance(value, str) else value


PACKAGE = Aws()
