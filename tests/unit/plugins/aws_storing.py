"""Examples of AWS's types that store, encrypt and permit."""

from __future__ import annotations

import json

from .aws_world import RETAG, TAGS, Examples, policy, trust


def storing(there: dict[str, str]) -> Examples:
    """Of each type; ``there`` is what :func:`aws_world.world` made."""
    everyone = {"Principal": "*"}
    lifecycle = {
        "rules": [
            {
                "rulePriority": 1,
                "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 3},
                "action": {"type": "expire"},
            }
        ]
    }
    kms = {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": there["key"]}}
    return {
        "s3:Bucket": ({"bucket": "made", **TAGS}, RETAG),
        "s3:BucketPublicAccessBlock": ({"bucket": "there", "blockPublicAcls": True}, {"blockPublicAcls": False}),
        "s3:BucketVersioning": (
            {"bucket": "there", "versioningConfiguration": {"status": "Enabled"}},
            {"versioningConfiguration": {"status": "Suspended"}},
        ),
        "s3:BucketServerSideEncryptionConfiguration": (
            {"bucket": "there", "rules": [{**kms, "bucketKeyEnabled": True}]},
            {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]},
        ),
        "s3:BucketLifecycleConfiguration": (
            {
                "bucket": "there",
                "rules": [
                    {
                        "id": "old",
                        "status": "Enabled",
                        "filter": {"prefix": "runs/"},
                        "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
                        "noncurrentVersionExpiration": {"noncurrentDays": 30},
                    }
                ],
            },
            {"rules": [{"id": "old", "status": "Disabled", "filter": {"prefix": "x/"}, "expiration": {"days": 9}}]},
        ),
        "s3:BucketPolicy": (
            {"bucket": "there", "policy": policy(**everyone)},
            {"policy": policy("s3:PutObject", **everyone)},
        ),
        "s3:BucketLogging": (
            {"bucket": "there", "targetBucket": "logs", "targetPrefix": "a/"},
            {"targetPrefix": "b/"},
        ),
        "s3:BucketOwnershipControls": (
            {"bucket": "there", "rule": {"objectOwnership": "BucketOwnerEnforced"}},
            {"rule": {"objectOwnership": "BucketOwnerPreferred"}},
        ),
        "s3:BucketObjectLockConfiguration": (
            {"bucket": "locked", "rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": 3}}},
            {"rule": {"defaultRetention": {"mode": "COMPLIANCE", "days": 4}}},
        ),
        "kms:Key": (
            {
                "description": "a",
                "enableKeyRotation": True,
                "rotationPeriodInDays": 90,
                "policy": policy("kms:*", **everyone),
                **TAGS,
            },
            {"description": "b", "enableKeyRotation": False, **RETAG},
        ),
        "kms:Alias": ({"name": "alias/made", "targetKeyId": there["key"].split("/")[1]}, {}),
        "secretsmanager:Secret": ({"name": "made", "description": "a", **TAGS}, {"description": "b", **RETAG}),
        "secretsmanager:SecretVersion": ({"secretId": there["secret"], "secretString": "hush"}, {}),
        "ssm:Parameter": ({"name": "/made", "type": "String", "value": "a", **TAGS}, {"value": "b", **RETAG}),
        "ecr:Repository": (
            {
                "name": "made/here",
                "imageTagMutability": "IMMUTABLE",
                "imageScanningConfiguration": {"scanOnPush": True},
                "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": there["key"]}],
                **TAGS,
            },
            {"imageTagMutability": "MUTABLE", "imageScanningConfiguration": {"scanOnPush": False}, **RETAG},
        ),
        "ecr:LifecyclePolicy": (
            {"repository": "there", "policy": json.dumps(lifecycle)},
            {"policy": json.dumps(lifecycle).replace("3", "4")},
        ),
        "ecr:RepositoryPolicy": (
            {"repository": "there", "policy": policy("ecr:BatchGetImage", **everyone)},
            {"policy": policy("ecr:*", **everyone)},
        ),
        "iam:Role": (
            {
                "name": "made",
                "assumeRolePolicy": trust("sagemaker"),
                "description": "a",
                "maxSessionDuration": 3600,
                "permissionsBoundary": there["policy"],
                **TAGS,
            },
            {"description": "b", "maxSessionDuration": 7200, "assumeRolePolicy": trust("scheduler"), **RETAG},
        ),
        "iam:Policy": ({"name": "made", "policy": policy(), **TAGS}, {"policy": policy("s3:PutObject"), **RETAG}),
        "iam:RolePolicyAttachment": ({"role": "there", "policyArn": there["policy"]}, {}),
        "iam:RolePolicy": ({"role": "there", "name": "made", "policy": policy()}, {"policy": policy("s3:PutObject")}),
        "iam:OpenIdConnectProvider": (
            {"url": "https://token.actions.githubusercontent.com", "clientIdLists": ["sts.amazonaws.com"], **TAGS},
            RETAG,
        ),
        "iam:ServiceLinkedRole": (
            {"awsServiceName": "sagemaker.amazonaws.com", "description": "a"},
            {"description": "b"},
        ),
    }
