"""Roles, one for each kind of work, each with one policy that names what it may touch and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi
import pulumi_aws as aws

from trivet.core.errors import ConfigError
from trivet.infra.settings import EndpointSettings, Settings
from trivet.infra.stacks.aws import grants
from trivet.infra.stacks.aws.context import Context, document, documented
from trivet.infra.stacks.aws.endpoint import tags_of
from trivet.infra.stacks.aws.parts import Known, Parts, Served, Statement, of

IDS = ("arn",)
"""What names an identity provider that is used."""
ROLES = ("trainer", "server", "monitor", "workflow", "scheduler")
OPTIONAL_ROLES = ("deployer",)
"""What names the roles that are used."""
GITHUB = "token.actions.githubusercontent.com"
_AUDIENCE = "sts.amazonaws.com"
Statements = Sequence[Mapping[str, Any]]
Rights = Callable[[Known], list[Statement]]


@dataclass(frozen=True)
class Identities:
    """ARNs of roles.

    ``servers`` is by endpoint: one that names its team has a role of its own, the others share one, which is there even
    when none does, since servers go on with the role that they were started with. ``deployers`` is by endpoint too, of
    those that a repository of their own releases to.
    """

    trainer: pulumi.Input[str]
    servers: Mapping[str, pulumi.Input[str]]
    monitor: pulumi.Input[str]
    workflow: pulumi.Input[str]
    scheduler: pulumi.Input[str]
    deployer: pulumi.Input[str] | None
    deployers: Mapping[str, pulumi.Input[str]]


def check(settings: Settings) -> None:
    """Refuse what asks for a role where all roles are somebody else's.

    :raises ConfigError: naming it.
    """
    own = [one.name for one in settings.endpoints if one.team or one.repository]
    if settings.identity.mode == "use" and (own or settings.repository):
        what = f"The endpoint {own[0]} asks for roles of its own" if own else "trivet:repository asks for a role"
        raise ConfigError(
            f"{what}, and trivet:identity names roles that are there.",
            "Leave out team and repository, and name the deployer under trivet:identity.",
        )


def create(context: Context, parts: Parts) -> Identities:
    """Make the roles, or use those that are there; their rights are then their owner's (docs/aws-rights.md)."""
    settings = context.settings
    if settings.identity.mode == "use":
        ids = settings.identity.ids(*ROLES, optional=OPTIONAL_ROLES)
        servers = {one.name: ids["server"] for one in settings.endpoints}
        return Identities(
            ids["trainer"], servers, ids["monitor"], ids["workflow"], ids["scheduler"], ids.get("deployer"), {}
        )
    return _made(context, parts)


def _made(context: Context, parts: Parts) -> Identities:
    sagemaker = _service_trust(context, "sagemaker")
    trainer = _role(context, "trainer", sagemaker, of(parts, grants.trainer))
    shared = _role(context, "server", sagemaker, of(parts, grants.server))
    own = {
        one.name: _role(
            context,
            f"server-{one.name}",
            sagemaker,
            of(parts, partial(grants.server, endpoint=one.name)),
            tags_of(one),
        )
        for one in context.settings.endpoints
        if one.team
    }
    servers = {one.name: own.get(one.name, shared) for one in context.settings.endpoints}
    monitor = _role(context, "monitor", sagemaker, of(parts, grants.monitor))
    workflow = _role(
        context,
        "workflow",
        sagemaker,
        pulumi.Output.all(of(parts, grants.workflow), passing(trainer, shared, *own.values(), monitor)).apply(_joined),
    )
    scheduler = _role(
        context,
        "scheduler",
        _service_trust(context, "scheduler", group=schedule_group(context)),
        pulumi.Output.all(of(parts, grants.scheduler), passing(trainer)).apply(_joined),
    )
    whole, by_endpoint = _deployers(context, parts, servers, (workflow, trainer))
    return Identities(
        trainer.arn,
        {name: role.arn for name, role in servers.items()},
        monitor.arn,
        workflow.arn,
        scheduler.arn,
        whole,
        by_endpoint,
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


def _deployers(
    context: Context, parts: Parts, servers: Mapping[str, aws.iam.Role], jobs: Sequence[aws.iam.Role]
) -> tuple[pulumi.Output[str] | None, dict[str, pulumi.Output[str]]]:
    """What workflows may become: of the stack's repository for all endpoints, of an endpoint's own for that alone."""
    settings = context.settings
    own = {one.name: one for one in settings.endpoints if one.repository}
    if settings.oidc.mode == "off" or not (settings.repository or own):
        return None, {}
    provider = _provider(context)

    def deployer(repository: str, rights: Rights, one: EndpointSettings | None = None) -> pulumi.Output[str]:
        handed = [servers[one.name]] if one else [*dict.fromkeys(servers.values())]
        trust = pulumi.Output.from_input(provider).apply(partial(_trust, context, repository))
        statements = pulumi.Output.all(of(parts, rights), passing(*handed, *jobs)).apply(_joined)
        what = f"deployer-{one.name}" if one else "deployer"
        return _role(context, what, trust, statements, tags_of(one) if one else None).arn

    return (
        deployer(settings.repository, grants.deployer) if settings.repository else None,
        {
            name: deployer(str(one.repository), partial(grants.deployer, only=Served(name, context.name(name))), one)
            for name, one in own.items()
        },
    )


def _provider(context: Context) -> pulumi.Input[str]:
    """ARN of the identity provider, made or used."""
    if context.settings.oidc.mode == "use":
        return context.settings.oidc.ids(*IDS)["arn"]
    return aws.iam.OpenIdConnectProvider(
        "github", url=f"https://{GITHUB}", client_id_lists=[_AUDIENCE], opts=context.options
    ).arn


def _trust(context: Context, repository: str, provider: str) -> str:
    """A repository's workflows, in the environment of the stack's and in no other."""
    subject = f"repo:{repository}:environment:{context.settings.environment}"
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{GITHUB}:sub": subject, f"{GITHUB}:aud": _AUDIENCE}},
        }
    )


def _role(
    context: Context,
    what: str,
    trust: pulumi.Input[str],
    statements: pulumi.Input[Statements],
    tags: dict[str, str] | None = None,
) -> aws.iam.Role:
    role = aws.iam.Role(
        what,
        name=context.name(what, 64),
        path=context.settings.role_path,
        assume_role_policy=trust,
        permissions_boundary=context.settings.boundary,
        tags=tags,
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
