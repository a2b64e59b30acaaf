"""Buckets: closed, versioned, encrypted, by TLS alone, with an end for what is old, and their readers logged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trivet.governance.rules.base import Graph, Resource, Setting, among_rule, rule, stack_rule
from trivet.governance.rules.documents import Statement, statements

BUCKET = "aws:s3/bucket:Bucket"
CLOSED = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
VERSIONING = "aws:s3/bucketVersioning:BucketVersioning"
ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
POLICY = "aws:s3/bucketPolicy:BucketPolicy"
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
LOGGING = "aws:s3/bucketLogging:BucketLogging"
OWNERSHIP = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
LOCK = "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
ACL = "aws:s3/bucketAcl:BucketAcl"

_FLAGS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
_PUBLIC = ("public-read", "public-read-write", "authenticated-read")
_BESIDE = {
    CLOSED: "nothing keeps the public out of it",
    VERSIONING: "its objects have no versions",
    ENCRYPTION: "nothing says how it is encrypted",
    POLICY: "no policy asks for TLS",
    LIFECYCLE: "nothing of it ever ends",
    OWNERSHIP: "its objects may belong to others",
}


@rule("s3-closed", "No bucket can be opened to the public", "Security Hub S3.8; CIS AWS 7.0 3.1.4", "critical", CLOSED)
def closed(resource: Resource, _: Setting) -> Iterator[str]:
    if off := [flag for flag in _FLAGS if resource.inputs.get(flag) is not True]:
        yield f"{', '.join(off)} is not on"


@rule("s3-acl", "No bucket has a public access list", "Security Hub S3.2, S3.3, S3.12", "critical", BUCKET, ACL)
def acl(resource: Resource, _: Setting) -> Iterator[str]:
    if resource.inputs.get("acl") in _PUBLIC:
        yield f"its access list is {resource.inputs['acl']}"


@rule(
    "s3-policy", "No bucket's policy lets anybody in", "Security Hub S3.2, S3.6; CIS AWS 7.0 2.21", "critical", POLICY
)
def policy(resource: Resource, _: Setting) -> Iterator[str]:
    for one in statements(resource.inputs.get("policy")):
        if one.allows and (one.is_for_anybody or one.is_inverted):
            yield "its policy lets anybody in"


@rule("s3-tls", "Buckets refuse what comes without TLS", "Security Hub S3.5; CIS AWS 7.0 3.1.1", "high", POLICY)
def tls(resource: Resource, _: Setting) -> Iterator[str]:
    if not any(_refuses_plain(one) for one in statements(resource.inputs.get("policy"))):
        yield "its policy does not refuse requests without TLS"


@rule("s3-versioned", "Buckets keep versions", "Security Hub S3.14", "high", VERSIONING)
def versioned(resource: Resource, _: Setting) -> Iterator[str]:
    if (resource.inputs.get("versioningConfiguration") or {}).get("status") != "Enabled":
        yield "versioning is not on"


@among_rule("s3-guarded", "Every bucket has all that guards one", "Security Hub S3.8, S3.14, S3.5, S3.13", "critical",
            BUCKET)  # fmt: skip
def guarded(bucket: Resource, graph: Graph) -> Iterator[str]:
    yield from (wrong for type_, wrong in _BESIDE.items() if not graph.around(bucket, type_, "bucket"))


@among_rule("s3-encrypted", "Buckets are encrypted with the stack's key", "Security Hub S3.17", "high", ENCRYPTION)
def encrypted(resource: Resource, graph: Graph) -> Iterator[str]:
    """Where access logs are delivered S3 takes no key but its own."""
    takes_logs = any(_takes_logs(one, graph) for one in graph.of(BUCKET) if resource.refers_to(one, "bucket"))
    allowed = ("aws:kms", "aws:kms:dsse", *(("AES256",) if takes_logs else ()))
    algorithms = [_algorithm(part) for part in resource.inputs.get("rules") or []]
    if not algorithms or not all(algorithm in allowed for algorithm in algorithms):
        yield f"it is encrypted with {', '.join(map(str, algorithms)) or 'nothing'}"


@among_rule("s3-logged", "Who reads a bucket is logged", "Security Hub S3.9; CIS AWS 7.0 4.4", "medium", BUCKET)
def logged(bucket: Resource, graph: Graph) -> Iterator[str]:
    """But not of the bucket in which the log is, which would fill itself."""
    if not _takes_logs(bucket, graph) and not graph.around(bucket, LOGGING, "bucket"):
        yield "nobody sees who reads it"


@stack_rule("s3-locked", "A regulated stack locks its records", "Security Hub S3.15", "high")
def locked(graph: Graph, setting: Setting) -> Iterator[str]:
    if setting.regulated and graph.of(BUCKET) and not graph.of(LOCK):
        yield "no bucket locks what it holds"


@rule("s3-lock-binds", "Nobody lifts the lock of a regulated stack's records", "Security Hub S3.15", "high", LOCK)
def binding(resource: Resource, setting: Setting) -> Iterator[str]:
    retention = (resource.inputs.get("rule") or {}).get("defaultRetention") or {}
    if setting.regulated and retention.get("mode") != "COMPLIANCE":
        yield "an administrator may lift the lock"


def _takes_logs(bucket: Resource, graph: Graph) -> bool:
    """Whether the log of who reads a bucket is delivered there."""
    return any(one.refers_to(bucket, "targetBucket") for one in graph.of(LOGGING))


def _algorithm(part: Any) -> Any:
    return (part.get("applyServerSideEncryptionByDefault") or {}).get("sseAlgorithm")


def _refuses_plain(one: Statement) -> bool:
    everybody = any(value == "*" for _, value in one.principals)
    everything = any(action in ("*", "s3:*") for action in one.actions)
    return (
        not one.allows
        and not one.is_inverted
        and everybody
        and everything
        and one.conditions == [("bool", "aws:securetransport", ["false"])]
    )
