"""The image registry: tags that never move, every image scanned."""

from __future__ import annotations

import json
import re

import pulumi
import pulumi_aws as aws

from trivet.core.errors import ConfigError
from trivet.infra.settings import HOW, Settings
from trivet.infra.stacks.aws.context import Context

IDS = ("url",)
"""What names an image registry that is used."""
_KEPT_UNTAGGED_DAYS = 14
_URL = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<name>[^:@]+)")


def check(settings: Settings) -> None:
    """:raises ConfigError: for an image registry that is none of ECR, from which alone SageMaker takes images."""
    if settings.images.mode == "use" and not _URL.fullmatch(url := settings.images.ids(*IDS)["url"]):
        raise ConfigError(
            f"{url!r} in trivet:images is no repository of ECR.",
            f"Write ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME, without a tag. {HOW}",
        )


def arn(context: Context, url: str) -> str:
    """The repository's ARN; one that is used may be another account's, or lie in another region."""
    if found := _URL.fullmatch(url):
        return f"arn:{context.partition}:ecr:{found['region']}:{found['account']}:repository/{found['name']}"
    return context.arn("ecr", f"repository/{url.partition('/')[2]}")


def create(context: Context, key: pulumi.Input[str]) -> pulumi.Input[str] | None:
    """The repository's URL: made, used or none."""
    settings = context.settings.images
    if settings.mode == "off":
        return None
    if settings.mode == "use":
        return settings.ids(*IDS)["url"]
    repository = aws.ecr.Repository(
        "images",
        name=context.name("models", 256),
        image_tag_mutability="IMMUTABLE",
        image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
        encryption_configurations=[aws.ecr.RepositoryEncryptionConfigurationArgs(encryption_type="KMS", kms_key=key)],
        force_delete=not context.profile.protects,
        opts=context.holding(),
    )
    untagged = {
        "rulePriority": 1,
        "description": "what no tag names any more",
        "selection": {
            "tagStatus": "untagged",
            "countType": "sinceImagePushed",
            "countUnit": "days",
            "countNumber": _KEPT_UNTAGGED_DAYS,
        },
        "action": {"type": "expire"},
    }
    aws.ecr.LifecyclePolicy(
        "images-lifecycle",
        repository=repository.name,
        policy=json.dumps({"rules": [untagged]}),
        opts=context.under(repository).options,
    )
    return repository.repository_url
