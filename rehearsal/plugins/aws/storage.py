"""Keys, buckets, secrets and images of AWS."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from trivet.infra.engine.values import Properties
from trivet.rehearsal.plugins.aws.account import AwsAccount
from trivet.rehearsal.plugins.aws.moto import Moto
from trivet.rehearsal.plugins.aws.tagging import Tagging


@dataclass(frozen=True)
class Bucket(Moto):
    """A bucket. What the provider calls deprecated, settings inside it, is kept in the strict store."""

    def begin(self, account: AwsAccount, inputs: Properties, *, resumed: bool) -> str:
        """See :class:`Moto`; outside of us-east-1 the region must be said twice."""
        region = self.bag(account, inputs)["region"]
        if region != "us-east-1":
            where = {"CreateBucketConfiguration": f"{{LocationConstraint: '{region}'}}"}
            return Moto.begin(replace(self, fixed_members=where), account, inputs, resumed=resumed)
        return super().begin(account, inputs, resumed=resumed)

    def undo(self, account: AwsAccount, bag: Properties) -> None:
        """See :class:`Moto`."""
        if bag.get("forceDestroy"):
            client = account.clients.client("s3", bag.get("region", ""))
            for page in client.get_paginator("list_object_versions").paginate(Bucket=bag["id"]):
                for one in page.get("Versions", []) + page.get("DeleteMarkers", []):
                    client.delete_object(Bucket=bag["id"], Key=one["Key"], VersionId=one["VersionId"])
        super().undo(account, bag)

    def live(self, account: AwsAccount, identity: str, inputs: Properties) -> Properties | None:
        """See :class:`Moto`; its head says nothing but that it is there."""
        found = super().live(account, identity, inputs)
        return None if found is None else {**found, "Bucket": identity}

    def tag(self, account: AwsAccount, bag: Properties) -> None:
        """See :class:`Moto`; a bucket's tags are put whole."""
        tags = [{"Key": name, "Value": value} for name, value in bag["tags"].items()]
        operation = "PutBucketTagging" if tags else "DeleteBucketTagging"
        members = {"Bucket": bag["id"], **({"Tagging": {"TagSet": tags}} if tags else {})}
        account.clients.call("s3", operation, members, bag.get("region", ""))


@dataclass(frozen=True)
class Setting(Moto):
    """A setting of a bucket, which is put and read whole and has the bucket's name as its id."""

    def undo(self, account: AwsAccount, bag: Properties) -> None:
        """See :class:`Moto`; what cannot be deleted is put back to nothing."""
        if self.remove:
            super().undo(account, bag)
        elif self.nothing is not None:
            account.clients.call("s3", self.make, {"Bucket": bag["bucket"], **self.nothing}, bag.get("region", ""))

    nothing: Properties | None = None


def _setting(name: str, what: str, wrap: str = "", at: str = "@", *, owned: bool = True, **more: object) -> Setting:
    """Declare a setting by the end of its operations' names.

    :param owned: whether the program may say whose the bucket must be.
    """
    defaults: dict[str, object] = {
        "token": f"aws:s3/bucket{name}:Bucket{name}",
        "service": "s3",
        "make": f"PutBucket{what}",
        "change": (f"PutBucket{what}",),
        "get": f"GetBucket{what}",
        "at": at,
        "remove": f"DeleteBucket{what}",
        "wrap": wrap,
        "identity": "bucket",
        "keys": {"Bucket": "bucket"},
        "fixed_members": {"Bucket": "bucket"},
        "fixed": "bucket expectedBucketOwner" if owned else "bucket",
    }
    return Setting(**{**defaults, **more})  # pyright: ignore[reportArgumentType] the fields of Setting


