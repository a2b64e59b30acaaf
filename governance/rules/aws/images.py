"""The image registry: tags that never move, every image scanned, encrypted with the stack's key."""

from __future__ import annotations

from collections.abc import Iterator

from trivet.governance.rules.base import Resource, Setting, rule
from trivet.governance.rules.documents import statements

REPOSITORY = "aws:ecr/repository:Repository"
POLICY = "aws:ecr/repositoryPolicy:RepositoryPolicy"


@rule("ecr-immutable", "An image's tag never moves", "Security Hub ECR.2", "high", REPOSITORY)
def immutable(resource: Resource, _: Setting) -> Iterator[str]:
    if resource.inputs.get("imageTagMutability") != "IMMUTABLE":
        yield "its tags may move"


@rule("ecr-scanned", "Every image is scanned", "Security Hub ECR.1", "high", REPOSITORY)
def scanned(resource: Resource, _: Setting) -> Iterator[str]:
    if (resource.inputs.get("imageScanningConfiguration") or {}).get("scanOnPush") is not True:
        yield "its images are not scanned"


@rule("ecr-encrypted", "Images are encrypted with the stack's key", "Security Hub ECR.5", "medium", REPOSITORY)
def encrypted(resource: Resource, _: Setting) -> Iterator[str]:
    kinds = [one.get("encryptionType") for one in resource.inputs.get("encryptionConfigurations") or []]
    if not kinds or any(kind != "KMS" for kind in kinds):
        yield "it is encrypted with a key of AWS's"


@rule("ecr-policy", "No image registry is public", "Checkov CKV_AWS_32", "critical", POLICY)
def policy(resource: Resource, _: Setting) -> Iterator[str]:
    for one in statements(resource.inputs.get("policy")):
        if one.allows and (one.is_for_anybody or one.is_inverted):
            yield "its policy lets anybody in"
