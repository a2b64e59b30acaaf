"""What each role may do: plain statements over known ARNs, so that they can be read, tested and counted without AWS.

``Resource: "*"`` stands only where AWS knows no narrower one; :data:`WILDCARDS` lists those actions with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from trivet.core.layout import JOB_OUTPUTS
from trivet.core.leftovers import PROJECT_TAG, STACK_TAG

Statement = dict[str, Any]

WILDCARDS = {
    "ecr:GetAuthorizationToken": "it takes no resource",
    "cloudwatch:PutMetricData": "it takes no resource; a condition names the namespace",
    "ec2:DescribeSubnets": "describing takes no resource",
    "ec2:DescribeVpcs": "describing takes no resource",
    "ec2:DescribeSecurityGroups": "describing takes no resource",
    "ec2:DescribeDhcpOptions": "describing takes no resource",
    "ec2:DescribeNetworkInterfaces": "describing takes no resource",
    "sagemaker:ListModels": "listing takes no resource",
    "sagemaker:ListEndpointConfigs": "listing takes no resource",
    "application-autoscaling:DescribeScalableTargets": "describing takes no resource",
    "application-autoscaling:DescribeScalingPolicies": "describing takes no resource",
    "cloudwatch:ListMetrics": "it takes no resource",
    "cloudwatch:GetMetricData": "it takes no resource",
}
"""The only actions that are allowed on ``*``."""

UNDELIVERED = "undelivered"
"""The queue of what a schedule could not start."""

_LOOKS = (
    "sagemaker:ListModels",
    "sagemaker:ListEndpointConfigs",
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingPolicies",
    "cloudwatch:ListMetrics",
    "cloudwatch:GetMetricData",
)
_NETWORK_LOOKS = (
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
)


@dataclass(frozen=True)
class Place:
    """Where the stack is, in words that ARNs are made of."""

    partition: str
    account: str
    region: str
    prefix: str
    namespace: str
    stack: str
    project: str

    def arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


@dataclass(frozen=True)
class Known:
    """The same as :class:`Parts`, once it is known."""

    place: Place
    store: str
    records: str
    key: str
    signing: str
    versions: str
    group: str
    image_repository: str | None
    subnets: list[str]
    security_group: str | None
    database: str | None


@dataclass(frozen=True)
class Parts:
    """ARNs of what the roles work with."""

    place: Place
    store: pulumi.Input[str]
    records: pulumi.Input[str]
    key: pulumi.Input[str]
    signing: pulumi.Input[str]
    versions: pulumi.Input[str]
    group: pulumi.Input[str]
    image_repository: pulumi.Input[str] | None
    subnets: list[pulumi.Input[str]]
    security_group: pulumi.Input[str] | None
    database: pulumi.Input[str] | None


def of(parts: Parts, rights: Callable[[Known], list[Statement]]) -> pulumi.Output[list[Statement]]:
    """The statements, when the ARNs are known."""
    values = {name: getattr(parts, name) for name in Parts.__dataclass_fields__ if name != "place"}
    return pulumi.Output.all(**values).apply(lambda known: rights(Known(place=parts.place, **known)))


def trainer(known: Known) -> list[Statement]:
    """Reads source and data, writes packages and checkpoints."""
    return [
        _allow("Read", ["s3:GetObject", "s3:GetObjectVersion"], f"{known.store}/*"),
        _allow("Find", ["s3:ListBucket", "s3:GetBucketLocation"], known.store),
        _allow(
            "Write",
            ["s3:PutObject", "s3:DeleteObject"],
            *(f"{known.store}/{folder}/*" for folder in (*JOB_OUTPUTS, "checkpoints", "jobs")),
        ),
        *_workload(known),
    ]


def server(known: Known) -> list[Statement]:
    """Reads packages, writes records, and nothing that trains or decides."""
    return [
        _allow("Read", ["s3:GetObject", "s3:GetObjectVersion"], f"{known.store}/packages/*"),
        _allow("Find", ["s3:ListBucket", "s3:GetBucketLocation"], known.store),
        _allow("Record", ["s3:PutObject"], f"{known.records}/predictions/*"),
        # SageMaker asks with this role whether a release has to be taken back.
        _allow("Alarms", ["cloudwatch:DescribeAlarms"], known.place.arn("cloudwatch", f"alarm:{known.place.prefix}-*")),
        *_workload(known),
    ]


def monitor(known: Known) -> list[Statement]:
    """Reads records and what they are compared with, writes findings, and seals records in the ledger."""
    compared = ("packages", "judged", "registry", "ledger")
    return [
        _allow("Read", ["s3:GetObject"], f"{known.records}/*", *(f"{known.store}/{one}/*" for one in compared)),
        _allow("Find", ["s3:ListBucket", "s3:GetBucketLocation"], known.records, known.store),
        _allow(
            "Write",
            ["s3:PutObject"],
            f"{known.records}/findings/*",
            f"{known.records}/labels/*",
            f"{known.store}/ledger/*",
        ),
        *_ledger(known),
        *_workload(known),
    ]


def workflow(known: Known) -> list[Statement]:
    """Starts jobs, registers versions; what it passes to them, ``identity`` adds."""
    place = known.place
    jobs = [place.arn("sagemaker", f"{kind}/{place.prefix}-*") for kind in ("training-job", "processing-job")]
    return [
        _allow(
            "Jobs",
            [
                f"sagemaker:{verb}{kind}Job"
                for verb in ("Create", "Describe", "Stop")
                for kind in ("Training", "Processing")
            ]
            + ["sagemaker:AddTags"],
            *jobs,
        )
        | _not_anothers(place),
        _allow(
            "Versions", ["sagemaker:CreateModelPackage", "sagemaker:DescribeModelPackage"], known.group, known.versions
        ),
        _allow("Sign", ["kms:Sign", "kms:GetPublicKey"], known.signing),
        *_data(known),
    ]


def scheduler(known: Known) -> list[Statement]:
    """Starts jobs at their time, and keeps what could not be started; what it passes to them, ``identity`` adds."""
    place = known.place
    return [
        _allow(
            "Start",
            ["sagemaker:CreateTrainingJob", "sagemaker:AddTags"],
            place.arn("sagemaker", f"training-job/{place.prefix}-*"),
        )
        | _not_anothers(place),
        _allow("Keep", ["sqs:SendMessage"], place.arn("sqs", f"{place.prefix}-{UNDELIVERED}")),
        *_data(known),
    ]


def deployer(known: Known) -> list[Statement]:
    """What a repository's workflow does: push images and source, run, register, release, look."""
    place = known.place

    def named(*kinds: str) -> list[str]:
        return [place.arn("sagemaker", f"{kind}/{place.prefix}-*") for kind in kinds]

    statements = [
        _allow("Store", ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], f"{known.store}/*"),
        _allow("Find", ["s3:ListBucket", "s3:GetBucketLocation"], known.store, known.records),
        _allow("Look", ["s3:GetObject"], f"{known.records}/*"),
        _allow("Watch", ["s3:PutObject"], f"{known.records}/findings/*", f"{known.records}/labels/*"),
        _allow(
            "Run",
            [
                "sagemaker:CreateTrainingJob",
                "sagemaker:DescribeTrainingJob",
                "sagemaker:StopTrainingJob",
                "sagemaker:CreateTransformJob",
                "sagemaker:DescribeTransformJob",
                "sagemaker:StopTransformJob",
                "sagemaker:AddTags",
            ],
            *named("training-job", "transform-job"),
        )
        | _not_anothers(place),
        _allow(
            "Release",
            [
                "sagemaker:CreateModel",
                "sagemaker:DescribeModel",
                "sagemaker:DeleteModel",
                "sagemaker:CreateEndpointConfig",
                "sagemaker:DescribeEndpointConfig",
                "sagemaker:DeleteEndpointConfig",
                "sagemaker:CreateEndpoint",
                "sagemaker:UpdateEndpoint",
                "sagemaker:UpdateEndpointWeightsAndCapacities",
                "sagemaker:DescribeEndpoint",
                "sagemaker:DeleteEndpoint",
                "sagemaker:InvokeEndpoint",
                "sagemaker:AddTags",
            ],
            *named("model", "endpoint", "endpoint-config"),
        )
        | _not_anothers(place),
        _allow(
            "Register",
            [
                "sagemaker:CreateModelPackage",
                "sagemaker:DescribeModelPackage",
                "sagemaker:UpdateModelPackage",
                "sagemaker:ListModelPackages",
            ],
            known.group,
            known.versions,
        ),
        _allow("List", [*_LOOKS], "*"),
        _allow(
            "Read",
            ["logs:GetLogEvents", "logs:DescribeLogStreams"],
            place.arn("logs", "log-group:/aws/sagemaker/*"),
        ),
        *_watching(place),
        *_scaling(place),
        _allow("Sign", ["kms:Sign", "kms:GetPublicKey"], known.signing),
        *_ledger(known),
        *_data(known),
    ]
    if known.image_repository:
        pushes = [
            "BatchCheckLayerAvailability",
            "InitiateLayerUpload",
            "UploadLayerPart",
            "CompleteLayerUpload",
            "PutImage",
        ]
        reads = ["BatchGetImage", "GetDownloadUrlForLayer", "DescribeImages", "DescribeImageScanFindings"]
        statements.append(_allow("Images", [f"ecr:{action}" for action in pushes + reads], known.image_repository))
        statements.append(_allow("LogIn", ["ecr:GetAuthorizationToken"], "*"))
    return statements


