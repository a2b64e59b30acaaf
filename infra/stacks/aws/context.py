"""What every part of the stack needs to know: names, tags, where it is, and what the environment asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from trivet.infra.names import fitted, prefix
from trivet.infra.settings import Settings
from trivet.infra.stacks.context import StackContext, tags_of

EVENTS = "events.amazonaws.com"
"""EventBridge, as which it publishes to a topic."""


@dataclass(frozen=True)
class Context(StackContext):
    """The surroundings of one stack in one account and region of AWS."""

    account: str
    partition: str

    @classmethod
    def of(cls, stack: str, settings: Settings, parent: pulumi.Resource) -> Context:
        """What surrounds a stack whose settings and names were checked."""
        account = str(settings.account)
        role = settings.assume_role
        provider = aws.Provider(
            "aws",
            region=settings.region,  # type: ignore[arg-type] the SDK's enum lags behind AWS
            allowed_account_ids=[account],
            assume_roles=[aws.ProviderAssumeRoleArgs(role_arn=role, session_name="trivet")] if role else None,
            default_tags=aws.ProviderDefaultTagsArgs(tags=tags_of(settings, stack)),
            opts=pulumi.ResourceOptions(parent=parent),
        )
        return cls(
            settings=settings,
            profile=settings.profile(),
            prefix=prefix(settings, pulumi.get_project(), stack),
            account=account,
            region=settings.region,
            partition=partition_of(settings.region),
            provider=provider,
            options=pulumi.ResourceOptions(parent=parent, provider=provider),
        )

    def unique(self, what: str) -> str:
        """A bucket's name, which nobody else in the world may have."""
        return fitted(f"{self.prefix}-{what}-{self.account}-{self.region}", 63)

    def arn(self, service: str, resource: str, *, region: bool = True) -> str:
        """An ARN in this account."""
        where = self.region if region else ""
        return f"arn:{self.partition}:{service}:{where}:{self.account}:{resource}"


def partition_of(region: str) -> str:
    """The part of AWS in which a region lies."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def document(*statements: Mapping[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def pattern(source: str, kind: str, detail: Mapping[str, Any]) -> str:
    """Which events a rule hears."""
    return json.dumps({"source": [source], "detail-type": [kind], "detail": detail})


def documented(statements: pulumi.Input[Sequence[Mapping[str, Any]]]) -> pulumi.Output[str]:
    """The same of statements that name what is made only now."""
    return pulumi.Output.from_input(statements).apply(lambda known: document(*known))
