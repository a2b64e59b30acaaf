"""What CloudFormation's schemas, as cfn-lint carries them, say of the provider's types.

By which rights AWS itself makes each, and which properties it can only set when it makes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

REGION = "us-east-1"

NAMES = {
    "appautoscaling:Target": "ApplicationAutoScaling::ScalableTarget",
    "appautoscaling:Policy": "ApplicationAutoScaling::ScalingPolicy",
    "cloudtrail:Trail": "CloudTrail::Trail",
    "cloudwatch:Dashboard": "CloudWatch::Dashboard",
    "cloudwatch:EventRule": "Events::Rule",
    "cloudwatch:LogGroup": "Logs::LogGroup",
    "cloudwatch:LogResourcePolicy": "Logs::ResourcePolicy",
    "cloudwatch:MetricAlarm": "CloudWatch::Alarm",
    "costexplorer:AnomalyMonitor": "CE::AnomalyMonitor",
    "costexplorer:AnomalySubscription": "CE::AnomalySubscription",
    "ec2:FlowLog": "EC2::FlowLog",
    "ec2:RouteTable": "EC2::RouteTable",
    "ec2:SecurityGroup": "EC2::SecurityGroup",
    "ec2:Subnet": "EC2::Subnet",
    "ec2:Vpc": "EC2::VPC",
    "ec2:VpcEndpoint": "EC2::VPCEndpoint",
    "ecr:Repository": "ECR::Repository",
    "glue:CatalogDatabase": "Glue::Database",
    "glue:Crawler": "Glue::Crawler",
    "glue:SecurityConfiguration": "Glue::SecurityConfiguration",
    "iam:OpenIdConnectProvider": "IAM::OIDCProvider",
    "iam:Policy": "IAM::ManagedPolicy",
    "iam:Role": "IAM::Role",
    "iam:RolePolicy": "IAM::RolePolicy",
    "iam:ServiceLinkedRole": "IAM::ServiceLinkedRole",
    "kms:Alias": "KMS::Alias",
    "kms:Key": "KMS::Key",
    "rds:Instance": "RDS::DBInstance",
    "rds:SubnetGroup": "RDS::DBSubnetGroup",
    "rds:ParameterGroup": "RDS::DBParameterGroup",
    "resourcegroups:Group": "ResourceGroups::Group",
    "s3:Bucket": "S3::Bucket",
    "sagemaker:DataQualityJobDefinition": "SageMaker::DataQualityJobDefinition",
    "sagemaker:Endpoint": "SageMaker::Endpoint",
    "sagemaker:EndpointConfiguration": "SageMaker::EndpointConfig",
    "sagemaker:FeatureGroup": "SageMaker::FeatureGroup",
    "sagemaker:Model": "SageMaker::Model",
    "sagemaker:ModelCard": "SageMaker::ModelCard",
    "sagemaker:ModelPackageGroup": "SageMaker::ModelPackageGroup",
    "sagemaker:MonitoringSchedule": "SageMaker::MonitoringSchedule",
    "sagemaker:Pipeline": "SageMaker::Pipeline",
    "scheduler:Schedule": "Scheduler::Schedule",
    "secretsmanager:Secret": "SecretsManager::Secret",
    "sns:Topic": "SNS::Topic",
    "sns:TopicSubscription": "SNS::Subscription",
    "sqs:Queue": "SQS::Queue",
    "ssm:Parameter": "SSM::Parameter",
    "vpc:SecurityGroupEgressRule": "EC2::SecurityGroupEgress",
    "vpc:SecurityGroupIngressRule": "EC2::SecurityGroupIngress",
}
"""Types by the provider's names."""
WITHIN = {
    "cloudwatch:EventTarget": "Events::Rule",
    "ec2:DefaultSecurityGroup": "EC2::SecurityGroup",
    "ec2:RouteTableAssociation": "EC2::SubnetRouteTableAssociation",
    "ecr:LifecyclePolicy": "ECR::Repository",
    "iam:RolePolicyAttachment": "IAM::Role",
    "s3:BucketPolicy": "S3::BucketPolicy",
    "scheduler:ScheduleGroup": "Scheduler::ScheduleGroup",
    "sns:TopicPolicy": "SNS::TopicInlinePolicy",
    "budgets:Budget": "Budgets::Budget",
    **dict.fromkeys(
        (
            *("s3:BucketLifecycleConfiguration", "s3:BucketLogging", "s3:BucketNotification"),
            *("s3:BucketObjectLockConfiguration", "s3:BucketOwnershipControls", "s3:BucketPublicAccessBlock"),
            *("s3:BucketServerSideEncryptionConfiguration", "s3:BucketVersioning"),
        ),
        "S3::Bucket",
    ),
}
"""Types that CloudFormation has inside another, or of which it knows rights and no properties of its own."""


UNUSED = {
    "autoscaling": "groups that watch alarms",
    "firehose": "flow logs and log groups that go there; the stack's go to S3 and CloudWatch",
    "lakeformation": "data catalogues under Lake Formation",
    "organizations": "trails of a whole organization",
    "s3tables": "tables in buckets",
    "vpc-lattice": "endpoints of resources and service networks",
    "vpce": "endpoints whose private names somebody else owns",
}
"""Services that AWS's handlers also call, and for what no stack of Trivet's asks."""
ASKED = {
    "ec2:DescribeAvailabilityZones": "in which zones subnets may be",
    "ec2:DescribeManagedPrefixLists": "the addresses of S3",
    "ec2:GetManagedPrefixListEntries": "the addresses of S3",
    "kms:GetPublicKey": "the public half of the signing key",
    **dict.fromkeys(
        ("glue:GetTags", "glue:TagResource", "glue:UntagResource", "iam:ListPolicyTags", "iam:ListRoleTags"),
        "tags, for which CloudFormation has other ways",
    ),
}
"""What the program asks beside what it makes."""


def short(token: str) -> str | None:
    """``module:Name`` of a type of the provider ``aws``; none of any other."""
    package, module, name = token.split(":")
    return f"{module.split('/')[0]}:{name}" if package == "aws" else None


def schema(name: str) -> dict[str, Any]:
    """CloudFormation's schema of ``Service::Type``."""
    return PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, f"AWS::{name}").schema


def rights(tokens: Iterable[str]) -> Iterator[tuple[str, set[str]]]:
    """By each type of the provider's the actions with which AWS makes, reads, changes and deletes it.

    :raises KeyError: for a type without a counterpart.
    """
    for name in sorted({name for token in tokens if (name := short(token))}):
        handlers = schema((NAMES | WITHIN)[name])["handlers"]
        actions = {action for handler in handlers.values() for action in handler["permissions"]}
        yield name, {_cased(action) for action in actions if action.partition(":")[0] not in UNUSED}


def _cased(action: str) -> str:
    """CloudFormation writes the names of services in several ways, and IAM does not mind."""
    service, _, operation = action.partition(":")
    return f"{service.lower()}:{operation}"
