"""The stack's config, typed: ``pulumi config set trivet:KEY VALUE``. Every mistake is reported at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from trivet.clouds import CLOUDS
from trivet.core.document import Document
from trivet.core.errors import ConfigError
from trivet.core.naming import Naming
from trivet.core.outputs import EnvironmentName
from trivet.core.specs import NAME, JobNative
from trivet.infra import clock
from trivet.infra.profiles import PROFILES, Profile, profile

NAMESPACE = "trivet"
REPOSITORY = r"^[\w.-]+/[\w.-]+$"
_TAG = re.compile(r"[\w .:/=+@-]{1,128}")  # AWS's rule; Azure's and Google's labels are written from it
_TAG_VALUE = re.compile(r"[\w .:/=+@-]{0,256}")
_MOST_TAGS = 40  # of AWS's 50; the stack has some of its own
_ONLY = {
    **dict.fromkeys(("assume_role", "boundary", "role_path", "private_services", "owns_job_logs"), "aws"),
    **dict.fromkeys(("alerts", "identity"), "aws"),
    **dict.fromkeys(("quotas", "owns_metadata"), "gcp"),
}
_ONLY_OF_ENDPOINTS = {"repository": "aws"}
"""Settings of one cloud, and of its endpoints, which elsewhere would be dropped without a word."""
_YES = ("true", "t", "yes", "y", "on", "1")  # what pydantic takes for true
HOW = f"Set each with `trivet up --config KEY=VALUE` or `pulumi config set {NAMESPACE}:KEY VALUE`."


class EndpointSettings(Document):
    """One endpoint of the stack."""

    name: str = Field(pattern=NAME, description="Lower-case letters, digits, hyphens.")
    port: int | None = Field(default=None, ge=1024, le=65535, description="Local only; none takes a free one.")
    most_instances: int = Field(
        default=4, ge=1, le=100, description="More are refused to whoever deploys; clouds only."
    )
    team: str | None = Field(
        default=None,
        pattern=NAME,
        description="Whose it is: a tag by which costs are told apart, and on AWS a role of its own for its servers.",
    )
    budget: float | None = Field(default=None, gt=0, description="Monthly, in the currency of the account.")
    repository: str | None = Field(
        default=None,
        pattern=REPOSITORY,
        description="AWS: GitHub ORG/REPO whose workflows may release to this endpoint and to no other.",
    )


class ScheduleSettings(Document):
    """A job that the cloud's clock starts."""

    name: str = Field(pattern=NAME, description="Lower-case letters, digits, hyphens.")
    at: Annotated[str, AfterValidator(clock.expression)] = Field(
        description="`rate(1 day)`, or `cron(MINUTE HOUR DAY MONTH WEEKDAY YEAR)`."
    )
    timezone: Annotated[str, AfterValidator(clock.timezone)] = Field(
        default="UTC", description="Of `cron`, such as `Europe/Berlin`."
    )
    timeout: timedelta = Field(default=timedelta(hours=1), description="After which a run is ended.")
    native: JobNative = Field(default=JobNative(), description="Machines and image.")


class ComponentSettings(Document):
    """Whether the stack makes a part of itself, uses one that is there, or does without."""

    mode: Literal["create", "use", "off"] = Field(default="create", description="What is used is read, never changed.")
    use: dict[str, Any] = Field(
        default={}, description="Ids of what is there, by what they are; in a program also outputs of its resources."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, value: object) -> object:
        """A word is the mode; an object without one uses what it names."""
        if isinstance(value, str):
            value = json.loads(value) if value.startswith("{") else {"mode": value}
        if isinstance(value, dict) and not value.keys() <= cls.model_fields.keys():
            value = {"mode": "use", "use": value}
        return value

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.mode == "use") != bool(self.use):
            raise ValueError("name the ids of what is used, and only then")
        for name, value in self.use.items():
            if not all(map(_is_id, value if isinstance(value, list) else [value])):
                raise ValueError(f"{name} is no id and no list of ids")
        return self

    def ids(self, *required: str, optional: Sequence[str] = ()) -> dict[str, Any]:
        """What is used, by names that the cloud knows: text, or outputs of resources, or lists of them.

        :raises ConfigError: naming what is missing or unknown.
        """
        missing, unknown = set(required) - self.use.keys(), self.use.keys() - {*required, *optional}
        if missing or unknown:
            wrong = ", ".join(
                [f"{name} is missing" for name in sorted(missing)] + sorted(f"{n} is unknown" for n in unknown)
            )
            raise ConfigError(f"What is to be used is not said right: {wrong}.", HOW)
        return self.use


