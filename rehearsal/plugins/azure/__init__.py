"""The stand-in for ``azure-native``: every type is in the strict store, under the ids that Resource Manager gives."""

from __future__ import annotations

import os
from collections.abc import Mapping

from trivet.infra.engine.values import Properties
from trivet.rehearsal.plugins import guards
from trivet.rehearsal.plugins.azure.types import TYPES
from trivet.rehearsal.plugins.kinds import Account, Kind
from trivet.rehearsal.plugins.packages import Function, Package
from trivet.rehearsal.plugins.store import Store

NOBODY = "00000000-0000-0000-0000-000000000000"


class Azure(Package):
    """Objects of one subscription. None is asked for: a rehearsal has the one that is all zeros."""

    name = "azure-native"
    sdk = "pulumi-azure-native"
    digits = 8
    separator = ""
    moving = ("subscriptionId",)

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """See :class:`Package`."""
        return TYPES

    @property
    def functions(self) -> Mapping[str, Function]:
        """See :class:`Package`."""
        return {"azure-native:authorization:getClientConfig": _client_config}

    def configure(self, config: Properties, store: Store) -> Account:
        """See :class:`Package`."""
        guards.require_loopback(config)
        facts = {
            "subscription": config.get("subscriptionId") or os.environ.get("ARM_SUBSCRIPTION_ID") or NOBODY,
            "tenant": config.get("tenantId") or os.environ.get("ARM_TENANT_ID") or NOBODY,
            "client": config.get("clientId") or os.environ.get("ARM_CLIENT_ID") or NOBODY,
        }
        if location := config.get("location"):
            facts["location"] = location
        return Account(store, facts)


def _client_config(account: Account, arguments: Properties) -> Properties:
    return {
        "clientId": account.facts["client"],
        "objectId": account.facts["client"],
        "subscriptionId": account.facts["subscription"],
        "tenantId": account.facts["tenant"],
    }


PACKAGE = Azure()