def _watching(place: Place) -> list[Statement]:
    """Alarms about a release while it takes over, and the stack's own metrics."""
    alarms = ["cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms", "cloudwatch:TagResource"]
    return [
        _allow("Alarms", alarms, place.arn("cloudwatch", f"alarm:{place.prefix}-*")) | _not_anothers(place),
        _allow("Measure", ["cloudwatch:PutMetricData"], "*")
        | {"Condition": {"StringEquals": {"cloudwatch:namespace": place.namespace}}},
    ]


def _scaling(place: Place) -> list[Statement]:
    """Autoscaling of the stack's endpoints, and the role that AWS makes for it once in an account."""
    verbs = ("RegisterScalableTarget", "DeregisterScalableTarget", "PutScalingPolicy")
    service = "sagemaker.application-autoscaling.amazonaws.com"
    role = f"arn:{place.partition}:iam::{place.account}:role/aws-service-role/{service}/*"
    return [
        _allow(
            "Scale",
            [f"application-autoscaling:{verb}" for verb in verbs],
            place.arn("application-autoscaling", "scalable-target/*"),
        )
        | {"Condition": {"StringEquals": {"application-autoscaling:service-namespace": "sagemaker"}}},
        _allow("ScalingRole", ["iam:CreateServiceLinkedRole"], role)
        | {"Condition": {"StringEquals": {"iam:AWSServiceName": service}}},
    ]


