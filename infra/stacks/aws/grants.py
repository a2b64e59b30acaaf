"""What each role may do: plain statements over known ARNs, so that they can be read, tested and counted without AWS.

``Resource: "*"`` stands only where AWS knows no narrower one; :data:`WILDCARDS` lists those actions with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trivet.clouds.awsnames import FAMILY, SCORING
from trivet.core.layout import JOB_OUTPUTS
from trivet.core.leftovers import ENDPOINT_TAG, PROJECT_TAG, STACK_TAG
from trivet.infra.stacks.aws.parts import Known, Place, Served, Statement

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


def server(known: Known, endpoint: str = "") -> list[Statement]:
    """Reads packages, writes records, and nothing that trains or decides.

    :param endpoint: the one whose records it may write; none: those of all that name no team.
    """
    return [
        _allow("Read", ["s3:GetObject", "s3:GetObjectVersion"], f"{known.store}/packages/*"),
        _allow("Find", ["s3:ListBucket", "s3:GetBucketLocation"], known.store),
        _allow("Record", ["s3:PutObject"], f"{known.records}/predictions/{f'{endpoint}/' if endpoint else ''}*"),
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


def deployer(known: Known, only: Served | None = None) -> list[Statement]:
    """What a repository's workflow does: push images and source, run, register, release, look.

    :param only: the one endpoint that it may release to, and whose records it may read; none: all of the stack's.
    """
    place, mine = known.place, f"predictions/{only.name}/*" if only else "*"
    looks = [mine, "findings/*", "labels/*"] if only else [mine]
    statements = [
        _allow("Store", ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], f"{known.store}/*"),
        _allow("Find", ["s3:ListBucket", "s3:GetBucketLocation"], known.store, known.records),
        _allow("Look", ["s3:GetObject"], *(f"{known.records}/{one}" for one in looks)),
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
            *(place.arn("sagemaker", f"{kind}/{place.prefix}-*") for kind in ("training-job", "transform-job")),
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
            *_released(place, only),
        )
        | _not_anothers(place, only),
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
        *_watching(place, only),
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


def _released(place: Place, only: Served | None) -> list[str]:
    """Models, configurations and endpoints: of the stack, or of the one endpoint.

    A scoring job's model is no endpoint's, and its name ends in what says so.
    """
    if only is None:
        return [place.arn("sagemaker", f"{kind}/{place.prefix}-*") for kind in ("model", "endpoint", "endpoint-config")]
    family = only.physical[:FAMILY]
    return [
        place.arn("sagemaker", f"endpoint/{only.physical}"),
        *(place.arn("sagemaker", f"{kind}/{family}-*") for kind in ("model", "endpoint-config")),
        place.arn("sagemaker", f"model/{place.prefix}-*{SCORING}"),
    ]


def _watching(place: Place, only: Served | None) -> list[Statement]:
    """Alarms about a release while it takes over, and the stack's own metrics."""
    alarms = ["cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms", "cloudwatch:TagResource"]
    return [
        _allow("Alarms", alarms, place.arn("cloudwatch", f"alarm:{place.prefix}-*")) | _not_anothers(place, only),
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


def _not_anothers(place: Place, only: Served | None = None) -> Statement:
    """Not what bears another stack's tags, or another endpoint's: of `prod`, what is `prod-eu`'s begins like its own.

    What is only made, or is gone, bears none and is let through; so is what somebody made without tags. Source: Service
    Authorization Reference, SageMaker AI and CloudWatch, condition keys of resource types; "IfExists" in IAM's guide.
    """
    own = {STACK_TAG: place.stack, PROJECT_TAG: place.project} | ({ENDPOINT_TAG: only.name} if only else {})
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
