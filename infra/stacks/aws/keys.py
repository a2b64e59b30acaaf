"""The key with which everything of the stack is encrypted, and the one with which it signs model packages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from trivet.infra.stacks.aws.context import EVENTS, Context, document
from trivet.infra.stacks.context import is_needed_later

IDS = ("arn",)
"""What names a key that is used."""
_ROTATION_DAYS = 90


@dataclass(frozen=True)
class Keys:
    """ARNs of keys; of the one that signs also the public half, PEM."""

    data: pulumi.Input[str]
    signing: pulumi.Input[str]
    signing_public: pulumi.Input[str]


def create(context: Context) -> Keys:
    """Make both keys; the one for data is used where one is there."""
    settings = context.settings.key
    if settings.mode == "use":
        data: pulumi.Input[str] = settings.ids(*IDS)["arn"]
    else:
        data = _data_key(context).arn
    signing = aws.kms.Key(
        "signing-key",
        description=f"Signs the model packages of {context.prefix}",
        key_usage="SIGN_VERIFY",
        customer_master_key_spec="ECC_NIST_P256",
        deletion_window_in_days=context.profile.key_window_days,
        policy=document(_administration(context)),
        opts=context.holding(),
    )
    aws.kms.Alias(
        "signing-alias", name=f"alias/{context.name('signing')}", target_key_id=signing.key_id, opts=context.options
    )
    public = aws.kms.get_public_key_output(key_id=signing.key_id, opts=context.asking(signing))
    return Keys(data, signing.arn, public.public_key_pem)


def _data_key(context: Context) -> aws.kms.Key:
    key = aws.kms.Key(
        "data-key",
        description=f"Encrypts what {context.prefix} stores",
        enable_key_rotation=True,
        rotation_period_in_days=_ROTATION_DAYS,
        deletion_window_in_days=context.profile.key_window_days,
        policy=document(_administration(context), _services(context), _events(), _logs(context)),
        opts=context.keeping(context.holding(), keeps=is_needed_later(context)),
    )
    aws.kms.Alias("data-alias", name=f"alias/{context.name('data')}", target_key_id=key.key_id, opts=context.options)
    return key


def _administration(context: Context) -> dict[str, Any]:
    """Without it nobody could change the key's policy again; what identities may do, their own policies say."""
    return {
        "Sid": "Account",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{context.partition}:iam::{context.account}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }


def _services(context: Context) -> dict[str, Any]:
    """Services that write for the account under their own name."""
    services = ("cloudtrail", "cloudwatch", "sns", "delivery.logs", "budgets")
    return {
        "Sid": "Services",
        "Effect": "Allow",
        "Principal": {"Service": [f"{name}.amazonaws.com" for name in services]},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*", "kms:DescribeKey"],
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceAccount": context.account}},
    }


def _events() -> dict[str, Any]:
    """EventBridge, which publishes to the encrypted topic, and by itself: under a condition it would fail unheard.

    Source: SNS Developer Guide, "Key management": adding aws:SourceAccount, aws:SourceArn and aws:SourceOrgID to a
    policy of KMS is not supported for EventBridge-to-encrypted topics.
    """
    return {
        "Sid": "Events",
        "Effect": "Allow",
        "Principal": {"Service": EVENTS},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": "*",
    }


def _logs(context: Context) -> dict[str, Any]:
    """CloudWatch Logs names itself by region, and what it encrypts for by the log group."""
    return {
        "Sid": "Logs",
        "Effect": "Allow",
        "Principal": {"Service": f"logs.{context.region}.amazonaws.com"},
        "Action": ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
        "Resource": "*",
        "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": context.arn("logs", "log-group:*")}},
    }