@dataclass(frozen=True)
class Key(Moto):
    """A KMS key. Deleting it schedules that, as in AWS; from then on it counts as gone."""

    def settle(self, account: AwsAccount, identity: str, inputs: Properties, changed: Any) -> None:
        """See :class:`Moto`."""
        super().settle(account, identity, inputs, changed)
        turns = inputs.get("enableKeyRotation")
        if {"enableKeyRotation", "rotationPeriodInDays"} & set(changed) and turns is not None:
            operation = "EnableKeyRotation" if turns else "DisableKeyRotation"
            period = {"RotationPeriodInDays": "rotationPeriodInDays"}
            self.call(account, operation, {**self.bag(account, inputs), "id": identity}, {**self.keys, **period})

    def modelled(self, account: AwsAccount) -> set[str]:
        """See :class:`Moto`."""
        return super().modelled(account) | {"enableKeyRotation", "rotationPeriodInDays"}

    def live(self, account: AwsAccount, identity: str, inputs: Properties) -> Properties | None:
        """See :class:`Moto`."""
        found = super().live(account, identity, inputs)
        return None if found is None or found.get("KeyState") == "PendingDeletion" else found


@dataclass(frozen=True)
class Alias(Moto):
    """A KMS alias; its name begins with ``alias/``."""

    def choose_name(self, name: str, separator: str, end: str) -> str:
        """See :class:`Kind`."""
        return f"alias/{super().choose_name(name, separator, end)}"


