"""What an endpoint is to be in order to serve a version: what the project says, what is asked for, and what serves now.

A deployment says who serves; of machines it says what somebody said, and the rest stays as it is on the endpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import Field, model_validator

from trivet.core.capabilities import Capability, Support
from trivet.core.document import Document
from trivet.core.errors import ConfigError, PlatformError
from trivet.core.platform import Platform
from trivet.core.project import ServingOptions
from trivet.core.specs import EndpointNative, EndpointSpec, Instances, Release

WHOLE = 100  # percent


class Deployment(Document):
    """How a version is to be served, as far as somebody says it."""

    instances: Instances = Instances()
    native: dict[str, str] = Field(default={}, description="Options of the stack's own cloud, by name.")
    traffic: int | None = Field(default=None, ge=1, lt=WHOLE, description="Percent; what serves now keeps the rest.")
    shadow: bool = Field(default=False, description="It gets a copy of the requests; what serves now goes on.")

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        if self.shadow and self.traffic is not None:
            raise ValueError("a shadow has no share of the traffic")
        return self


ALONE = Deployment()


def spec_of(
    platform: Platform,
    endpoint: str,
    release: Release,
    project: ServingOptions,
    how: Deployment = ALONE,
    *,
    keeps_split: bool = False,
) -> EndpointSpec:
    """The wanted state; nothing is changed yet.

    :param keeps_split: of a release that serves already, leave its share, and a shadow, as they are.
    :raises Unsupported: for a share, or a shadow, where the cloud has none.
    :raises ConfigError: where what serves now leaves no room for it, or an option is none of the cloud's.
    """
    releases, shadow = _placed(platform, endpoint, release, how)
    if keeps_split and releases == (release,):
        held = _held(platform, endpoint)
        if held and release.digest in {one.digest for one in held.releases}:
            releases, shadow = held.releases, held.shadow
    instances = how.instances
    if instances == Instances() and _scales(platform):
        instances = Instances(**{name: getattr(project, name) for name in Instances.model_fields})
    return EndpointSpec(
        name=endpoint,
        releases=tuple(releases),
        shadow=shadow,
        native=_native(platform.cloud.name, project.native, how.native),
        **instances.model_dump(),
    )


def _placed(
    platform: Platform, endpoint: str, release: Release, how: Deployment
) -> tuple[Sequence[Release], Release | None]:
    """The releases that answer, and the shadow."""
    if how.shadow:
        platform.cloud.check(Capability.SHADOW_TRAFFIC)
        return _beside(platform, endpoint, release), release
    if how.traffic is None:
        return (release,), None
    platform.cloud.check(Capability.TRAFFIC_SPLIT)
    [first] = _beside(platform, endpoint, release)
    return (
        first.model_copy(update={"traffic": WHOLE - how.traffic}),
        release.model_copy(update={"traffic": how.traffic}),
    ), None


def _beside(platform: Platform, endpoint: str, release: Release) -> Sequence[Release]:
    """What serves beside a release: one other, with all the traffic.

    :raises ConfigError: when there is none, or there are several, or another is its shadow.
    """
    held = platform.endpoints.held(endpoint)
    others = [one for one in held.releases if one.digest != release.digest] if held else []
    if not others:
        raise ConfigError(f"Nothing else serves on endpoint {endpoint}.", "Deploy without --traffic and --shadow.")
    shadow = held.shadow if held else None
    there = [*others, *([shadow] if shadow and shadow.digest != release.digest else [])]
    if len(there) > 1:
        names = " and ".join(f"{one.model}/{one.version}" for one in there)
        raise ConfigError(f"Endpoint {endpoint} has {names} already.", "Deploy one of them alone first.")
    return (others[0].model_copy(update={"traffic": WHOLE}),)


def _held(platform: Platform, endpoint: str) -> EndpointSpec | None:
    try:
        return platform.endpoints.held(endpoint)
    except PlatformError:  # somebody has changed it behind our backs: deploying puts it right
        return None


def _scales(platform: Platform) -> bool:
    return platform.cloud.claims[Capability.AUTOSCALING].support is not Support.REFUSED


def _native(cloud: str, project: EndpointNative, said: dict[str, str]) -> EndpointNative:
    """The project's options, with those of one cloud that were said laid over them."""
    if not said:
        return project
    of_cloud = getattr(project, cloud)
    return EndpointNative.parse({cloud: {**of_cloud.model_dump(), **said}}, "native")
