"""The stack's config, typed: ``pulumi config set trivet:KEY VALUE``. Every mistake is reported at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Self

from pydantic import Field, field_validator, model_validator

from trivet.clouds import CLOUDS
from trivet.core.document import Document
from trivet.core.errors import ConfigError
from trivet.core.outputs import EnvironmentName
from trivet.core.specs import NAME

NAMESPACE = "trivet"
HOW = f"Set each with `trivet up --config KEY=VALUE` or `pulumi config set {NAMESPACE}:KEY VALUE`."


class EndpointSettings(Document):
    """One endpoint of the stack."""

    name: str = Field(pattern=NAME, description="Lower-case letters, digits, hyphens.")
    port: int | None = Field(default=None, ge=1024, le=65535, description="Local only; none takes a free one.")


class Settings(Document):
    """Everything that config says about a stack."""

    cloud: str = Field(description=f"One of: {', '.join(CLOUDS)}.")
    environment: EnvironmentName = Field(description="dev, staging or prod.")
    region: str = Field(description="The cloud's region; `local` on one machine.")
    regulated: bool = Field(default=False, description="A person who is not the author approves every release.")
    endpoints: tuple[EndpointSettings, ...] = Field(default=(), description="JSON list of names, or of objects.")

    @field_validator("cloud")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in CLOUDS:
            raise ValueError(f"{name!r} is no cloud of this version; choose one of: {', '.join(CLOUDS)}")
        return name

    @field_validator("endpoints", mode="before")
    @classmethod
    def _from_json(cls, value: object) -> object:
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                raise ValueError('write a JSON list, such as ["loan"]') from None
        if not isinstance(value, list | tuple):
            raise ValueError('write a JSON list, such as ["loan"]')
        return [{"name": item} if isinstance(item, str) else item for item in value]

    @model_validator(mode="after")
    def _agree(self) -> Self:
        regions = CLOUDS[self.cloud].regions
        if self.region not in regions:
            raise ValueError(f"{self.region!r} is no region of {self.cloud}; choose one of: {', '.join(regions)}")
        names = [endpoint.name for endpoint in self.endpoints]
        if len(set(names)) < len(names):
            raise ValueError("two endpoints have the same name")
        return self

    @classmethod
    def of(cls, config: Mapping[str, str]) -> Self:
        """Check the values of the ``trivet`` namespace, keys without the namespace.

        :raises ConfigError: naming every key that is wrong, missing or unknown.
        """
        try:
            return cls.parse(dict(config), "The stack's config")
        except ConfigError as error:
            raise ConfigError(error.message, HOW) from error
