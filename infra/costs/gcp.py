"""What resources of Google Cloud are charged for, by their types in Pulumi: ``gcp:MODULE/…:Type``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from trivet.clouds import gcpprices as prices
from trivet.infra.costs import Cost, priced
from trivet.infra.listing import Listed

_VERSIONS_A_YEAR = 5  # of a key that rotates every 90 days: each stays active, and charged, until it is destroyed
_OF_APIS = ("all-apis", "vpc-sc")

FREE = frozenset(
    {
        "artifactregistry/repositoryIamMember:RepositoryIamMember",
        "billing/budget:Budget",
        "cloudquota/sQuotaPreference:SQuotaPreference",
        "compute/address:Address", "compute/firewall:Firewall", "compute/globalAddress:GlobalAddress",
        "compute/network:Network", "compute/networkAttachment:NetworkAttachment",
        "dns/policy:Policy", "dns/recordSet:RecordSet",
        "iam/workloadIdentityPool:WorkloadIdentityPool",
        "iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider",
        "kms/cryptoKeyIAMMember:CryptoKeyIAMMember", "kms/keyRing:KeyRing",
        "logging/projectSink:ProjectSink",
        "monitoring/dashboard:Dashboard", "monitoring/notificationChannel:NotificationChannel",
        "projects/iAMCustomRole:IAMCustomRole", "projects/iAMMember:IAMMember", "projects/service:Service",
        "projects/serviceIdentity:ServiceIdentity",
        "pubsub/topicIAMMember:TopicIAMMember",
        "serviceaccount/account:Account", "serviceaccount/iAMMember:IAMMember",
        "sql/database:Database", "sql/user:User",
        "storage/bucketIAMMember:BucketIAMMember",
        "vertex/aiEndpoint:AiEndpoint",
    }
)  # fmt: skip
"""Types that cost nothing by themselves; an endpoint without a model is one."""

_BY_USE = {
    "artifactregistry/repository:Repository": (prices.IMAGES, prices.SCANS),
    "bigquery/dataset:Dataset": (prices.TABLES,),
    "compute/subnetwork:Subnetwork": (prices.LOG_INTAKE,),
    "dataplex/aspectType:AspectType": (prices.ENTRIES,),
    "logging/projectBucketConfig:ProjectBucketConfig": (prices.LOG_INTAKE, prices.LOGS),
    "monitoring/metricDescriptor:MetricDescriptor": (prices.METRIC,),
    "projects/iAMAuditConfig:IAMAuditConfig": (prices.LOG_INTAKE,),
    "pubsub/topic:Topic": (prices.MESSAGES,),
    "storage/bucket:Bucket": (prices.OBJECTS,),
    "vertex/aiMetadataStore:AiMetadataStore": ("Vertex ML Metadata storage",),
}
"""What is charged by the amount that is kept or asked, and nothing while there is none."""


def charges(resource: Listed, region: str) -> Iterable[Cost] | None:
    """What a resource is charged for; none for a type that nobody has looked at."""
    kind = resource.type.removeprefix("gcp:")
    if kind in FREE:
        return []
    if kind in _BY_USE:
        return [_cost(item, region, 0, idle=False) for item in _BY_USE[kind]]
    rule = _RULES.get(kind)
    return None if rule is None else list(rule(resource, region))


def _cost(item: str, region: str, quantity: Decimal | int | None, *, idle: bool = True) -> Cost:
    return priced(prices.PRICES, item, region, quantity, idle=idle)


def _key(resource: Listed, region: str) -> Iterator[Cost]:
    """What it costs at the end of its first year."""
    hardware = (resource.value("versionTemplate") or {}).get("protectionLevel") == "HSM"
    signs = resource.value("purpose") == "ASYMMETRIC_SIGN"
    item = (prices.HSM_SIGNING if signs else prices.HSM_KEY) if hardware else prices.KEY
    yield _cost(item, region, _VERSIONS_A_YEAR if resource.has("rotationPeriod") else 1)
    yield _cost(prices.KEY_REQUESTS, region, 0, idle=False)


def _forwarding(resource: Listed, region: str) -> Iterator[Cost]:
    """An endpoint of Private Service Connect; another rule is a load balancer's, at which nobody has looked."""
    connects = resource.value("target") in _OF_APIS or resource.value("loadBalancingScheme") == ""
    yield _cost(prices.PRIVATE_ACCESS, region, 1) if connects else Cost("forwarding rule", None, "", None)


def _database(resource: Listed, region: str) -> Iterator[Cost]:
    """Instance and storage; backups by their size."""
    settings = resource.value("settings") or {}
    regional = settings.get("availabilityType") == "REGIONAL"
    yield _cost(prices.database(str(settings.get("tier")), regional=regional), region, 1)
    size = settings.get("diskSize")
    yield _cost(prices.database_storage(regional=regional), region, int(size) if size is not None else None)
    yield _cost(prices.BACKUP, region, 0, idle=False)


def _alert(resource: Listed, region: str) -> Iterator[Cost]:
    yield _cost(prices.CONDITION, region, len(resource.value("conditions") or []))


def _one(item: str) -> Callable[[Listed, str], Iterator[Cost]]:
    def one(_resource: Listed, region: str) -> Iterator[Cost]:
        yield _cost(item, region, 1)

    return one


_RULES: dict[str, Callable[[Listed, str], Iterator[Cost]]] = {
    "cloudscheduler/job:Job": _one(prices.SCHEDULE),
    "compute/forwardingRule:ForwardingRule": _forwarding,
    "compute/globalForwardingRule:GlobalForwardingRule": _forwarding,
    "dns/managedZone:ManagedZone": _one(prices.ZONE),
    "kms/cryptoKey:CryptoKey": _key,
    "monitoring/alertPolicy:AlertPolicy": _alert,
    "sql/databaseInstance:DatabaseInstance": _database,
}
