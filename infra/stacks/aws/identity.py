"""Roles, one for each kind of work, each with one policy that names what it may touch and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from trivet.infra.stacks.aws import grants
from trivet.infra.stacks.aws.context import Context, document, documented

IDS = ("arn",)
"""What names an identity provider that is used."""
GITHUB = "token.actions.githubusercontent.com"
_AUDIENCE = "sts.amazonaws.com"
Statements = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Identities:
    """ARNs of roles; the deployer is there where a repository may deploy."""

    trainer: pulumi.Output[str]
    server: pulumi.Output[str]
    monitor: pulumi.Output[str]
    workflow: pulumi.Output[str]
    scheduler: pulumi.Output[str]
    deployer: pulumi.Output[str] | None


def create(context: Context, parts: grants.Parts) -> Identities:
    """Make the roles."""
    sagemaker = _service_trust(context, "sagemaker")
    trainer = _role(context, "trainer", sagemaker, grants.of(parts, grants.trainer))
    server = _role(context, "server", sagemaker, grants.of(parts, grants.server))
    monitor = _role(context, "monitor", sagemaker, grants.of(parts, grants.monitor))
    workflow = _role(
        context,
        "workflow",
        sagemaker,
        pulumi.Output.all(grants.of(parts, grants.workflow), passing(trainer, server, monitor)).apply(_joined),
    )
    scheduler = _role(
        context,
        "scheduler",
        _service_trust(context, "scheduler", group=schedule_group(context)),
        pulumi.Output.all(grants.of(parts, grants.scheduler), passing(trainer)).apply(_joined),
    )
    return Identities(
        trainer.arn,
        server.arn,
        monitor.arn,
        workflow.arn,
        scheduler.arn,
        _deployer(context, parts, server, workflow, trainer),
    )


def passing(*roles: aws.iam.Role) -> pulumi.Output[list[dict[str, Any]]]:
    """Leave to hand these roles to SageMaker, and to nobody else."""
    return pulumi.Output.all(*(role.arn for role in roles)).apply(
        lambda arns: [
            {
                "Sid": "Pass",
                "Effect": "Allow",
                "Action": "iam:PassRole",
                "Resource": arns,
                "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
            }
        ]
    )


def _deployer(
    context: Context, parts: grants.Parts, server: aws.iam.Role, workflow: aws.iam.Role, trainer: aws.iam.Role
) -> pulumi.Output[str] | None:
    """What the repository's workflows may become, in the environment of the stack's name and in no other."""
    repository, settings = context.settings.repository, context.settings.oidc
    if not repository or settings.mode == "off":
        return None
    if settings.mode == "use":
        provider: pulumi.Input[str] = settings.ids(*IDS)["arn"]
    else:
        provider = aws.iam.OpenIdConnectProvider(
            "github", url=f"https://{GITHUB}", client_id_lists=[_AUDIENCE], opts=context.options
        ).arn
    subject = f"repo:{repository}:environment:{context.settings.environment}"

    def trust(arn: str) -> str:
        return document(
            {
                "Effect": "Allow",
                "Principal": {"Federated": arn},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {f"{GITHUB}:sub": subject, f"{GITHUB}:aud": _AUDIENCE}},
            }
        )

    rights = pulumi.Output.all(grants.of(parts, grants.deployer), passing(server, workflow, trainer))
    return _role(context, "deployer", pulumi.Output.from_input(provider).apply(trust), rights.apply(_joined)).arn


def _role(context: Context, what: str, trust: pulumi.Input[str], statements: pulumi.Input[Statements]) -> aws.iam.Role:
    role = aws.iam.Role(
        what,
        name=context.name(what, 64),
        path=context.settings.role_path,
        assume_role_policy=trust,
        permissions_boundary=context.settings.boundary,
        opts=context.options,
    )
    policy = aws.iam.Policy(
        f"{what}-policy",
        name=context.name(what, 128),
        path=context.settings.role_path,
        policy=documented(statements),
        opts=context.under(role).options,
    )
    aws.iam.RolePolicyAttachment(
        f"{what}-rights", role=role.name, policy_arn=policy.arn, opts=context.under(role).options
    )
    return role


def schedule_group(context: Context) -> str:
    """The ARN of the stack's schedules, as a service that starts them names itself."""
    return context.arn("scheduler", f"schedule-group/{context.name('schedules', 64)}")


def _service_trust(context: Context, service: str, group: str | None = None) -> str:
    """A service, and only when it acts for this account, and for this group where one is named."""
    condition = {"aws:SourceAccount": context.account} | ({"aws:SourceArn": group} if group else {})
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": condition},
        }
    )


def _joined(parts: Sequence[Statements]) -> list[Mapping[str, Any]]:
    return [statement for part in parts for statement in part]
