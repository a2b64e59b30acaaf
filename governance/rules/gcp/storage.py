"""Buckets: closed, versioned, encrypted, with an end for what is old, and their readers logged."""

from __future__ import annotations

from collections.abc import Iterator

from trivet.governance.rules.base import Graph, Resource, Setting, among_rule, rule, stack_rule
from trivet.governance.rules.gcp.identity import strangers

BUCKET = "gcp:storage/bucket:Bucket"
MEMBERS = (
    "gcp:storage/bucketIAMMember:BucketIAMMember",
    "gcp:storage/bucketIAMBinding:BucketIAMBinding",
    "gcp:storage/bucketAccessControl:BucketAccessControl",
    "gcp:storage/defaultObjectAccessControl:DefaultObjectAccessControl",
    "gcp:storage/objectAccessControl:ObjectAccessControl",
)
DATASET = "gcp:bigquery/dataset:Dataset"


@rule("gcs-closed", "No bucket can be opened to the public", "CIS GCP 5.0 5.1", "critical", BUCKET)
def closed(resource: Resource, _: Setting) -> Iterator[str]:
    if resource.inputs.get("publicAccessPrevention") != "enforced":
        yield "nothing keeps the public out of it"


@rule("gcs-uniform", "Buckets have no access lists", "CIS GCP 5.0 5.2", "high", BUCKET)
def uniform(resource: Resource, _: Setting) -> Iterator[str]:
    if resource.inputs.get("uniformBucketLevelAccess") is not True:
        yield "an object may have an access list of its own"


@rule("gcs-members", "No bucket is anybody's", "CIS GCP 5.0 5.1", "critical", *MEMBERS)
def members(resource: Resource, _: Setting) -> Iterator[str]:
    if found := strangers(resource):
        yield f"{found} may do {resource.inputs.get('role')}"


@rule("gcs-versioned", "Buckets keep versions", "Checkov CKV_GCP_78", "high", BUCKET)
def versioned(resource: Resource, _: Setting) -> Iterator[str]:
    """But not one whose objects nobody can write over: Cloud Storage takes no versions beside a retention policy."""
    if not resource.has("retentionPolicy") and (resource.inputs.get("versioning") or {}).get("enabled") is not True:
        yield "its objects have no versions"


@rule("gcs-encrypted", "Buckets are encrypted with the stack's key", "Google, Customer-managed encryption keys", "high",
      BUCKET)  # fmt: skip
def encrypted(resource: Resource, _: Setting) -> Iterator[str]:
    if "defaultKmsKeyName" not in (resource.inputs.get("encryption") or {}):
        yield "its key is Google's"


@rule("gcs-ends", "What is old in a bucket ends", "Google Well-Architected, Cost optimization", "low", BUCKET)
def ends(resource: Resource, _: Setting) -> Iterator[str]:
    if not resource.inputs.get("lifecycleRules"):
        yield "nothing of it ever ends"


@among_rule("gcs-logged", "Who reads a bucket is logged", "Checkov CKV_GCP_62", "medium", BUCKET)
def logged(bucket: Resource, graph: Graph) -> Iterator[str]:
    """But not of the bucket in which the log is, which would fill itself."""
    takes_logs = any(one.refers_to(bucket, "logging") for one in graph.of(BUCKET))
    if not takes_logs and not bucket.inputs.get("logging"):
        yield "nobody sees who reads it"


@stack_rule("gcs-retained", "A regulated stack keeps its records", "CIS GCP 5.0 2.4", "high")
def retained(graph: Graph, setting: Setting) -> Iterator[str]:
    if setting.regulated and graph.of(BUCKET) and not any(one.has("retentionPolicy") for one in graph.of(BUCKET)):
        yield "no bucket keeps what it holds"


@rule("gcs-lock-binds", "Nobody lifts the lock of regulated records in prod", "CIS GCP 5.0 2.4", "high", BUCKET)
def binding(resource: Resource, setting: Setting) -> Iterator[str]:
    policy = resource.inputs.get("retentionPolicy")
    if policy and setting.regulated and setting.environment == "prod" and policy.get("isLocked") is not True:
        yield "an administrator may lift it"


@rule("gbq-encrypted", "Datasets are encrypted with the stack's key", "CIS GCP 5.0 7.3", "high", DATASET)
def dataset(resource: Resource, _: Setting) -> Iterator[str]:
    if "kmsKeyName" not in (resource.inputs.get("defaultEncryptionConfiguration") or {}):
        yield "its key is Google's"
