"""The stack on AWS: SageMaker trains and serves, S3 and PostgreSQL keep, KMS encrypts and signs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from trivet.infra.component import StackComponent
from trivet.infra.settings import Settings
from trivet.infra.stacks.aws import (
    batch,
    budget,
    catalog,
    database,
    endpoint,
    identity,
    images,
    keys,
    network,
    parts,
    registry,
    schedules,
    storage,
    training,
    watch,
)
from trivet.infra.stacks.aws.context import Context
from trivet.infra.stacks.context import check_modes, each, section

MODES = {
    **dict.fromkeys(("key", "alerts", "identity"), ("create", "use")),
    **dict.fromkeys(("audit", "catalog", "batch"), ("create", "off")),
}
"""Components that cannot be all of create, use and off: data is never without a key, and some have nothing to use."""


class Stack(StackComponent):
    """Everything in one account and region, with nothing open to the internet."""

    def __init__(self, stack: str, settings: Settings, options: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(stack, settings, options)
        self.context = context = Context.of(stack, settings, self)
        self.keys = keys.create(context)
        self.network = network.create(context)
        self.storage = storage.create(context, self.keys.data)
        network.flow_log(context, self.network, self.storage)
        self.images = images.create(context, self.keys.data)
        self.database = database.create(context, self.keys.data, self.network)
        self.models = registry.create(context)
        self.identities = identity.create(context, self._parts())
        training.create(context, self.keys.data)
        alerts = watch.topic(context, self.keys.data)
        self.endpoints = endpoint.create(context, self.keys.data, alerts)
        schedules.create(context, self._work(), alerts)
        batch.create(context, alerts)
        watch.findings(context, self.endpoints, alerts)
        watch.dashboard(context, self.endpoints)
        watch.trail(context, self.storage, self.keys.data)
        catalog.create(context, self.storage, self.keys.data)
        budget.create(context, alerts)
        self.alerts = alerts

    @classmethod
    def check(cls, settings: Settings, prefix: str) -> None:
        for component, required, optional in (
            (settings.key, keys.IDS, ()),
            (settings.network, network.IDS, ()),
            (settings.database, database.IDS, database.OPTIONAL_IDS),
            (settings.images, images.IDS, ()),
            (settings.oidc, identity.IDS, ()),
            (settings.alerts, watch.IDS, ()),
            (settings.identity, identity.ROLES, identity.OPTIONAL_ROLES),
        ):
            if component.mode == "use":
                component.ids(*required, optional=optional)
        check_modes(settings, MODES, "AWS")
        identity.check(settings)
        watch.check(settings)
        images.check(settings)
        database.check(settings)
        schedules.check(settings, prefix)

    def sections(self) -> Mapping[str, Any]:
        store, records = (_url(bucket.bucket) for bucket in (self.storage.store, self.storage.records))
        ledger = self.database.url if self.database else pulumi.Output.concat(store, "/ledger")
        return {
            "store": store,
            "records": records,
            "models": self.models.arn,
            "ledger": ledger,
            "metrics": f"cloudwatch:{watch.namespace(self.context)}",
            "workflows": self.identities.workflow,
            "signing": {
                "public_key": self.keys.signing_public,
                "key_id": self.keys.signing,
                "private_key": pulumi.Output.concat("awskms:///", self.keys.signing),
            },
            "endpoints": section(
                {shell.endpoint: (shell.name, shell.host, shell.most_instances) for shell in self.endpoints}, store
            ),
            "native": self._native(),
        }

    def _native(self) -> dict[str, Any]:
        found = self.network
        return {
            "cloud": "aws",
            "account": self.context.account,
            "partition": self.context.partition,
            "prefix": self.context.prefix,
            "trainer_role": self.identities.trainer,
            "server_roles": self.identities.servers,
            "monitor_role": self.identities.monitor,
            "workflow_role": self.identities.workflow,
            "scheduler_role": self.identities.scheduler,
            "deployer_role": self.identities.deployer,
            "deployer_roles": self.identities.deployers,
            "key": self.keys.data,
            "images": self.images,
            "subnets": list(found.subnets) if found else [],
            "security_groups": [found.group] if found else [],
            "alerts": self.alerts,
            "alarms": {shell.endpoint: [alarm.name for alarm in shell.alarms] for shell in self.endpoints},
            "schedules": [schedule.name for schedule in self.settings.schedules],
            "tags": self.settings.tags,
            "teams": {one.name: one.team for one in self.settings.endpoints if one.team},
        }

    def _work(self) -> schedules.Work:
        found = self.network
        return schedules.Work(
            store=_url(self.storage.store.bucket),
            trainer=self.identities.trainer,
            scheduler=self.identities.scheduler,
            key=self.keys.data,
            images=self.images,
            subnets=list(found.subnets) if found else [],
            security_groups=[found.group] if found else [],
        )

    def _parts(self) -> parts.Parts:
        context, found = self.context, self.network
        place = parts.Place(
            context.partition,
            context.account,
            context.region,
            context.prefix,
            watch.namespace(context),
            pulumi.get_stack(),
            pulumi.get_project(),
        )
        identifier = None if self.database is None else self.database.resource_id
        return parts.Parts(
            place=place,
            store=self.storage.store.arn,
            records=self.storage.records.arn,
            key=self.keys.data,
            signing=self.keys.signing,
            versions=registry.versions_of(context, self.models),
            group=self.models.arn,
            image_repository=each(self.images, lambda url: images.arn(context, url)),
            subnets=list(found.subnets) if found else [],
            security_group=found.group if found else None,
            database=each(identifier, lambda known: context.arn("rds-db", f"dbuser:{known}/{database.USER}")),
        )


def _url(bucket: pulumi.Output[str]) -> pulumi.Output[str]:
    return pulumi.Output.concat("s3://", bucket)
