"""What lies in an account of AWS: every kind of thing that the stack or the runtime makes, asked of its own service.

For tests and rehearsals, in whose fake nothing else is. What AWS has by itself, such as a default VPC, is left out, and
so is what it deletes only after a time of grace, and logs that all jobs share and that end by their own retention.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import jmespath


class _Kind(NamedTuple):
    title: str
    service: str
    operation: str
    names: str  # JMESPath, over the operation's answer
    asked: dict[str, Any] = {}


KINDS = (
    _Kind("endpoint", "sagemaker", "list_endpoints", "Endpoints[].EndpointName"),
    _Kind("endpoint configuration", "sagemaker", "list_endpoint_configs", "EndpointConfigs[].EndpointConfigName"),
    _Kind("model", "sagemaker", "list_models", "Models[].ModelName"),
    _Kind(
        "group of model packages", "sagemaker", "list_model_package_groups",
        "ModelPackageGroupSummaryList[].ModelPackageGroupName",
    ),
    _Kind(
        "job that runs", "sagemaker", "list_training_jobs", "TrainingJobSummaries[].TrainingJobName",
        {"StatusEquals": "InProgress"},
    ),
    _Kind(
        "batch job that runs", "sagemaker", "list_transform_jobs", "TransformJobSummaries[].TransformJobName",
        {"StatusEquals": "InProgress"},
    ),
    _Kind(
        "autoscaling", "application-autoscaling", "describe_scalable_targets", "ScalableTargets[].ResourceId",
        {"ServiceNamespace": "sagemaker"},
    ),
    _Kind("bucket", "s3", "list_buckets", "Buckets[].Name"),
    _Kind("alarm", "cloudwatch", "describe_alarms", "MetricAlarms[].AlarmName"),
    _Kind("dashboard", "cloudwatch", "list_dashboards", "DashboardEntries[].DashboardName"),
    _Kind("log group", "logs", "describe_log_groups", "logGroups[?!starts_with(logGroupName, '/aws/')].logGroupName"),
    _Kind("log group", "logs", "describe_log_groups", "logGroups[].logGroupName", {"logGroupNamePrefix": "/aws/rds/"}),
    _Kind("role", "iam", "list_roles", "Roles[?!starts_with(Path, '/aws-service-role/')].RoleName"),
    _Kind("policy", "iam", "list_policies", "Policies[].PolicyName", {"Scope": "Local"}),
    _Kind("identity provider", "iam", "list_open_id_connect_providers", "OpenIDConnectProviderList[].Arn"),
    _Kind("alias of a key", "kms", "list_aliases", "Aliases[?!starts_with(AliasName, 'alias/aws/')].AliasName"),
    _Kind("VPC", "ec2", "describe_vpcs", "Vpcs[?!IsDefault].VpcId"),
    _Kind("subnet", "ec2", "describe_subnets", "Subnets[?!DefaultForAz].SubnetId"),
    _Kind("route table", "ec2", "describe_route_tables", "RouteTables[?!(Associations[?Main])].RouteTableId"),
    _Kind("security group", "ec2", "describe_security_groups", "SecurityGroups[?GroupName!='default'].GroupId"),
    _Kind("private endpoint", "ec2", "describe_vpc_endpoints", "VpcEndpoints[?State!='deleted'].VpcEndpointId"),
    _Kind("flow log", "ec2", "describe_flow_logs", "FlowLogs[].FlowLogId"),
    _Kind("database", "rds", "describe_db_instances", "DBInstances[].DBInstanceIdentifier"),
    _Kind("snapshot", "rds", "describe_db_snapshots", "DBSnapshots[].DBSnapshotIdentifier"),
    _Kind("subnet group", "rds", "describe_db_subnet_groups", "DBSubnetGroups[].DBSubnetGroupName"),
    _Kind(
        "parameter group", "rds", "describe_db_parameter_groups",
        "DBParameterGroups[?!starts_with(DBParameterGroupName, 'default')].DBParameterGroupName",
    ),
    _Kind("secret", "secretsmanager", "list_secrets", "SecretList[].ARN"),
    _Kind("repository", "ecr", "describe_repositories", "repositories[].repositoryName"),
    _Kind("topic", "sns", "list_topics", "Topics[].TopicArn"),
    _Kind("subscription", "sns", "list_subscriptions", "Subscriptions[].SubscriptionArn"),
    _Kind("catalogue", "glue", "get_databases", "DatabaseList[].Name"),
    _Kind("security configuration", "glue", "get_security_configurations", "SecurityConfigurations[].Name"),
    _Kind("trail", "cloudtrail", "describe_trails", "trailList[].Name"),
    _Kind("queue", "sqs", "list_queues", "(QueueUrls || `[]`)[]"),
    _Kind("schedule", "scheduler", "list_schedules", "Schedules[].join('/', [GroupName, Name])"),
    _Kind("schedule group", "scheduler", "list_schedule_groups", "ScheduleGroups[?Name!='default'].Name"),
    _Kind("rule", "events", "list_rules", "Rules[].Name"),
)  # fmt: skip


def lying(client: Callable[[str], Any]) -> Iterator[str]:
    """All of it, each as its kind and its name.

    :param client: gives boto3's client of a service.
    """
    client = cache(client)
    for kind in KINDS:
        asking = client(kind.service)
        if asking.can_paginate(kind.operation):
            found = asking.get_paginator(kind.operation).paginate(**kind.asked).search(kind.names)
        else:
            found = jmespath.search(kind.names, getattr(asking, kind.operation)(**kind.asked))
        yield from (f"{kind.title} {name}" for name in found)
    yield from _keys(client("kms"))
    yield from _budgets(client("budgets"), client("sts").get_caller_identity()["Account"])


def _keys(kms: Any) -> Iterator[str]:
    for page in kms.get_paginator("list_keys").paginate():
        for one in page["Keys"]:
            told = kms.describe_key(KeyId=one["KeyId"])["KeyMetadata"]
            if told["KeyManager"] == "CUSTOMER" and told["KeyState"] != "PendingDeletion":
                yield f"key {told['Arn']}"


def _budgets(budgets: Any, account: str) -> Iterator[str]:
    for page in budgets.get_paginator("describe_budgets").paginate(AccountId=account):
        yield from (f"budget {one['BudgetName']}" for one in page.get("Budgets", []))
