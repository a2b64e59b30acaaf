"""The stand-in for ``gcp``: what the runtime works on lies in the fake, the rest in the strict store."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from trivet.core.errors import ConfigError
from trivet.infra.engine.values import Properties
from trivet.rehearsal.plugins import guards
from trivet.rehearsal.plugins.gcp.fake import GcpAccount, named
from trivet.rehearsal.plugins.gcp.functions import FUNCTIONS
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
        return FUNCTIONS

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
        known = {name: value for name, value in facts.items() if value}
        return GcpAccount(store.within(facts["project"]), known, labels, named())


def _setting(config: Properties, name: str, variables: tuple[str, ...]) -> str:
    return config.get(name) or next((os.environ[one] for one in variables if os.environ.get(one)), "")


PACKAGE = Gcp()
