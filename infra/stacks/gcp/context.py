"""What every part of the stack needs to know: names, labels, where it is, and what the environment asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import pulumi
import pulumi_gcp as gcp

from trivet.clouds.gcpnames import labels
from trivet.core.errors import ConfigError
from trivet.infra.names import fitted, prefix
from trivet.infra.settings import HOW, Settings
from trivet.infra.stacks.context import StackContext, tags_of


class _Agent(NamedTuple):
    """What its name ends in, and the role with which it works for a project."""

    domain: str
    role: str


_AGENTS = {
    "aiplatform": _Agent("gcp-sa-aiplatform", "roles/aiplatform.serviceAgent"),
    "artifactregistry": _Agent("gcp-sa-artifactregistry", "roles/artifactregistry.serviceAgent"),
    "pubsub": _Agent("gcp-sa-pubsub", "roles/pubsub.serviceAgent"),
    "sqladmin": _Agent("gcp-sa-cloud-sql", "roles/cloudsql.serviceAgent"),
}
"""Services whose agent is made when it is asked for: IAM, "Service agents"."""


def check_id(setting: str, said: object, form: str) -> None:
    """Refuse the id of what is used where it is of another kind or in another region; an output is not known yet.

    :param form: what it has to be, with words in capitals for what may be anything.
    :raises ConfigError: saying that.
    """
    if isinstance(said, str) and not re.fullmatch(re.sub(r"\b[A-Z]+\b", "[^/]+", form), said):
        raise ConfigError(f"{said!r} in trivet:{setting} is not {form}.", HOW)


@dataclass(frozen=True)
class Context(StackContext):
    """The surroundings of one stack in one project and region of Google Cloud.

    :param project: its id.
    :param services: the APIs that the stack has enabled, after which everything else comes.
    :param agents: the members as which Google's services work for the project, by service, each made once.
    """

    project: str
    labels: dict[str, str]
    services: Sequence[pulumi.Resource] = ()
    agents: dict[str, pulumi.Output[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, stack: str, settings: Settings, parent: pulumi.Resource) -> Context:
        """What surrounds a stack whose settings and names were checked."""
        project = str(settings.account)
        bearing = labels(tags_of(settings, stack))
        provider = gcp.Provider(
            "gcp",
            project=project,
            region=settings.region,
            default_labels=bearing,
            add_pulumi_attribution_label=False,
            # Budgets and quotas are asked for in the name of a project: the stack's, whoever asks.
            user_project_override=True,
            billing_project=project,
            opts=pulumi.ResourceOptions(parent=parent),
        )
        return cls(
            settings=settings,
            profile=settings.profile(),
            prefix=prefix(settings, pulumi.get_project(), stack),
            project=project,
            region=settings.region,
            labels=bearing,
            provider=provider,
            options=pulumi.ResourceOptions(parent=parent, provider=provider),
        )

    def enabling(self, services: Sequence[str]) -> Context:
        """The same for what needs these APIs, which the stack enables and never disables: others may use them, too."""
        made = [
            gcp.projects.Service(
                f"api-{service}",
                project=self.project,
                service=f"{service}.googleapis.com",
                disable_on_destroy=False,
                opts=self.options,
            )
            for service in services
        ]
        return replace(self, options=self.after(*made), services=made)

    def unique(self, what: str) -> str:
        """A bucket's name, which nobody else in the world may have."""
        return fitted(f"{self.prefix}-{what}-{self.project}", 63)

    def here(self, what: str) -> str:
        """The resource name of something in this project and region."""
        return f"projects/{self.project}/locations/{self.region}/{what}"

    def asking(self, *depends_on: pulumi.Resource) -> pulumi.InvokeOutputOptions:
        """See :class:`StackContext`; no API answers before it is enabled."""
        return super().asking(*self.services, *depends_on)

    def agent(self, service: str) -> pulumi.Output[str]:
        """The member as which a service of Google's works for this project, made where it is not there yet.

        An agent that is made because somebody asks for it gets no role, as the service itself would have given it one
        ("Create and grant roles to service agents", IAM): so it gets its own here, and keeps it, since whatever else
        is in the project needs it too. Who names the member comes after that.
        """
        if service not in self.agents:
            identity = gcp.projects.ServiceIdentity(
                f"agent-{service}", project=self.project, service=f"{service}.googleapis.com", opts=self.options
            )
            # Not its output, which some services leave empty: the number and the name are documented.
            domain, role = _AGENTS[service]
            member = pulumi.Output.all(self.number, identity.id).apply(
                lambda known: f"serviceAccount:service-{known[0]}@{domain}.iam.gserviceaccount.com"
            )
            working = gcp.projects.IAMMember(
                f"agent-{service}",
                project=self.project,
                role=role,
                member=member,
                opts=self.keeping(self.under(identity).options, keeps=True),
            )
            self.agents[service] = working.member
        return self.agents[service]

    @property
    def number(self) -> pulumi.Output[str]:
        """The project's number, by which Google names what is its own."""
        return gcp.organizations.get_project_output(project_id=self.project, opts=self.asking()).number
