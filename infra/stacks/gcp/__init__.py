"""The stack on Google Cloud: Vertex AI trains and serves, Cloud Storage and PostgreSQL keep, KMS encrypts and signs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from trivet.clouds.gcpnames import labels
from trivet.core.signing import key_id
from trivet.infra.component import StackComponent
from trivet.infra.settings import Settings
from trivet.infra.stacks.context import check_modes, section
from trivet.infra.stacks.gcp import (
    alerts,
    batch,
    budget,
    catalog,
    database,
    endpoint,
    identity,
    images,
    keys,
    network,
    registry,
    schedules,
    services,
    storage,
    training,
    watch,
)
from trivet.infra.stacks.gcp.context import Context

MODES = {"key": ("create", "use"), **dict.fromkeys(("audit", "catalog", "batch"), ("create", "off"))}
"""Components that cannot be all of create, use and off: data is never without a key, and some have nothing to use."""


class Stack(StackComponent):
    """Everything in one project and region, and nothing that answers anybody without an identity of Google's.

    Endpoints are shared public ones, and a job reaches Google's APIs, and the internet, by Google's own network: what
    closes that is a perimeter of VPC Service Controls, which is the organisation's. Source: Vertex AI, "Use Private
    Service Connect interface for Vertex AI Training".
    """

    def __init__(self, stack: str, settings: Settings, options: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(stack, settings, options)
        self.context = context = Context.of(stack, settings, self).enabling(services.needed(settings))
        self.keys = keys.create(context)
        self.network = network.create(context, self.keys)
        self.storage = storage.create(context, self.keys)
        self.images = images.create(context, self.keys)
        self.database = database.create(context, self.keys, self.network)
        self.identities = identity.create(context, self.keys, self.storage, self.images)
        database.users(context, self.database, self.identities.emails)
        training.create(context, self.keys)
        self.alerts = alerts.create(context, self.keys)
        self.endpoints = endpoint.create(context, self.keys, self.alerts)
        schedules.create(context, self._work(), self.alerts)
        batch.create(context, self.alerts)
        watch.findings(context, self.endpoints, self.alerts)
        watch.dashboard(context, self.endpoints)
        watch.trail(context, self.keys, self.storage)
        catalog.create(context, self.keys)
        budget.create(context, self.alerts)

    @classmethod
    def check(cls, settings: Settings, prefix: str) -> None:  # noqa: ARG003  names of runs have room here
        for component, required in (
            (settings.key, keys.IDS),
            (settings.network, network.IDS),
            (settings.database, database.IDS),
            (settings.images, images.IDS),
            (settings.oidc, identity.IDS),
        ):
            if component.mode == "use":
                component.ids(*required)
        check_modes(settings, MODES, "Google Cloud")
        keys.check(settings)
        network.check(settings)
        images.check(settings)
        database.check(settings)
        training.check(settings)
        schedules.check(settings)

    def sections(self) -> Mapping[str, Any]:
        store, records = (_url(bucket.name) for bucket in (self.storage.store, self.storage.records))
        return {
            "store": store,
            "records": records,
            "models": registry.parent(self.context),
            "ledger": self.database.url if self.database else pulumi.Output.concat(store, "/ledger"),
            "metrics": f"monitoring:{watch.namespace(self.context)}",
            "workflows": self.identities.emails["workflow"],
            "signing": {
                "public_key": self.keys.signing_public,
                "key_id": self.keys.signing_public.apply(key_id),
                "private_key": pulumi.Output.concat("gcpkms://", self.keys.signing),
            },
            "endpoints": section(
                {shell.endpoint: (shell.number, shell.host, shell.most_instances) for shell in self.endpoints}, store
            ),
            "native": self._native(),
        }

    def _native(self) -> dict[str, Any]:
        emails = self.identities.emails
        return {
            "cloud": "gcp",
            "gcp_project": self.context.project,
            "prefix": self.context.prefix,
            **{what: emails[what] for what in ("trainer", "server", "monitor", "workflow", "scheduler")},
            "deployer": emails.get("deployer"),
            "key": self.keys.data,
            "images": self.images.url if self.images else None,
            "attachment": self.network.attachment if self.network else None,
            "network": self.network.network if self.network else None,
            "zones": self.database.zones if self.database else [],
            "alerts": self.alerts.topic.id,
            "alarms": {shell.endpoint: list(shell.alarms) for shell in self.endpoints},
            "schedules": [schedule.name for schedule in self.settings.schedules],
            "labels": labels(self.settings.tags),
            "teams": {one.name: one.team for one in self.settings.endpoints if one.team},
        }

    def _work(self) -> schedules.Work:
        emails = self.identities.emails
        return schedules.Work(
            store=_url(self.storage.store.name),
            trainer=emails["trainer"],
            scheduler=emails["scheduler"],
            key=self.keys.data,
            images=self.images.url if self.images else None,
            attachment=self.network.attachment if self.network else None,
            network=self.network.network if self.network else None,
            zones=self.database.zones if self.database else [],
            leave=self.identities.rights["scheduler"],
        )


def _url(bucket: pulumi.Output[str]) -> pulumi.Output[str]:
    return pulumi.Output.concat("gs://", bucket)
