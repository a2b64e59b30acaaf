"""The same for the stack on Google Cloud."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .graphs import Stack
from .mutating import Mutation, adding, setting, without

PROJECT_MEMBER = "gcp:projects/iAMMember:IAMMember"


def within(type_: str, name: str, path: str, value: Any) -> Callable[[Stack], object]:
    """Give what lies deeper in a resource's inputs another value; ``None`` leaves it out."""

    def seed(stack: Stack) -> None:
        inner: Any = stack.find(type_, name)
        *parts, last = path.split(".")
        for part in parts:
            inner = inner[int(part) if part.isdigit() else part]
        if value is None:
            del inner[last]
        else:
            inner[last] = value

    return seed


def flag(name: str, value: str) -> Callable[[Stack], object]:
    def seed(stack: Stack) -> None:
        for one in stack.find("DatabaseInstance", "database")["settings"]["databaseFlags"]:
            if one["name"] == name:
                one["value"] = value

    return seed


def unlabelled(stack: Stack) -> None:
    inputs = stack.find("gcp", "gcp")
    inputs["defaultLabels"] = inputs["defaultLabels"].replace('"owner"', '"other"')


def faults(profile: str, *said: tuple[str, Callable[[Stack], object]]) -> list[Mutation]:
    return [Mutation(f"{name}, on Google Cloud", seed, f"gcp-{profile}") for name, seed in said]


