"""PostgreSQL for datasets' metadata, labels, approvals and the ledger: private, by TLS only, logged in to with IAM."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from trivet.core.errors import ConfigError
from trivet.infra.settings import HOW, Settings
from trivet.infra.stacks.aws.context import Context, document
from trivet.infra.stacks.aws.network import Network

IDS, OPTIONAL_IDS = ("url",), ("resource_id",)
"""What names a database that is used."""
ENGINE, FAMILY = "17", "postgres17"
PORT = 5432
USER = "trivet"  # whom identities log in as; the administrator makes it once
_CLASSES = {1: "db.t4g.micro", 2: "db.t4g.medium"}
_GIB, _MOST_GIB = 20, 200
_SLOW_MS = "1000"
_TOLD_APART = 17  # hexadecimal digits of an id of EC2's
_METRICS_S = 60  # of the operating system below the database


@dataclass(frozen=True)
class Database:
    """Where it answers, and under which id identities may log in."""

    url: pulumi.Input[str]
    resource_id: pulumi.Input[str] | None


def check(settings: Settings) -> None:
    """:raises ConfigError: without a network, in which alone it may be made."""
    if settings.database.mode == "create" and settings.network.mode == "off":
        raise ConfigError("The database needs a network, and trivet:network is off.", HOW)


def create(context: Context, key: pulumi.Input[str], network: Network | None) -> Database | None:
    """Make it, use one, or do without: then labels and the ledger are kept in files of the store."""
    settings = context.settings.database
    if settings.mode == "off":
        return None
    if settings.mode == "use":
        ids = settings.ids(*IDS, optional=OPTIONAL_IDS)
        return Database(ids["url"], ids.get("resource_id"))
    assert network is not None  # noqa: S101  check() refuses it
    instance = _instance(context, key, network)
    url = pulumi.Output.concat("postgresql://", instance.endpoint, "/trivet?sslmode=verify-full")
    return Database(url, instance.resource_id)


def _instance(context: Context, key: pulumi.Input[str], network: Network) -> aws.rds.Instance:
    profile = context.profile
    subnets = aws.rds.SubnetGroup(
        "database-subnets", name=context.name("database", 255), subnet_ids=list(network.subnets), opts=context.options
    )
    group = _group(context, network)
    # The last snapshot outlives the stack, and RDS takes each name once: AWS's id of the group, which is made and
    # deleted with the database, tells it from that of the next time.
    last = pulumi.Output.concat(context.name("database-final"), "-", group.id.apply(lambda one: one[-_TOLD_APART:]))
    return aws.rds.Instance(
        "database",
        identifier=context.name("database"),
        engine="postgres",
        engine_version=ENGINE,
        auto_minor_version_upgrade=True,
        instance_class=_CLASSES[profile.replicas],
        multi_az=profile.replicas > 1,
        allocated_storage=_GIB,
        max_allocated_storage=_MOST_GIB,
        storage_type="gp3",
        storage_encrypted=True,
        kms_key_id=key,
        db_name="trivet",
        username="trivet_admin",
        # The password is made and rotated by Secrets Manager: it is in no state and no config.
        manage_master_user_password=True,
        master_user_secret_kms_key_id=key,
        iam_database_authentication_enabled=True,
        db_subnet_group_name=subnets.name,
        vpc_security_group_ids=[group.id],
        publicly_accessible=False,
        parameter_group_name=_parameters(context).name,
        ca_cert_identifier="rds-ca-rsa2048-g1",
        backup_retention_period=profile.backup_days,
        copy_tags_to_snapshot=True,
        deletion_protection=profile.protects,
        skip_final_snapshot=not profile.last_backup,
        final_snapshot_identifier=last if profile.last_backup else None,
        enabled_cloudwatch_logs_exports=["postgresql", "upgrade"],
        performance_insights_enabled=True,
        performance_insights_kms_key_id=key,
        monitoring_interval=_METRICS_S if profile.database_metrics else 0,
        monitoring_role_arn=_metrics_role(context).arn if profile.database_metrics else None,
        apply_immediately=not profile.protects,
        opts=context.holding(),
    )


def _metrics_role(context: Context) -> aws.iam.Role:
    """As which RDS writes what it sees of the operating system: AWS's own policy for it, without its wildcards."""
    role = aws.iam.Role(
        "database-metrics",
        name=context.name("database-metrics", 64),
        path=context.settings.role_path,
        permissions_boundary=context.settings.boundary,
        assume_role_policy=document(
            {
                "Effect": "Allow",
                "Principal": {"Service": "monitoring.rds.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": context.account}},
            }
        ),
        opts=context.options,
    )
    group = context.arn("logs", "log-group:RDSOSMetrics")
    streams = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams", "logs:GetLogEvents"]
    aws.iam.RolePolicy(
        "database-metrics-rights",
        role=role.name,
        policy=document(
            {"Effect": "Allow", "Action": ["logs:CreateLogGroup", "logs:PutRetentionPolicy"], "Resource": group},
            {"Effect": "Allow", "Action": streams, "Resource": f"{group}:log-stream:*"},
        ),
        opts=context.under(role).options,
    )
    return role


def _group(context: Context, network: Network) -> aws.ec2.SecurityGroup:
    """Only jobs and servers reach it, and it reaches nobody."""
    group = aws.ec2.SecurityGroup(
        "database-group",
        name=context.name("database", 255),
        description="PostgreSQL of the stack",
        vpc_id=network.vpc,
        opts=context.options,
    )
    reach = {"ip_protocol": "tcp", "from_port": PORT, "to_port": PORT}
    aws.vpc.SecurityGroupIngressRule(
        "database-in",
        security_group_id=group.id,
        referenced_security_group_id=network.group,
        description="from jobs and servers",
        **reach,
        opts=context.options,
    )
    if context.settings.network.mode == "create":
        aws.vpc.SecurityGroupEgressRule(
            "database-out",
            security_group_id=network.group,
            referenced_security_group_id=group.id,
            description="to the database",
            **reach,
            opts=context.options,
        )
    return group


def _parameters(context: Context) -> aws.rds.ParameterGroup:
    """TLS is not optional, and who connected and what changed the schema is logged."""
    values = {
        "rds.force_ssl": "1",
        "log_connections": "1",
        "log_disconnections": "1",
        "log_statement": "ddl",
        "log_min_duration_statement": _SLOW_MS,
    }
    return aws.rds.ParameterGroup(
        "database-parameters",
        name=context.name("database", 255),
        family=FAMILY,
        parameters=[
            aws.rds.ParameterGroupParameterArgs(name=name, value=value, apply_method="pending-reboot")
            for name, value in values.items()
        ],
        opts=context.options,
    )
