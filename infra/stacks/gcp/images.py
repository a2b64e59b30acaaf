"""The image registry: tags that never move, every image scanned."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from trivet.core.errors import ConfigError
from trivet.infra.settings import HOW, Settings
from trivet.infra.stacks.gcp.context import Context
from trivet.infra.stacks.gcp.keys import Keys

IDS = ("url",)
"""What names an image registry that is used."""
_KEPT_UNTAGGED_S = 14 * 24 * 3600
_URL = re.compile(r"[a-z0-9-]+-docker\.pkg\.dev/[a-z][a-z0-9.:-]+/[^:@/]+(/[^:@]+)?")


@dataclass(frozen=True)
class Images:
    """Where images lie, and the repository where it is the stack's own."""

    url: pulumi.Input[str]
    made: gcp.artifactregistry.Repository | None = None


def check(settings: Settings) -> None:
    """:raises ConfigError: for an image registry that is none of Google's, from which alone Vertex AI takes images."""
    if settings.images.mode == "use" and not _URL.fullmatch(url := settings.images.ids(*IDS)["url"]):
        raise ConfigError(
            f"{url!r} in trivet:images is no repository of Artifact Registry.",
            f"Write REGION-docker.pkg.dev/PROJECT/REPOSITORY, and an image's name behind it but no tag. {HOW}",
        )


def create(context: Context, keys: Keys) -> Images | None:
    """Make the repository, use one, or do without."""
    settings = context.settings.images
    if settings.mode == "off":
        return None
    if settings.mode == "use":
        return Images(settings.ids(*IDS)["url"])
    policy = gcp.artifactregistry.RepositoryCleanupPolicyArgs
    repository = gcp.artifactregistry.Repository(
        "images",
        repository_id=context.name("models"),
        location=context.region,
        format="DOCKER",
        description=f"Images of {context.prefix}",
        docker_config=gcp.artifactregistry.RepositoryDockerConfigArgs(immutable_tags=True),
        kms_key_name=keys.data,
        vulnerability_scanning_config=gcp.artifactregistry.RepositoryVulnerabilityScanningConfigArgs(
            enablement_config="INHERITED"
        ),
        cleanup_policies=[
            policy(
                id="untagged",
                action="DELETE",
                condition=gcp.artifactregistry.RepositoryCleanupPolicyConditionArgs(
                    tag_state="UNTAGGED", older_than=f"{_KEPT_UNTAGGED_S}s"
                ),
            )
        ],
        opts=keys.holding(context, "artifactregistry"),
    )
    return Images(repository.registry_uri, repository)
