"""The image registry: tags that never move, every image scanned."""

from __future__ import annotations

import json

import pulumi
import pulumi_aws as aws

from trivet.infra.stacks.aws.context import Context

IDS = ("url",)
"""What names an image registry that is used."""
_KEPT_UNTAGGED_DAYS = 14


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
