"""What every part of the stack needs to know: names, tags, where it is, and what the environment asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pulumi
import pulumi_aws as aws

from trivet.core.errors import ConfigError
from trivet.infra.names import fitted
from trivet.infra.profiles import Profile, profile
from trivet.infra.settings import HOW, Settings

MANAGED = "trivet:managed-by"
_ACCOUNT_DIGITS = 12


@dataclass(frozen=True)
class Context:
    """The surroundings of one stack in one account and region.

    :param options: parent and provider, for every resource.
    """

    settings: Settings
    profile: Profile
    prefix: str
    account: str
    region: str
    partition: str
    options: pulumi.ResourceOptions

    @classmethod
    def of(cls, stack: str, settings: Settings, parent: pulumi.Resource) -> Context:
        """:raises ConfigError: for an account id that is none."""
        account = settings.account or ""
        if not (account.isdecimal() and len(account) == _ACCOUNT_DIGITS):
            raise ConfigError(
                f"{account or 'No value'} is no account id of {_ACCOUNT_DIGITS} digits in trivet:account.", HOW
            )
        tags = {
            **settings.tags,
            "trivet:stack": stack,
            "trivet:environment": settings.environment,
            MANAGED: "pulumi",
        }
        role = settings.assume_role
        provider = aws.Provider(
            "aws",
            region=settings.region,  # type: ignore[arg-type] the SDK's enum lags behind AWS
            allowed_account_ids=[account],
            assume_roles=[aws.ProviderAssumeRoleArgs(role_arn=role, session_name="trivet")] if role else None,
            default_tags=aws.ProviderDefaultTagsArgs(tags=tags),
            opts=pulumi.ResourceOptions(parent=parent),
        )
        return cls(
            settings=settings,
            profile=profile(settings.environment, regulated=settings.regulated),
            prefix=f"{settings.prefix or pulumi.get_project()}-{stack}",
            account=account,
            region=settings.region,
            partition=partition_of(settings.region),
            options=pulumi.ResourceOptions(parent=parent, provider=provider),
        )

    def name(self, what: str, most: int = 63) -> str:
        """A physical name within a service's limit."""
        return fitted(f"{self.prefix}-{what}", most)

    def unique(self, what: str) -> str:
        """A bucket's name, which nobody else in the world may have."""
        return fitted(f"{self.prefix}-{what}-{self.account}-{self.region}", 63)

    def arn(self, service: str, resource: str, *, region: bool = True) -> str:
        """An ARN in this account."""
        where = self.region if region else ""
        return f"arn:{self.partition}:{service}:{where}:{self.account}:{resource}"

    def holding(self, *depends_on: pulumi.Resource) -> pulumi.ResourceOptions:
        """Options of what holds data or keys: protected where the environment says so."""
        return pulumi.ResourceOptions.merge(
            self.options,
            pulumi.ResourceOptions(protect=self.profile.protects, depends_on=list(depends_on)),
        )

    def after(self, *depends_on: pulumi.Resource) -> pulumi.ResourceOptions:
        """Options of what can only be made when these are."""
        return pulumi.ResourceOptions.merge(self.options, pulumi.ResourceOptions(depends_on=list(depends_on)))

    def asking(self, *depends_on: pulumi.Resource) -> pulumi.InvokeOutputOptions:
        """Options of a question to AWS, which is asked in the stack's own account and region as everything is made."""
        return pulumi.InvokeOutputOptions(
            parent=self.options.parent, provider=self.options.provider, depends_on=list(depends_on)
        )

    def under(self, parent: pulumi.Resource) -> Context:
        """The same for what belongs to ``parent``."""
        return replace(self, options=pulumi.ResourceOptions.merge(self.options, pulumi.ResourceOptions(parent=parent)))


def partition_of(region: str) -> str:
    """The part of AWS in which a region lies."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def document(*statements: Mapping[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def documented(statements: pulumi.Input[Sequence[Mapping[str, Any]]]) -> pulumi.Output[str]:
    """The same of statements that name what is made only now."""
    return pulumi.Output.from_input(statements).apply(lambda known: document(*known))
