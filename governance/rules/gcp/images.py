"""Images: tags that never move, every image scanned, and for nobody but those who are named."""

from __future__ import annotations

from collections.abc import Iterator

from trivet.governance.rules.base import Resource, Setting, rule
from trivet.governance.rules.gcp.identity import strangers

REPOSITORY = "gcp:artifactregistry/repository:Repository"
MEMBERS = (
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember",
    "gcp:artifactregistry/repositoryIamBinding:RepositoryIamBinding",
)


@rule("gar-immutable", "Tags of images do not move", "Google, Artifact Registry, immutable tags", "high", REPOSITORY)
def immutable(resource: Resource, _: Setting) -> Iterator[str]:
    if (resource.inputs.get("dockerConfig") or {}).get("immutableTags") is not True:
        yield "its tags may move"


@rule("gar-encrypted", "Images are encrypted with the stack's key", "Checkov CKV_GCP_84", "medium", REPOSITORY)
def encrypted(resource: Resource, _: Setting) -> Iterator[str]:
    if not resource.has("kmsKeyName"):
        yield "its key is Google's"


@rule("gar-scanned", "Images are scanned", "Google, Artifact Analysis", "high", REPOSITORY)
def scanned(resource: Resource, _: Setting) -> Iterator[str]:
    if (resource.inputs.get("vulnerabilityScanningConfig") or {}).get("enablementConfig") == "DISABLED":
        yield "nobody scans its images"


@rule("gar-members", "No image is anybody's", "Checkov CKV_GCP_101", "critical", *MEMBERS)
def members(resource: Resource, _: Setting) -> Iterator[str]:
    if found := strangers(resource):
        yield f"{found} may pull it"
