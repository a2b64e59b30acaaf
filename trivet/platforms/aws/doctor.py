"""Whether work on a stack can begin: who calls, where, what is there, and what the account allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from trivet.core.checkup import Check
from trivet.core.errors import TrivetError
from trivet.core.outputs import AwsNative, Outputs
from trivet.platforms.aws.clients import Clients
from trivet.platforms.aws.errors import DENIED, code_of, is_missing, said
from trivet.platforms.aws.images import SERVING, TRAINING, tag
from trivet.platforms.scheduled import task_key

# What the verbs call; docs/aws.md lists them with the resources.
ACTIONS = (
    *("sagemaker:CreateTrainingJob", "sagemaker:CreateTransformJob", "sagemaker:CreateModelPackage"),
    *("sagemaker:CreateModel", "sagemaker:CreateEndpointConfig", "sagemaker:CreateEndpoint"),
    *("sagemaker:UpdateEndpoint", "sagemaker:InvokeEndpoint"),
    *("s3:PutObject", "s3:GetObject", "kms:Sign", "iam:PassRole"),
)
INSTANCES = ("ml.m5.large",)  # what jobs and endpoints take where nothing else is said
USES = ("for training job usage", "for transform job usage", "for endpoint usage")

Found = tuple[str, str]  # level and note


def examine(clients: Clients, outputs: Outputs, native: AwsNative) -> Iterator[Check]:
    """Look at one thing after the other; without an identity nothing else can be asked."""
    try:
        yield Check(name="identity", level="ok", note=clients.caller)
    except TrivetError as error:
        yield Check(name="identity", level="fail", note=str(error))
        return
    checks: dict[str, Callable[[], Found]] = {
        "region": lambda: _region(clients("ec2"), outputs.region),
        "key": lambda: _key(clients("kms"), native.key),
        "signing key": lambda: _key(clients("kms"), outputs.signing.key_id),
        **{name: lambda url=url: _bucket(clients("s3"), url) for name, url in _buckets(outputs)},
        **{
            f"role {role.rpartition('/')[2]}": lambda role=role: _role(clients("iam"), role)
            for role in (native.trainer_role, *native.server_roles.values())
        },
        **{f"image for {use}": lambda use=use: _image(clients("ecr"), native, use) for use in (TRAINING, SERVING)},
        **{
            f"schedule {name}": lambda name=name: _schedule(clients("s3"), outputs.store, name)
            for name in native.schedules
        },
        "rights": lambda: _rights(clients("iam"), clients.caller),
        **{
            f"quota of {kind} {use}": lambda kind=kind, use=use: _quota(clients("service-quotas"), f"{kind} {use}")
            for kind in INSTANCES
            for use in USES
        },
    }
    for name, check in checks.items():
        level, note = _asked(check)
        yield Check.model_validate({"name": name, "level": level, "note": note})


def _asked(check: Callable[[], Found]) -> Found:
    try:
        return check()
    except ClientError as error:
        if is_missing(error) or code_of(error) in ("404", "RepositoryNotFoundException", "ImageNotFoundException"):
            return "fail", f"It is not there: {said(error)}."
        if code_of(error) in DENIED or code_of(error) == "403":
            return "unknown", f"You may not look: {said(error)}."
        return "unknown", f"AWS did not say: {said(error)}."
    except (BotoCoreError, ResponseParserError) as error:
        return "unknown", f"AWS did not say: {error}."


def _region(ec2: Any, region: str) -> Found:
    [found] = ec2.describe_regions(RegionNames=[region], AllRegions=True)["Regions"]
    if found.get("OptInStatus") == "not-opted-in":
        return "fail", f"The account has not opted in to {region}: enable it under Account, AWS Regions."
    return "ok", region


def _key(kms: Any, key: str) -> Found:
    state = kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
    return ("ok", key) if state == "Enabled" else ("fail", f"It is {state}: enable it, or cancel its deletion.")


def _buckets(outputs: Outputs) -> list[tuple[str, str]]:
    return [("store", outputs.store), ("records", outputs.records)]


def _bucket(s3: Any, url: str) -> Found:
    s3.head_bucket(Bucket=url.removeprefix("s3://").partition("/")[0])
    return "ok", url


def _schedule(s3: Any, url: str, name: str) -> Found:
    """Whether anybody has said what it runs: until then each of its jobs fails."""
    try:
        s3.head_object(Bucket=url.removeprefix("s3://").partition("/")[0], Key=task_key(name))
    except ClientError as error:
        if code_of(error) not in ("404", "NoSuchKey"):
            raise
        return "warn", f"Nobody has said what it runs: call `trivet schedule {name}`."
    return "ok", task_key(name)


def _role(iam: Any, arn: str) -> Found:
    role = iam.get_role(RoleName=arn.rpartition("/")[2])["Role"]
    boundary = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    return "ok", f"bounded by {boundary}" if boundary else "without a boundary"


def _image(ecr: Any, native: AwsNative, use: str) -> Found:
    if native.images is None:
        return "warn", "The stack has no image registry: name an image with each job and endpoint."
    name = native.images.partition("/")[2]
    ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": tag(use)}])
    return "ok", f"{native.images}:{tag(use)}"


def _rights(iam: Any, caller: str) -> Found:
    results = iam.simulate_principal_policy(PolicySourceArn=_principal(caller), ActionNames=list(ACTIONS))
    denied = [one["EvalActionName"] for one in results["EvaluationResults"] if one["EvalDecision"] != "allowed"]
    if denied:
        return "warn", f"Without a resource's own condition you may not {', '.join(denied)}: ask for these rights."
    return "ok", f"{len(ACTIONS)} actions are allowed"


def _principal(caller: str) -> str:
    """The role behind a session, whose policies IAM knows."""
    head, _, rest = caller.partition(":assumed-role/")
    return f"{head.replace(':sts:', ':iam:')}:role/{rest.split('/')[0]}" if rest else caller


def _quota(quotas: Any, name: str) -> Found:
    pages = quotas.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    for page in pages:
        for one in page["Quotas"]:
            if one["QuotaName"] == name:
                if one["Value"] < 1:
                    return "fail", "It is 0: ask for more under Service Quotas."
                return "ok", f"{one['Value']:g}"
    return "unknown", "AWS lists no such quota."
