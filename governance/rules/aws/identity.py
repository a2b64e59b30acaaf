"""Roles and policies: no wildcard, nobody unknown, and every role for one service or one repository."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trivet.governance.rules.base import Resource, Setting, rule
from trivet.governance.rules.documents import Statement, statements

ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/policy:Policy"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
GROUP_POLICY = "aws:iam/groupPolicy:GroupPolicy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
USERS = ("aws:iam/user:User", "aws:iam/accessKey:AccessKey", "aws:iam/userLoginProfile:UserLoginProfile")

RESOURCELESS = frozenset(
    (
        "application-autoscaling:DescribeScalableTargets",
        "application-autoscaling:DescribeScalingPolicies",
        "cloudwatch:GetMetricData",
        "cloudwatch:ListMetrics",
        "cloudwatch:PutMetricData",
        "ec2:DescribeDhcpOptions",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
        "ecr:GetAuthorizationToken",
        "sagemaker:ListEndpointConfigs",
        "sagemaker:ListModels",
    )
)
"""Actions that take no resource, as AWS's service authorization reference has it, and that the stack's roles need."""
_GRANTING = (POLICY, ROLE_POLICY, GROUP_POLICY, ROLE)
_POWERFUL = ("AdministratorAccess", "PowerUserAccess", "IAMFullAccess")


@rule(
    "iam-actions", "Policies name each action", "Security Hub IAM.1, IAM.21; CIS AWS 7.0 2.14", "critical", *_GRANTING
)
def actions(resource: Resource, _: Setting) -> Iterator[str]:
    for one in _allowed(resource):
        if wide := sorted(action for action in one.actions if "*" in action or "?" in action):
            yield f"it allows {', '.join(wide)}"
        if one.is_inverted:
            yield "it allows all but what it names"


@rule(
    "iam-resources",
    "Policies name what an action may touch",
    "CIS AWS 7.0 2.14; Security Hub KMS.1",
    "high",
    *_GRANTING,
)
def resources(resource: Resource, _: Setting) -> Iterator[str]:
    for one in _allowed(resource):
        wide = sorted(set(one.actions) - RESOURCELESS)
        if wide and any(_is_everything(arn) for arn in one.resources):
            yield f"it allows {', '.join(wide)} on everything"


@rule(
    "iam-pass", "Roles are passed to named services", "AWS IAM: granting permissions to pass a role", "high", *_GRANTING
)
def passing(resource: Resource, _: Setting) -> Iterator[str]:
    for one in _allowed(resource):
        if "iam:passrole" in map(str.lower, one.actions) and not one.condition("iam:passedtoservice", "stringequals"):
            yield "it may pass a role to any service"


@rule("iam-trust", "A role is for the account's own services", "AWS IAM: the confused deputy problem", "critical", ROLE)
def trust(resource: Resource, _: Setting) -> Iterator[str]:
    for one in statements(resource.inputs.get("assumeRolePolicy")):
        if not one.allows:
            continue
        if one.is_inverted or one.is_for_anybody:
            yield "anybody may become it"
        elif any(kind == "Service" for kind, _ in one.principals) and not one.is_narrowed:
            yield "a service may become it for another account"


@rule("iam-oidc", "A repository becomes a role by its exact subject", "Checkov CKV_AWS_393", "critical", ROLE)
def oidc(resource: Resource, _: Setting) -> Iterator[str]:
    """Who asks is in the token's subject; a wildcard there, or none asked for, is anybody at the same provider."""
    for one in statements(resource.inputs.get("assumeRolePolicy")):
        if one.allows and any(kind == "Federated" and ":saml-provider/" not in arn for kind, arn in one.principals):
            yield from (f"its trust does not name one {claim}" for claim in ("sub", "aud") if not _names(one, claim))


@rule("iam-managed", "No role has AWS's policies for everything", "Checkov CKV_AWS_274, CKV2_AWS_56", "critical",
      ATTACHMENT, ROLE)  # fmt: skip
def managed(resource: Resource, _: Setting) -> Iterator[str]:
    for arn in [resource.inputs.get("policyArn"), *(resource.inputs.get("managedPolicyArns") or [])]:
        name = str(arn).rpartition("/")[2]
        if name in _POWERFUL:
            yield f"it attaches {name}"


@rule("iam-users", "There are roles, and no users with keys", "Checkov CKV_AWS_273", "high", *USERS)
def users(resource: Resource, _: Setting) -> Iterator[str]:
    yield f"{resource.type.rpartition(':')[2]} is for a user; make it a role"


def _allowed(resource: Resource) -> Iterator[Statement]:
    """What a policy allows, or a role in policies that are written into it."""
    inline: list[Mapping[str, Any]] = list(resource.inputs.get("inlinePolicies") or [])
    for holder in (resource.inputs, *inline):
        yield from (one for one in statements(holder.get("policy")) if one.allows)


def _is_everything(arn: str) -> bool:
    """``*``, or all that a service has: ``arn:aws:s3:::*``."""
    return arn.split(":", 5)[-1] == "*"


def _names(one: Statement, claim: str) -> bool:
    """Whether a statement asks for exact values of a claim of the token."""
    return any(
        operator == "stringequals" and name.endswith(f":{claim}") and values and not any("*" in one for one in values)
        for operator, name, values in one.conditions
    )