def _is_id(value: object) -> bool:
    """Whether it is text, or an output of Pulumi's that will be."""
    return isinstance(value, str) or callable(getattr(value, "apply", None))


class Settings(Document):
    """Everything that config says about a stack."""

    cloud: str = Field(description=f"One of: {', '.join(CLOUDS)}.")
    environment: EnvironmentName = Field(description="dev, staging or prod.")
    region: str = Field(description="The cloud's region; `local` on one machine.")
    regulated: bool = Field(default=False, description="A person who is not the author approves every release.")
    endpoints: tuple[EndpointSettings, ...] = Field(default=(), description="JSON list of names, or of objects.")
    schedules: tuple[ScheduleSettings, ...] = Field(
        default=(), description='Clouds, JSON list of objects: `[{"name": "nightly", "at": "rate(1 day)"}]`.'
    )
    prefix: str | None = Field(
        default=None, pattern=NAME, max_length=20, description="Names begin with it; none: the project."
    )
    tags: dict[str, str] = Field(
        default={}, description="JSON object: on everything that takes tags, also on what jobs and deploys make."
    )
    required_tags: tuple[str, ...] = Field(default=(), description="JSON list: tags without which nothing is made.")
    account: str | None = Field(
        default=None, description="Account, project or subscription; nothing is made in another."
    )
    assume_role: str | None = Field(default=None, description="AWS: the role with which the stack is made.")
    boundary: str | None = Field(default=None, description="AWS: the permissions boundary of every role.")
    role_path: str = Field(default="/", pattern=r"^/([!-~]+/)?$", description="AWS: the path of every role and policy.")
    repository: str | None = Field(
        default=None, pattern=REPOSITORY, description="GitHub ORG/REPO whose workflows may deploy."
    )
    alert_emails: tuple[str, ...] = Field(default=(), description="JSON list: who is told of alarms.")
    budget: float | None = Field(default=None, gt=0, description="Monthly, of the whole stack.")
    protect: bool | None = Field(
        default=None, description="Whether data and keys are safe from `destroy`; none: what the environment says."
    )
    private_services: tuple[str, ...] | None = Field(
        default=None,
        description="AWS, JSON list: services with an endpoint in the stack's own network; none: what the environment "
        "says.",
    )
    owns_job_logs: bool = Field(
        default=False, description="AWS: this stack makes the log groups that all SageMaker jobs of the region share."
    )
    quotas: dict[str, int] = Field(
        default={},
        description="Google Cloud, JSON object: ids of Vertex AI's quotas in the region, and what is asked for.",
    )
    owns_metadata: bool = Field(
        default=False, description="Google Cloud: this stack makes the store of metadata that all pipelines share."
    )
    network: ComponentSettings = Field(default=ComponentSettings(), description="create, off, or JSON of what to use.")
    key: ComponentSettings = Field(default=ComponentSettings(), description="The key of all that is stored.")
    database: ComponentSettings = Field(
        default=ComponentSettings(), description="Of the ledger: datasets, labels, approvals; in dev `off` if unsaid."
    )
    images: ComponentSettings = Field(default=ComponentSettings(), description="The image registry.")
    oidc: ComponentSettings = Field(
        default=ComponentSettings(),
        description="The identity provider of the repository. AWS takes one of GitHub's in an account: a second "
        "stack there names the first's.",
    )
    alerts: ComponentSettings = Field(default=ComponentSettings(), description="AWS: the topic that is told of alarms.")
    identity: ComponentSettings = Field(
        default=ComponentSettings(),
        description="AWS: roles of trainer, server, monitor, workflow, scheduler and, if any, deployer.",
    )
    audit: ComponentSettings = Field(default=ComponentSettings(), description="The log of who read which data.")
    catalog: ComponentSettings = Field(default=ComponentSettings(), description="The data catalogue.")
    batch: ComponentSettings = Field(default=ComponentSettings(), description="Word of batch jobs that fail.")

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

    @field_validator("tags", "required_tags", "alert_emails", "private_services", "schedules", "quotas", mode="before")
    @classmethod
    def _json(cls, value: object) -> object:
        if isinstance(value, str):
            try:
                return json.loads(value)
            except ValueError:
                raise ValueError("write JSON") from None
        return value

    @field_validator("tags")
    @classmethod
    def _allowed(cls, tags: dict[str, str]) -> dict[str, str]:
        wrong = [name for name, value in tags.items() if not (_TAG.fullmatch(name) and _TAG_VALUE.fullmatch(value))]
        wrong += [name for name in tags if name.lower().startswith("aws:")]
        if wrong or len(tags) > _MOST_TAGS:
            raise ValueError(f"no tags that every cloud takes: {', '.join(wrong) or 'more than 40'}")
        return tags

    @model_validator(mode="before")
    @classmethod
    def _by_environment(cls, values: object) -> object:
        """What is not said, where it follows from the environment."""
        if isinstance(values, dict) and values.get("environment") in PROFILES and "database" not in values:
            regulated = str(values.get("regulated", "")).lower() in _YES
            found = profile(values["environment"], regulated=regulated)
            return {**values, "database": found.database}
        return values

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if wrong := [*self._wrong()]:
            raise ValueError("; ".join(wrong))
        return self

    def _wrong(self) -> Iterator[str]:
        """Everything that is wrong between the settings, the account first."""
        cloud = CLOUDS[self.cloud]
        names = [endpoint.name for endpoint in self.endpoints]
        scheduled = [schedule.name for schedule in self.schedules]
        for name in sorted(self.model_fields_set & _ONLY.keys()):
            if _ONLY[name] != self.cloud:
                yield f"trivet:{name} is a setting of {CLOUDS[_ONLY[name]].title} alone"
        for one in self.endpoints:
            for name in sorted(one.model_fields_set & _ONLY_OF_ENDPOINTS.keys()):
                if getattr(one, name) and _ONLY_OF_ENDPOINTS[name] != self.cloud:
                    title = CLOUDS[_ONLY_OF_ENDPOINTS[name]].title
                    yield f"{name} of the endpoint {one.name!r} is a setting of {title} alone"
        if cloud.naming:
            yield from cloud.naming.wrong_account(self.account)
            yield from cloud.naming.wrong_parts([*names, *scheduled])
            yield from cloud.naming.wrong_tags(self.tags)
        if self.region not in cloud.regions:
            near = get_close_matches(self.region, cloud.regions, n=1)
            choice = f"did you mean {near[0]}?" if near else f"choose one of: {', '.join(cloud.regions)}"
            yield f"{self.region!r} is no region of {self.cloud}; {choice}"
        if len(set(names)) < len(names):
            yield "two endpoints have the same name"
        if len(set(scheduled)) < len(scheduled):
            yield "two schedules have the same name"
        if missing := sorted(set(self.required_tags) - self.tags.keys()):
            yield f"required tags are missing: {', '.join(missing)}"

    def naming(self) -> Naming | None:
        """The cloud's rules of names."""
        return CLOUDS[self.cloud].naming

    def profile(self) -> Profile:
        """What the environment asks for, as far as config says nothing else."""
        return profile(self.environment, regulated=self.regulated, protects=self.protect)

    @classmethod
    def of(cls, config: Mapping[str, str]) -> Self:
        """Check the values of the ``trivet`` namespace, keys without the namespace.

        :raises ConfigError: naming every key that is wrong, missing or unknown.
        """
        try:
            return cls.parse(dict(config), "The stack's config")
        except ConfigError as error:
            raise ConfigError(error.message, HOW) from error