KINDS = [
    Bucket(
        token="aws:s3/bucket:Bucket",
        named="bucket",
        fixed="bucketPrefix objectLockEnabled",
        changeable="bucketNamespace",
        service="s3",
        make="CreateBucket",
        get="HeadBucket",
        remove="DeleteBucket",
        identity="bucket",
        keys={"Bucket": "id"},
        names={"objectLockEnabled": "ObjectLockEnabledForBucket"},
        unread="acl bucketNamespace objectLockEnabled",
        tagging=Tagging("PutBucketTagging", "DeleteBucketTagging", "GetBucketTagging", {"Bucket": "id"}),
        outputs={
            "arn": "arn:aws:s3:::{id}",
            "bucketDomainName": "{id}.s3.amazonaws.com",
            "bucketRegionalDomainName": "{id}.s3.{region}.amazonaws.com",
            "bucketRegion": "{region}",
        },
    ),
    _setting(
        "PublicAccessBlock",
        "PublicAccessBlock",
        "PublicAccessBlockConfiguration",
        "PublicAccessBlockConfiguration",
        owned=False,
        make="PutPublicAccessBlock",
        change=("PutPublicAccessBlock",),
        get="GetPublicAccessBlock",
        remove="DeletePublicAccessBlock",
    ),
    _setting(
        "Versioning",
        "Versioning",
        at="Status && {VersioningConfiguration: @}",
        remove="",
        nothing={"VersioningConfiguration": {"Status": "Suspended"}},
        stays=True,
    ),
    _setting(
        "ServerSideEncryptionConfiguration",
        "Encryption",
        "ServerSideEncryptionConfiguration",
        "ServerSideEncryptionConfiguration",
    ),
    _setting(
        "LifecycleConfiguration", "LifecycleConfiguration", "LifecycleConfiguration", remove="DeleteBucketLifecycle"
    ),
    _setting("Policy", "Policy", owned=False),
    _setting(
        "Logging",
        "Logging",
        "BucketLoggingStatus.LoggingEnabled",
        "LoggingEnabled",
        remove="",
        nothing={"BucketLoggingStatus": {}},
    ),
    _setting("OwnershipControls", "OwnershipControls", "OwnershipControls", "OwnershipControls", owned=False),
    _setting(
        "ObjectLockConfiguration",
        "",
        "ObjectLockConfiguration",
        "ObjectLockConfiguration",
        make="PutObjectLockConfiguration",
        change=("PutObjectLockConfiguration",),
        get="GetObjectLockConfiguration",
        remove="",
        nothing={"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}},
        defaults={"objectLockEnabled": "Enabled"},
        stays=True,
    ),
    Key(
        token="aws:kms/key:Key",
        service="kms",
        fixed="customerMasterKeySpec keyUsage customKeyStoreId multiRegion xksKeyId",
        make="CreateKey",
        get="DescribeKey",
        at="KeyMetadata",
        also={
            "GetKeyRotationStatus": "{enableKeyRotation: KeyRotationEnabled}",
            "GetKeyPolicy": "{Policy: Policy}",
        },
        change=("UpdateKeyDescription", "PutKeyPolicy"),
        remove="ScheduleKeyDeletion",
        identity="made.KeyMetadata.KeyId",
        keys={"KeyId": "id", "PendingWindowInDays": "deletionWindowInDays", "PolicyName": "'default'"},
        names={"customerMasterKeySpec": "KeySpec", "isEnabled": "Enabled"},
        unread="rotationPeriodInDays",
        tagging=Tagging("TagResource", "UntagResource", "ListResourceTags", {"KeyId": "id"}),
    ),
    Alias(
        token="aws:kms/alias:Alias",
        named="name",
        service="kms",
        fixed="namePrefix",
        make="CreateAlias",
        get="ListAliases",
        at="Aliases[?AliasName=='%(id)s'] | [0]",
        change=("UpdateAlias",),
        remove="DeleteAlias",
        identity="name",
        keys={"AliasName": "id"},
        names={"name": "AliasName", "arn": "AliasArn"},
        outputs={"targetKeyArn": "arn:aws:kms:{region}:{account}:key/{targetKeyId}"},
    ),
    Moto(
        token="aws:secretsmanager/secret:Secret",
        named="name",
        fixed="namePrefix",
        service="secretsmanager",
        make="CreateSecret",
        get="DescribeSecret",
        at="!DeletedDate && @",
        change=("UpdateSecret",),
        remove="DeleteSecret",
        identity="made.ARN",
        keys={
            "SecretId": "id",
            "ForceDeleteWithoutRecovery": "recoveryWindowInDays == `0` || `null`",
            "RecoveryWindowInDays": "recoveryWindowInDays != `0` && recoveryWindowInDays || `null`",
        },
        tagging=Tagging("TagResource", "UntagResource", "", {"SecretId": "id"}),
    ),
    Moto(
        token="aws:secretsmanager/secretVersion:SecretVersion",
        fixed="secretId secretString secretBinary",
        service="secretsmanager",
        make="PutSecretValue",
        get="GetSecretValue",
        identity="join('|', [secretId, made.VersionId])",
        parts={"secretId": "head(id, '|')", "versionId": "tail(id, '|')"},
        keys={"SecretId": "secretId", "VersionId": "versionId"},
        names={"arn": "ARN"},
        stays=True,
        fixed_members={"SecretId": "secretId"},
        outputs={"secretArn": "{secretId}"},
    ),
    Moto(
        token="aws:ssm/parameter:Parameter",
        named="name",
        fixed="dataType",
        changeable="type",
        service="ssm",
        make="PutParameter",
        get="GetParameter",
        at="Parameter",
        change=("PutParameter",),
        remove="DeleteParameter",
        identity="name",
        keys={"Name": "id", "WithDecryption": "`true`", "Overwrite": "`true`"},
        tagging=Tagging(
            "AddTagsToResource",
            "RemoveTagsFromResource",
            "ListTagsForResource",
            {"ResourceType": "'Parameter'", "ResourceId": "id"},
        ),
    ),
    Moto(
        token="aws:ecr/repository:Repository",
        named="name",
        service="ecr",
        make="CreateRepository",
        get="DescribeRepositories",
        at="repositories[0]",
        change=("PutImageTagMutability", "PutImageScanningConfiguration"),
        remove="DeleteRepository",
        identity="name",
        keys={"repositoryName": "id", "repositoryNames": "[id]", "force": "forceDelete"},
        names={"name": "repositoryName", "arn": "repositoryArn", "repositoryUrl": "repositoryUri"},
        tagging=Tagging("TagResource", "UntagResource", "ListTagsForResource", {"resourceArn": "arn"}),
    ),
    Moto(
        token="aws:ecr/lifecyclePolicy:LifecyclePolicy",
        fixed="repository",
        service="ecr",
        make="PutLifecyclePolicy",
        get="GetLifecyclePolicy",
        change=("PutLifecyclePolicy",),
        remove="DeleteLifecyclePolicy",
        identity="repository",
        keys={"repositoryName": "id"},
        names={"repository": "repositoryName", "policy": "lifecyclePolicyText"},
    ),
    Moto(
        token="aws:ecr/repositoryPolicy:RepositoryPolicy",
        fixed="repository",
        service="ecr",
        make="SetRepositoryPolicy",
        get="GetRepositoryPolicy",
        change=("SetRepositoryPolicy",),
        remove="DeleteRepositoryPolicy",
        identity="repository",
        keys={"repositoryName": "id"},
        names={"repository": "repositoryName", "policy": "policyText"},
    ),
]
