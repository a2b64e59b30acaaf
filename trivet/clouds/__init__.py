"""The clouds, one file each, data only. Adding one is adding a file and a line here."""

from __future__ import annotations

from types import MappingProxyType

from trivet.clouds.aws import AWS
from trivet.clouds.gcp import GCP
from trivet.clouds.local import LOCAL
from trivet.core.capabilities import Cloud
from trivet.core.errors import ConfigError

CLOUDS = MappingProxyType({cloud.name: cloud for cloud in (AWS, GCP, LOCAL)})


def cloud(name: str) -> Cloud:
    """The cloud of that name.

    :raises ConfigError: for any other name.
    """
    try:
        return CLOUDS[name]
    except KeyError:
        raise ConfigError(f"{name!r} is no cloud of this version.", f"Choose one of: {', '.join(CLOUDS)}.") from None
