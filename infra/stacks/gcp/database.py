"""PostgreSQL for datasets' metadata, labels, approvals and the ledger: private, by TLS only, logged in to with IAM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from trivet.core.errors import ConfigError
from trivet.infra.settings import HOW, Settings
from trivet.infra.stacks.gcp.context import Context
from trivet.infra.stacks.gcp.keys import Keys
from trivet.infra.stacks.gcp.network import POSTGRESQL, Network, record, within

IDS = ("url",)
"""What names a database that is used."""
VERSION = "POSTGRES_17"
NAME = "trivet"
WRITERS = ("monitor", "deployer")
"""Who logs in: those who write the ledger, and no job or server of a user's."""
_TIERS = {1: "db-f1-micro", 2: "db-custom-2-7680"}
_GIB, _MOST_GIB = 10, 200
_LONGEST = 80  # characters of an instance's name: 98 with the project's, whose id has 30 at most, less the colon
_MOST_LOG_DAYS = 7  # for which point-in-time recovery keeps the logs of an instance of this edition
_LAST_DAYS = 365  # the most for which Cloud SQL keeps a final backup: gcloud sql instances delete
_FLAGS = {
    "cloudsql.iam_authentication": "on",
    "cloudsql.enable_pgaudit": "on",
    "pgaudit.log": "ddl,role",
    "log_checkpoints": "on",
    "log_connections": "on",
    "log_disconnections": "on",
    "log_duration": "on",
    "log_hostname": "on",
    "log_lock_waits": "on",
    "log_min_duration_statement": "-1",
    "log_min_error_statement": "error",
    "log_min_messages": "error",
    "log_statement": "ddl",
}
"""Who connected, what changed the schema and how long it took is logged, and no statement that may hold a person's
data: CIS Google Cloud Platform Foundation Benchmark 5.0, 6.2."""


@dataclass(frozen=True)
class Database:
    """Where it answers, and the instance where it is the stack's own."""

    url: pulumi.Input[str]
    instance: gcp.sql.DatabaseInstance | None = None

    @property
    def zones(self) -> list[pulumi.Output[str]]:
        """Private zones of the network in which it is found."""
        return [self.instance.dns_name] if self.instance else []


def check(settings: Settings) -> None:
    """:raises ConfigError: without a network, in which alone it may be made."""
    if settings.database.mode == "create" and settings.network.mode == "off":
        raise ConfigError("The database needs a network, and trivet:network is off.", HOW)


def create(context: Context, keys: Keys, network: Network | None) -> Database | None:
    """Make it, use one, or do without: then labels and the ledger are kept in files of the store."""
    settings = context.settings.database
    if settings.mode == "off":
        return None
    if settings.mode == "use":
        return Database(settings.ids(*IDS)["url"])
    assert network is not None  # noqa: S101  check() refuses it
    instance = _instance(context, keys)
    inside = context.under(instance)
    gcp.sql.Database("database", name=NAME, instance=instance.name, opts=inside.options)
    _address(inside, instance, network)
    host = instance.dns_name.apply(lambda name: name.rstrip("."))
    return Database(pulumi.Output.concat("postgresql://", host, f":{POSTGRESQL}/{NAME}?sslmode=verify-full"), instance)


def users(context: Context, database: Database | None, emails: Mapping[str, pulumi.Output[str]]) -> None:
    """Let the service accounts of those who write the ledger log in; what they may do there, an administrator says."""
    if database is None or database.instance is None:
        return
    for what in WRITERS:
        if what in emails:
            gcp.sql.User(
                f"database-{what}",
                name=emails[what].apply(lambda email: email.removesuffix(".gserviceaccount.com")),
                instance=database.instance.name,
                type="CLOUD_IAM_SERVICE_ACCOUNT",
                opts=context.options,
            )


def _instance(context: Context, keys: Keys) -> gcp.sql.DatabaseInstance:
    """Google keeps the name of a deleted instance for a week, so that this one has an end of its own."""
    profile = context.profile
    return gcp.sql.DatabaseInstance(
        "database",
        name=keys.once(context, "database", _LONGEST - len(context.project)),
        database_version=VERSION,
        region=context.region,
        encryption_key_name=keys.data,
        deletion_protection=profile.protects,
        settings=gcp.sql.DatabaseInstanceSettingsArgs(
            edition="ENTERPRISE",
            tier=_TIERS[profile.replicas],
            availability_type="REGIONAL" if profile.replicas > 1 else "ZONAL",
            disk_size=_GIB,
            disk_type="PD_SSD",
            disk_autoresize=True,
            disk_autoresize_limit=_MOST_GIB,
            deletion_protection_enabled=profile.protects,
            retain_backups_on_delete=profile.last_backup,
            final_backup_config=(
                gcp.sql.DatabaseInstanceSettingsFinalBackupConfigArgs(enabled=True, retention_days=_LAST_DAYS)
                if profile.last_backup
                else None
            ),
            ip_configuration=gcp.sql.DatabaseInstanceSettingsIpConfigurationArgs(
                ipv4_enabled=False,
                ssl_mode="ENCRYPTED_ONLY",  # with an IAM log-in, whose token is the password
                server_ca_mode="GOOGLE_MANAGED_CAS_CA",
                psc_configs=[
                    gcp.sql.DatabaseInstanceSettingsIpConfigurationPscConfigArgs(
                        psc_enabled=True, allowed_consumer_projects=[context.project]
                    )
                ],
            ),
            backup_configuration=gcp.sql.DatabaseInstanceSettingsBackupConfigurationArgs(
                enabled=True,
                location=context.region,
                point_in_time_recovery_enabled=True,
                transaction_log_retention_days=min(profile.backup_days, _MOST_LOG_DAYS),
                backup_retention_settings=(
                    gcp.sql.DatabaseInstanceSettingsBackupConfigurationBackupRetentionSettingsArgs(
                        retained_backups=profile.backup_days
                    )
                ),
            ),
            database_flags=[
                gcp.sql.DatabaseInstanceSettingsDatabaseFlagArgs(name=name, value=value)
                for name, value in _FLAGS.items()
            ],
            insights_config=gcp.sql.DatabaseInstanceSettingsInsightsConfigArgs(
                query_insights_enabled=profile.database_metrics
            ),
            user_labels=context.labels,
        ),
        opts=keys.holding(context, "sqladmin"),
    )


def _address(context: Context, instance: gcp.sql.DatabaseInstance, network: Network) -> None:
    """An address of the network's for it, by Private Service Connect, and its own name within the network."""
    address = gcp.compute.Address(
        "database",
        name=context.name("database"),
        region=context.region,
        address_type="INTERNAL",
        subnetwork=network.subnet,
        opts=context.options,
    )
    gcp.compute.ForwardingRule(
        "database",
        name=context.name("database"),
        region=context.region,
        network=network.network,
        ip_address=address.id,
        target=instance.psc_service_attachment_link,
        load_balancing_scheme="",
        opts=context.options,
    )
    zone = gcp.dns.ManagedZone(
        "database",
        name=context.name("database"),
        dns_name=instance.dns_name,
        description="The database, answered within the network",
        visibility="private",
        private_visibility_config=within(network.network),
        opts=context.options,
    )
    record(context, "database", zone, instance.dns_name, "A", address.address)
