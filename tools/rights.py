"""The pages of what a stack's roles and service accounts may do, from what the stacks give them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from functools import partial

from trivet.infra.stacks.aws import grants
from trivet.infra.stacks.aws.parts import Known, Place, Served, Statement
from trivet.infra.stacks.gcp import grants as gcp_grants


def of_gcp(notice: str) -> str:
    """What each service account of a stack on Google Cloud may do."""
    places = {
        gcp_grants.PROJECT: "the project",
        gcp_grants.STORE: "the bucket `store`",
        gcp_grants.RECORDS: "the bucket `records`",
        gcp_grants.IMAGES: "the repository of images",
        gcp_grants.SIGNING: "the key that signs",
    }
    parts = [notice, "# What each service account on Google Cloud may do\n"]
    parts.append(
        "Each has roles of the stack's own, with the permissions below and no others. Vertex AI, logs and metrics know "
        "no narrower place than the project: whoever may start jobs there may see those of every stack in it, so that "
        "a project should hold one stack. Nobody acts as an account who is not named here, and no service account has "
        "a key. Google's own service agents use the key of what they store, each by a binding of its own.\n"
    )
    for what, rights in gcp_grants.RIGHTS.items():
        parts += [f"## {what}\n", "| role | permissions | on |", "| --- | --- | --- |"]
        for one in rights:
            permissions = ", ".join(f"`{each}`" for each in gcp_grants.PERMISSIONS[one.role])
            folders = f", in {', '.join(f'`{folder}/`' for folder in one.folders)}" if one.folders else ""
            parts.append(f"| {one.role} | {permissions} | {places[one.place]}{folders} |")
        if acts := gcp_grants.ACTS_AS.get(what):
            parts.append(f"\nIt may have jobs and models run as: {', '.join(acts)}.")
        parts.append("")
    return "\n".join(parts)


def of_aws(notice: str) -> str:
    """What each role of a stack on AWS may do."""
    place = Place("aws", "ACCOUNT", "REGION", "PREFIX", "Trivet/PREFIX", "STACK", "PROJECT")
    known = Known(
        place=place,
        store="arn:aws:s3:::STORE",
        records="arn:aws:s3:::RECORDS",
        key=place.arn("kms", "key/DATA"),
        signing=place.arn("kms", "key/SIGNING"),
        versions=place.arn("sagemaker", "model-package/PREFIX-models/*"),
        group=place.arn("sagemaker", "model-package-group/PREFIX-models"),
        image_repository=place.arn("ecr", "repository/PREFIX-models"),
        subnets=["SUBNET"],
        security_group="GROUP",
        database=place.arn("rds-db", "dbuser:DATABASE/trivet"),
    )
    parts = [notice, "# What each role on AWS may do\n"]
    parts.append(
        "`PREFIX` is what the stack's names begin with, by default `PROJECT-STACK`. `*` as a resource stands only for "
        "actions of which AWS knows no narrower one. Beside these, the deployer, the workflow and the scheduler may "
        "hand the stack's roles to SageMaker, and to nobody else (`iam:PassRole`). `ENDPOINT` is one that names "
        "its `team`, and its deployer is there where it names its `repository`. Names of a stack `prod-eu` begin "
        "like those of `prod`: what bears another stack's tags is refused where AWS compares them (SageMaker's jobs, "
        "models, configurations and endpoints, CloudWatch's alarms). Log groups of SageMaker and scalable targets are "
        "within reach of all stacks of the account and region.\n"
    )
    roles: list[tuple[str, Callable[[Known], list[Statement]]]] = [
        ("trainer", grants.trainer),
        ("server", grants.server),
        ("server-ENDPOINT", partial(grants.server, endpoint="ENDPOINT")),
        ("monitor", grants.monitor),
        ("workflow", grants.workflow),
        ("scheduler", grants.scheduler),
        ("deployer", grants.deployer),
        ("deployer-ENDPOINT", partial(grants.deployer, only=Served("ENDPOINT", "PREFIX-ENDPOINT"))),
    ]
    for name, role in roles:
        told = inspect.cleandoc(str((role.func if isinstance(role, partial) else role).__doc__)).partition("\n")[0]
        parts += [f"## {name}\n", f"{told}\n", "| for | actions | on |", "| --- | --- | --- |"]
        for one in role(known):
            only = "; only where " + json.dumps(one["Condition"]) if "Condition" in one else ""
            actions = ", ".join(f"`{action}`" for action in one["Action"])
            parts.append(f"| {one['Sid']} | {actions} | {', '.join(f'`{each}`' for each in one['Resource'])}{only} |")
        parts.append("")
    return "\n".join(parts)
