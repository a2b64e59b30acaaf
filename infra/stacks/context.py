"""What every part of a stack needs to know, whichever cloud it is on: names, profile, and options of resources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import pulumi

from trivet.core.errors import ConfigError
from trivet.core.leftovers import ENVIRONMENT_TAG, MANAGED_TAG, PROJECT_TAG, STACK_TAG
from trivet.infra.names import fitted
from trivet.infra.profiles import Profile
from trivet.infra.settings import HOW, Settings

TEAM_TAG = "trivet:team"
TLS = 443


@dataclass(frozen=True)
class StackContext:
    """The surroundings of one stack in one account and region.

    :param options: parent and provider, for every resource, and what all of them come after.
    """

    settings: Settings
    profile: Profile
    prefix: str
    region: str
    provider: pulumi.ProviderResource
    options: pulumi.ResourceOptions

    def name(self, what: str, most: int = 63) -> str:
        """A physical name within a service's limit."""
        return fitted(f"{self.prefix}-{what}", most)

    def holding(self, *depends_on: pulumi.Resource) -> pulumi.ResourceOptions:
        """Options of what holds data or keys: protected where the environment says so."""
        return pulumi.ResourceOptions.merge(
            self.options,
            pulumi.ResourceOptions(protect=self.profile.protects, depends_on=list(depends_on)),
        )

    def keeping(self, options: pulumi.ResourceOptions, *, keeps: bool) -> pulumi.ResourceOptions:
        """The same options, of what outlives the stack where ``keeps``."""
        kept = pulumi.ResourceOptions(retain_on_delete=True if keeps else None)
        return pulumi.ResourceOptions.merge(options, kept)

    def after(self, *depends_on: pulumi.Resource) -> pulumi.ResourceOptions:
        """Options of what can only be made when these are."""
        return pulumi.ResourceOptions.merge(self.options, pulumi.ResourceOptions(depends_on=list(depends_on)))

    def asking(self, *depends_on: pulumi.Resource) -> pulumi.InvokeOutputOptions:
        """Options of a question to the cloud: by the stack's own provider, so that it is asked in its account."""
        return pulumi.InvokeOutputOptions(
            parent=self.options.parent, provider=self.provider, depends_on=list(depends_on)
        )

    def under(self, parent: pulumi.Resource) -> Self:
        """The same for what belongs to ``parent``."""
        return replace(self, options=pulumi.ResourceOptions.merge(self.options, pulumi.ResourceOptions(parent=parent)))


def tags_of(settings: Settings, stack: str) -> dict[str, str]:
    """What everything of the stack bears: the user's own tags, and whose it is."""
    return {
        **settings.tags,
        PROJECT_TAG: pulumi.get_project(),
        STACK_TAG: stack,
        ENVIRONMENT_TAG: settings.environment,
        MANAGED_TAG: "pulumi",
    }


def is_needed_later(context: StackContext) -> bool:
    """Whether something outlives the stack that only its key opens: locked records, or a backup of the database."""
    settings = context.settings
    return settings.regulated or (settings.database.mode == "create" and context.profile.last_backup)


def each(value: pulumi.Input[str] | None, of: Callable[[str], str]) -> pulumi.Output[str] | None:
    """What follows from a value, where there is one."""
    return None if value is None else pulumi.Output.from_input(value).apply(of)


def check_modes(settings: Settings, modes: Mapping[str, tuple[str, ...]], title: str) -> None:
    """:raises ConfigError: for a component that cannot be what is asked of it on this cloud."""
    for name, possible in modes.items():
        if (mode := getattr(settings, name).mode) not in possible:
            raise ConfigError(f"trivet:{name} cannot be {mode!r} on {title}: choose {' or '.join(possible)}.", HOW)


def section(shells: Mapping[str, tuple[pulumi.Input[str], str, int]], store: pulumi.Output[str]) -> dict[str, Any]:
    """The endpoints of the outputs.

    :param shells: by endpoint its name in the cloud, where it answers, and the most machines that it may have.
    """
    return {
        endpoint: {
            "name": name,
            "host": host,
            "port": TLS,
            "folder": pulumi.Output.concat(store, "/endpoints/", endpoint),
            "most_instances": most,
        }
        for endpoint, (name, host, most) in shells.items()
    }
