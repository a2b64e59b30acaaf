"""Buckets: what is trained on, what comes of it, what was decided, and who looked at all that."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from trivet.infra.stacks.gcp.context import Context
from trivet.infra.stacks.gcp.keys import Keys

STORE, RECORDS, LOGS = "store", "records", "logs"
_ABORT_DAYS = 7
_SOFT_S = 7 * 24 * 3600  # the least that Cloud Storage takes but none
_RECORD_S = 3653 * 24 * 3600
_DELIVERS = "group:cloud-storage-analytics@google.com"
"""As whom Cloud Storage delivers access logs: "Usage logs & storage logs", its documentation."""


@dataclass(frozen=True)
class Storage:
    """The buckets."""

    store: gcp.storage.Bucket
    records: gcp.storage.Bucket
    logs: gcp.storage.Bucket


def create(context: Context, keys: Keys) -> Storage:
    """Make the buckets: versioned or retained, encrypted with our key, closed to the world, their readers logged."""
    logs = _bucket(context, keys, LOGS)
    delivery = gcp.storage.BucketIAMMember(
        "logs-delivery",
        bucket=logs.name,
        role="roles/storage.objectCreator",
        member=_DELIVERS,
        opts=context.under(logs).options,
    )
    logged = (logs, delivery)
    # Records of decisions may not be changed after the fact where somebody has to answer for them.
    return Storage(
        store=_bucket(context, keys, STORE, logged),
        records=_bucket(context, keys, RECORDS, logged, retained=context.settings.regulated),
        logs=logs,
    )


def _bucket(
    context: Context,
    keys: Keys,
    what: str,
    logged: tuple[gcp.storage.Bucket, pulumi.Resource] | None = None,
    *,
    retained: bool = False,
) -> gcp.storage.Bucket:
    """A bucket with everything that guards it.

    :param logged: where its readers are noted, and what lets that be written.
    :param retained: whether nobody can delete an object before its time; in ``prod`` that cannot be undone. Cloud
        Storage takes no versions beside that, and needs none: nothing can be written over either.
    """
    settings = context.settings
    options = keys.holding(context, "storage")
    if logged:
        options = pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=[logged[1]]))
    return gcp.storage.Bucket(
        what,
        name=context.unique(what),
        location=context.region.upper(),
        uniform_bucket_level_access=True,
        public_access_prevention="enforced",
        versioning=gcp.storage.BucketVersioningArgs(enabled=not retained),
        encryption=gcp.storage.BucketEncryptionArgs(default_kms_key_name=keys.data),
        soft_delete_policy=gcp.storage.BucketSoftDeletePolicyArgs(retention_duration_seconds=_SOFT_S),
        logging=(
            gcp.storage.BucketLoggingArgs(log_bucket=logged[0].name, log_object_prefix=f"access/{what}")
            if logged
            else None
        ),
        retention_policy=(
            gcp.storage.BucketRetentionPolicyArgs(
                retention_period=str(_RECORD_S), is_locked=settings.environment == "prod"
            )
            if retained
            else None
        ),
        lifecycle_rules=_lifecycle(context, what),
        force_destroy=not context.profile.protects,
        opts=context.keeping(options, keeps=retained),
    )


def _lifecycle(context: Context, what: str) -> list[gcp.storage.BucketLifecycleRuleArgs]:
    condition = gcp.storage.BucketLifecycleRuleConditionArgs
    rules = [
        _rule("AbortIncompleteMultipartUpload", condition(age=_ABORT_DAYS)),
        _rule("Delete", condition(days_since_noncurrent_time=context.profile.noncurrent_days)),
    ]
    if what == LOGS:
        rules.append(_rule("Delete", condition(age=context.profile.log_days)))
    return rules


def _rule(action: str, condition: gcp.storage.BucketLifecycleRuleConditionArgs) -> gcp.storage.BucketLifecycleRuleArgs:
    return gcp.storage.BucketLifecycleRuleArgs(
        action=gcp.storage.BucketLifecycleRuleActionArgs(type=action), condition=condition
    )