def _workload(known: Known) -> list[Statement]:
    """What every container of SageMaker needs: its image, its key, its logs, its network."""
    place = known.place
    statements = [
        *_data(known),
        _allow(
            "Logs",
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
            place.arn("logs", "log-group:/aws/sagemaker/*"),
        ),
        _allow("Measure", ["cloudwatch:PutMetricData"], "*")
        | {"Condition": {"StringEquals": {"cloudwatch:namespace": [place.namespace, "/aws/sagemaker/TrainingJobs"]}}},
    ]
    if known.image_repository:
        statements.append(
            _allow(
                "Image",
                ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"],
                known.image_repository,
            )
        )
        statements.append(_allow("LogIn", ["ecr:GetAuthorizationToken"], "*"))
    if known.subnets and known.security_group:
        statements += _interfaces(known)
    return statements


def _ledger(known: Known) -> list[Statement]:
    """The log-in to the database of the ledger: for those who write there, and for no job or server of a user's."""
    return [_allow("Ledger", ["rds-db:connect"], known.database)] if known.database else []


def _data(known: Known) -> list[Statement]:
    """The key, for data alone: a grant only to a service of AWS."""
    return [
        _allow("Key", ["kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"], known.key),
        _allow("Grant", ["kms:CreateGrant"], known.key)
        | {"Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}}},
    ]


def _interfaces(known: Known) -> list[Statement]:
    """Network interfaces in the stack's subnets, which SageMaker makes with the role's rights."""
    place = known.place
    there = [
        *(place.arn("ec2", f"subnet/{subnet}") for subnet in known.subnets),
        place.arn("ec2", f"security-group/{known.security_group}"),
        place.arn("ec2", "network-interface/*"),
    ]
    actions = ["Create", "Delete"]
    return [
        _allow(
            "Interfaces",
            [f"ec2:{verb}NetworkInterface{kind}" for verb in actions for kind in ("", "Permission")],
            *there,
        ),
        _allow("Describe", [*_NETWORK_LOOKS], "*"),
    ]


def _not_anothers(place: Place) -> Statement:
    """Not what bears another stack's tags: of `prod`, what is `prod-eu`'s begins like its own.

    What is only made, or is gone, bears none and is let through; so is what somebody made without tags. Source: Service
    Authorization Reference, SageMaker AI and CloudWatch, condition keys of resource types; "IfExists" in IAM's guide.
    """
    own = {STACK_TAG: place.stack, PROJECT_TAG: place.project}
    return {"Condition": {"StringEqualsIfExists": {f"aws:ResourceTag/{tag}": value for tag, value in own.items()}}}


def _allow(sid: str, actions: list[str], *resources: str) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": list(resources)}


def actions_of(statements: list[Mapping[str, Any]]) -> set[str]:
    """Every action that statements allow."""
    return {
        action
        for one in statements
        for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
    }
