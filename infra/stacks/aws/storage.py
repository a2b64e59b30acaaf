"""Buckets: what is trained on, what comes of it, what was decided, and who looked at all that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pulumi
import pulumi_aws as aws

from trivet.infra.stacks.aws.context import Context, documented

STORE, RECORDS, LOGS = "store", "records", "logs"
_ABORT_DAYS = 7
_RECORD_YEARS_DAYS = 3653


@dataclass(frozen=True)
class Storage:
    """The buckets."""

    store: aws.s3.Bucket
    records: aws.s3.Bucket
    logs: aws.s3.Bucket
    allows: aws.s3.BucketPolicy
    """Lets services write into ``logs``: whatever has them do so comes after it."""


def create(context: Context, key: pulumi.Input[str]) -> Storage:
    """Make the buckets: versioned, encrypted with the stack's key, closed to the world, their readers logged."""
    logs, allows = _bucket(context, LOGS, None, statements=_log_writers)
    store, _ = _bucket(context, STORE, key)
    # Records of decisions may not be changed after the fact where somebody has to answer for them.
    records, _ = _bucket(context, RECORDS, key, locked=context.settings.regulated)
    for name, bucket in ((STORE, store), (RECORDS, records)):
        aws.s3.BucketLogging(
            f"{name}-access",
            bucket=bucket.bucket,
            target_bucket=logs.bucket,
            target_prefix=f"access/{name}/",
            opts=context.after(allows),
        )
    return Storage(store, records, logs, allows)


def _bucket(
    context: Context, what: str, key: pulumi.Input[str] | None, *, locked: bool = False, statements: Any = None
) -> tuple[aws.s3.Bucket, aws.s3.BucketPolicy]:
    """A bucket with everything that guards it. Without a key it is encrypted with AWS's own, as the delivery of access
    logs asks for."""
    bucket = aws.s3.Bucket(
        what,
        bucket=context.unique(what),
        object_lock_enabled=locked,
        force_destroy=not context.profile.protects,
        # Nobody can delete what is locked before its time, so that the bucket stays, and so does what guards it.
        opts=context.keeping(context.holding(), keeps=locked),
    )
    inside = context.under(bucket)
    inside = replace(inside, options=context.keeping(inside.options, keeps=locked))
    closed = aws.s3.BucketPublicAccessBlock(
        f"{what}-closed",
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=inside.options,
    )
    aws.s3.BucketOwnershipControls(
        f"{what}-owner",
        bucket=bucket.bucket,
        rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
        opts=inside.options,
    )
    versioning = aws.s3.BucketVersioning(
        f"{what}-versions",
        bucket=bucket.bucket,
        versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
        opts=inside.options,
    )
    aws.s3.BucketServerSideEncryptionConfiguration(
        f"{what}-encryption", bucket=bucket.bucket, rules=[_encryption(key)], opts=inside.options
    )
    policy = aws.s3.BucketPolicy(
        f"{what}-policy",
        bucket=bucket.bucket,
        policy=documented(
            bucket.arn.apply(lambda arn: [*_secure(arn), *(statements(context, arn) if statements else [])])
        ),
        opts=inside.after(closed),
    )
    _lifecycle(inside, what, bucket, versioning)
    # What happens in a bucket can start something, or be watched, without another change of the bucket.
    aws.s3.BucketNotification(f"{what}-events", bucket=bucket.bucket, eventbridge=True, opts=inside.options)
    if locked:
        aws.s3.BucketObjectLockConfiguration(
            f"{what}-lock",
            bucket=bucket.bucket,
            rule=aws.s3.BucketObjectLockConfigurationRuleArgs(
                default_retention=aws.s3.BucketObjectLockConfigurationRuleDefaultRetentionArgs(
                    mode="COMPLIANCE", days=_RECORD_YEARS_DAYS
                )
            ),
            opts=inside.after(versioning),
        )
    return bucket, policy


def _encryption(key: pulumi.Input[str] | None) -> aws.s3.BucketServerSideEncryptionConfigurationRuleArgs:
    default = aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs
    return aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
        apply_server_side_encryption_by_default=(
            default(sse_algorithm="aws:kms", kms_master_key_id=key) if key else default(sse_algorithm="AES256")
        ),
        bucket_key_enabled=key is not None,
    )


def _lifecycle(context: Context, what: str, bucket: aws.s3.Bucket, versioning: aws.s3.BucketVersioning) -> None:
    rule = aws.s3.BucketLifecycleConfigurationRuleArgs(
        id="tidy",
        status="Enabled",
        filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
        abort_incomplete_multipart_upload=(
            aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(days_after_initiation=_ABORT_DAYS)
        ),
        noncurrent_version_expiration=aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
            noncurrent_days=context.profile.noncurrent_days
        ),
        expiration=(
            aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=context.profile.log_days)
            if what == LOGS
            else None
        ),
    )
    aws.s3.BucketLifecycleConfiguration(
        f"{what}-lifecycle", bucket=bucket.bucket, rules=[rule], opts=context.after(versioning)
    )


def _secure(arn: str) -> list[dict[str, Any]]:
    """Nothing without TLS, and nothing with an old one."""
    both = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "s3:*", "Resource": [arn, f"{arn}/*"]}
    return [
        {"Sid": "Plain", **both, "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {"Sid": "OldTls", **both, "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}},
    ]


def _log_writers(context: Context, arn: str) -> list[dict[str, Any]]:
    """The services that write what they saw."""
    own = {"StringEquals": {"aws:SourceAccount": context.account}}

    def may(sid: str, service: str, action: str, resource: str) -> dict[str, Any]:
        principal = {"Service": f"{service}.amazonaws.com"}
        return {
            "Sid": sid, "Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource,
            "Condition": own,
        }  # fmt: skip

    return [
        may("StoreAccess", "logging.s3", "s3:PutObject", f"{arn}/access/{STORE}/*"),
        may("RecordsAccess", "logging.s3", "s3:PutObject", f"{arn}/access/{RECORDS}/*"),
        may("TrailCheck", "cloudtrail", "s3:GetBucketAcl", arn),
        may("Trail", "cloudtrail", "s3:PutObject", f"{arn}/trail/AWSLogs/{context.account}/*"),
        may("FlowCheck", "delivery.logs", "s3:GetBucketAcl", arn),
        may("Flow", "delivery.logs", "s3:PutObject", f"{arn}/AWSLogs/{context.account}/vpcflowlogs/*"),
    ]
