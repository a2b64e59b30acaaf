"""The data catalogue: where datasets are found by their names, its metadata encrypted."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from trivet.infra.stacks.aws.context import Context
from trivet.infra.stacks.aws.storage import Storage


def create(context: Context, storage: Storage, key: pulumi.Input[str]) -> None:
    """A database of Glue over the store's snapshots, and how what Glue writes is encrypted.

    The account's own setting for the metadata of all catalogues is left alone: it is not this stack's.
    """
    if context.settings.catalog.mode != "create":
        return
    aws.glue.CatalogDatabase(
        "catalog",
        name=context.name("datasets", 255).replace("-", "_"),
        description=f"Snapshots of {context.prefix}",
        location_uri=pulumi.Output.concat("s3://", storage.store.bucket, "/snapshots/"),
        opts=context.options,
    )
    encryption = aws.glue.SecurityConfigurationEncryptionConfigurationArgs
    aws.glue.SecurityConfiguration(
        "catalog-security",
        name=context.name("catalog", 255),
        encryption_configuration=encryption(
            cloudwatch_encryption=aws.glue.SecurityConfigurationEncryptionConfigurationCloudwatchEncryptionArgs(
                cloudwatch_encryption_mode="SSE-KMS", kms_key_arn=key
            ),
            job_bookmarks_encryption=aws.glue.SecurityConfigurationEncryptionConfigurationJobBookmarksEncryptionArgs(
                job_bookmarks_encryption_mode="CSE-KMS", kms_key_arn=key
            ),
            s3_encryption=aws.glue.SecurityConfigurationEncryptionConfigurationS3EncryptionArgs(
                s3_encryption_mode="SSE-KMS", kms_key_arn=key
            ),
        ),
        opts=context.options,
    )