OF_GCP = faults(
    "prod",
    ("a bucket that may be opened", setting("Bucket", "store", publicAccessPrevention="inherited")),
    ("a bucket with access lists", setting("Bucket", "records", uniformBucketLevelAccess=False)),
    ("a bucket that anybody may read", setting("BucketIAMMember", "logs-delivery", member="allUsers")),
    (
        "a bucket that a binding gives everybody",
        adding(
            "gcp:storage/bucketIAMBinding:BucketIAMBinding",
            "open",
            bucket="b",
            role="roles/storage.objectViewer",
            members=["serviceAccount:a@b.iam.gserviceaccount.com", "allUsers"],
        ),
    ),
    (
        "objects that an access list gives everybody",
        adding(
            "gcp:storage/defaultObjectAccessControl:DefaultObjectAccessControl",
            "open",
            bucket="b",
            role="READER",
            entity="allUsers",
        ),
    ),
    (
        "a project that a binding gives away",
        adding(
            "gcp:projects/iAMBinding:IAMBinding",
            "open",
            project="lending-models",
            role="roles/owner",
            members=["allUsers"],
        ),
    ),
    (
        "a key that a binding gives everybody",
        adding(
            "gcp:kms/cryptoKeyIAMBinding:CryptoKeyIAMBinding",
            "open",
            cryptoKeyId="k",
            role="roles/cloudkms.cryptoKeyDecrypter",
            members=["allAuthenticatedUsers"],
        ),
    ),
    (
        "a ring of keys for anybody",
        adding(
            "gcp:kms/keyRingIAMMember:KeyRingIAMMember",
            "open",
            keyRingId="r",
            role="roles/cloudkms.cryptoKeyDecrypter",
            member="allUsers",
        ),
    ),
    (
        "a role that signs as others",
        setting("IAMCustomRole", "role-runner", permissions=["iam.serviceAccounts.signJwt"]),
    ),
    (
        "a role that others delegate to",
        setting("IAMCustomRole", "role-runner", permissions=["iam.serviceAccounts.implicitDelegation"]),
    ),
    (
        "a role that may open buckets",
        setting("IAMCustomRole", "role-runner", permissions=["storage.buckets.setIamPolicy"]),
    ),
    (
        "a machine with a public address",
        adding(
            "gcp:compute/instance:Instance", "look", machineType="e2-small", networkInterfaces=[{"accessConfigs": [{}]}]
        ),
    ),
    (
        "a firewall open to a part of the internet",
        adding(
            "gcp:compute/firewall:Firewall",
            "part",
            network="network",
            direction="EGRESS",
            destinationRanges=["8.0.0.0/8"],
            allows=[{"protocol": "tcp"}],
            logConfig={"metadata": "INCLUDE_ALL_METADATA"},
        ),
    ),
    ("a bucket without versions", setting("Bucket", "store", versioning={"enabled": False})),
    ("a bucket with a key of Google's", setting("Bucket", "records", encryption=None)),
    ("a bucket whose readers nobody sees", setting("Bucket", "records", logging=None)),
    ("a bucket that never ends", setting("Bucket", "store", lifecycleRules=None)),
    ("a key that is not rotated", setting("CryptoKey", "trivet-prod-data", rotationPeriod=None)),
    ("a key that is rotated once a year", setting("CryptoKey", "trivet-prod-data", rotationPeriod="31536000s")),
    ("a key that is gone after a day", setting("CryptoKey", "trivet-prod-data", destroyScheduledDuration="86400s")),
    (
        "a key that lies in no hardware",
        within("CryptoKey", "trivet-prod-data", "versionTemplate.protectionLevel", "SOFTWARE"),
    ),
    ("a key for anybody", setting("CryptoKeyIAMMember", "key-storage", member="allAuthenticatedUsers")),
    ("an account that owns the project", setting("IAMMember", "trainer-worker", role="roles/owner")),
    (
        "an account that acts as every other",
        adding(
            PROJECT_MEMBER,
            "acting",
            project="lending-models",
            role="roles/iam.serviceAccountUser",
            member="serviceAccount:trivet-prod-workflow@lending-models.iam.gserviceaccount.com",
        ),
    ),
    ("a right for anybody", setting("IAMMember", "deployer-watcher", member="allUsers")),
    (
        "a role that may give roles",
        setting("IAMCustomRole", "role-runner", permissions=["resourcemanager.projects.setIamPolicy"]),
    ),
    (
        "an account for every branch of every repository",
        setting("WorkloadIdentityPoolProvider", "github", attributeCondition="assertion.repository_owner == 'acme'"),
    ),
    ("an account for anybody at GitHub", setting("WorkloadIdentityPoolProvider", "github", attributeCondition=None)),
    (
        "an account that a whole pool becomes",
        setting(
            "IAMMember",
            "deployer-from-github",
            member="principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/gh/*",
        ),
    ),
    (
        "an account with a key that can be copied",
        adding("gcp:serviceaccount/key:Key", "copied", serviceAccountId="trivet-prod-trainer"),
    ),
    ("a network as Google makes it", setting("Network", "network", autoCreateSubnetworks=True)),
    ("a network with a route to the internet", setting("Network", "network", deleteDefaultRoutesOnCreate=False)),
    ("a subnet without a flow log", setting("Subnetwork", "subnet", logConfig=None)),
    ("a subnet that asks Google by the internet", setting("Subnetwork", "subnet", privateIpGoogleAccess=False)),
    (
        "a firewall open to the world",
        adding(
            "gcp:compute/firewall:Firewall",
            "open",
            network="network",
            direction="INGRESS",
            sourceRanges=["0.0.0.0/0"],
            allows=[{"protocol": "tcp", "ports": ["22"]}],
            logConfig={"metadata": "INCLUDE_ALL_METADATA"},
        ),
    ),
    ("a network that lets out what nobody named", without("Firewall", "deny-out")),
    ("a firewall whose work nobody sees", setting("Firewall", "deny-in", logConfig=None)),
    ("names that are looked up unseen", setting("Policy", "dns-log", enableLogging=False)),
    ("a way to the internet", adding("gcp:compute/routerNat:RouterNat", "out", router="r")),
    ("a public database", within("DatabaseInstance", "database", "settings.ipConfiguration.ipv4Enabled", True)),
    (
        "a database that takes connections without TLS",
        within("DatabaseInstance", "database", "settings.ipConfiguration.sslMode", "ALLOW_UNENCRYPTED_AND_ENCRYPTED"),
    ),
    ("a database with a key of Google's", setting("DatabaseInstance", "database", encryptionKeyName=None)),
    (
        "a database without backups",
        within("DatabaseInstance", "database", "settings.backupConfiguration.enabled", False),
    ),
    (
        "a database that a slip deletes",
        within("DatabaseInstance", "database", "settings.deletionProtectionEnabled", False),
    ),
    ("a database without a log", flag("log_connections", "off")),
    ("a database with a password in the state", setting("DatabaseInstance", "database", rootPassword="open")),
    ("images whose tags move", setting("Repository", "images", dockerConfig={"immutableTags": False})),
    ("images with a key of Google's", setting("Repository", "images", kmsKeyName=None)),
    (
        "images that nobody scans",
        setting("Repository", "images", vulnerabilityScanningConfig={"enablementConfig": "DISABLED"}),
    ),
    ("images for anybody", setting("RepositoryIamMember", "trainer-puller", member="allUsers")),
    ("an endpoint with a key of Google's", setting("AiEndpoint", "endpoint-loan", encryptionSpec=None)),
    (
        "an endpoint for anybody",
        adding(
            "gcp:vertex/aiEndpointIamMember:AiEndpointIamMember",
            "open",
            endpoint="1",
            role="roles/aiplatform.user",
            member="allUsers",
        ),
    ),
    (
        "a notebook on the internet",
        adding(
            "gcp:workbench/instance:Instance", "look", location="europe-west3-a", gceSetup={"disablePublicIp": False}
        ),
    ),
    ("logs that are kept for a month", setting("ProjectBucketConfig", "trail", retentionDays=30)),
    ("logs with a key of Google's", setting("ProjectBucketConfig", "trail", cmekSettings=None)),
    (
        "audit logs that say only who wrote",
        setting("IAMAuditConfig", "audit-storage", auditLogConfigs=[{"logType": "DATA_WRITE"}]),
    ),
    ("a topic with a key of Google's", setting("Topic", "alerts", kmsKeyName=None)),
    ("a topic to which anybody may publish", setting("TopicIAMMember", "alerts-sender", member="allUsers")),
    ("an alert that tells nobody", setting("AlertPolicy", "errors-loan", notificationChannels=None)),
    ("no budget", without("Budget")),
    ("a budget of which nobody hears", setting("Budget", "stack-budget", thresholdRules=None)),
    ("a dataset with a key of Google's", setting("Dataset", "catalog", defaultEncryptionConfiguration=None)),
    ("a required label missing", unlabelled),
    ("a provider for any project", setting("gcp", "gcp", project=None)),
    ("an API that goes with the stack", setting("Service", "api-aiplatform", disableOnDestroy=True)),
) + faults(
    "prod-regulated",
    ("records that an administrator may change", within("Bucket", "records", "retentionPolicy.isLocked", False)),
    ("records that anybody may change", setting("Bucket", "records", retentionPolicy=None)),
    ("records of decisions for a year", setting("ProjectBucketConfig", "trail", retentionDays=365)),
    ("logs that an administrator may shorten", setting("ProjectBucketConfig", "trail", locked=False)),
    ("nobody who sees who looked", without("IAMAuditConfig")),
)
