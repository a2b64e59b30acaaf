"""The stand-in for ``gcp``: every type is in the strict store, under the ids that the real provider gives."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from trivet.core.errors import ConfigError
from trivet.infra.engine.values import Properties
from trivet.rehearsal.plugins import guards
from trivet.rehearsal.plugins.gcp.types import TYPES
from trivet.rehearsal.plugins.kinds import Account, Kind, stable_digits
from trivet.rehearsal.plugins.packages import Function, Package
from trivet.rehearsal.plugins.store import Store

_PROJECT = ("GOOGLE_PROJECT", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT")
_REGION = ("GOOGLE_REGION", "GCLOUD_REGION", "CLOUDSDK_COMPUTE_REGION")


class Gcp(Package):
    """Objects of one project, which the config or the environment must name."""

    name = "gcp"
    sdk = "pulumi-gcp"
    moving = ("project",)

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """See :class:`Package`."""
        return TYPES

    @property
    def functions(self) -> Mapping[str, Function]:
        """See :class:`Package`."""
        return {
            "gcp:organizations/getClientConfig:getClientConfig": _client_config,
            "gcp:organizations/getProject:getProject": _project,
        }

    def configure(self, config: Properties, store: Store) -> Account:
        """See :class:`Package`."""
        guards.require_loopback(config)
        facts = {name: _setting(config, name, where) for name, where in (("project", _PROJECT), ("region", _REGION))}
        if not facts["project"]:
            raise ConfigError("No project is named for Google Cloud.", "Set the config gcp:project.")
        labels = config.get("defaultLabels") or {}
        labels = json.loads(labels) if isinstance(labels, str) else labels
        if str(config.get("addPulumiAttributionLabel", True)).lower() != "false":
            labels = {"goog-pulumi-provisioned": "true", **labels}
        facts["number"] = stable_digits(facts["project"])
        return Account(store.within(facts["project"]), {name: value for name, value in facts.items() if value}, labels)


def _setting(config: Properties, name: str, variables: tuple[str, ...]) -> str:
    return config.get(name) or next((os.environ[one] for one in variables if os.environ.get(one)), "")


def _client_config(account: Account, arguments: Properties) -> Properties:
    facts = account.facts
    return {
        "id": f"projects/{facts['project']}",
        "project": facts["project"],
        "region": facts.get("region", ""),
        "zone": "",
        "accessToken": "rehearsal",
        "defaultLabels": account.labels,
    }


def _project(account: Account, arguments: Properties) -> Properties:
    project = arguments.get("projectId") or account.facts["project"]
    return {
        "id": f"projects/{project}",
        "projectId": project,
        "name": project,
        "number": stable_digits(project),
        "orgId": "",
        "folderId": "",
        "billingAccount": "",
        "autoCreateNetwork": False,
        "deletionPolicy": "PREVENT",
        "labels": {},
        "effectiveLabels": {},
        "pulumiLabels": {},
        "tags": {},
    }


PACKAGE = Gcp()
