"""What resources of AWS are charged for, by their types in Pulumi: ``aws:MODULE/…:Type``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from trivet.clouds import awsprices as prices
from trivet.infra.costs import Cost, priced
from trivet.infra.listing import Listed

_ROTATIONS_CHARGED = 2  # of a key: each of the first two adds the price of a key for good, later ones nothing
_FAST_S = 60  # alarms on shorter periods have a price of their own

FREE = frozenset(
    {
        "budgets/budget:Budget",
        "cloudwatch/eventRule:EventRule", "cloudwatch/eventTarget:EventTarget",
        "ec2/defaultSecurityGroup:DefaultSecurityGroup", "ec2/routeTable:RouteTable",
        "ec2/routeTableAssociation:RouteTableAssociation", "ec2/securityGroup:SecurityGroup", "ec2/subnet:Subnet",
        "ec2/vpc:Vpc",
        "ecr/lifecyclePolicy:LifecyclePolicy",
        "glue/securityConfiguration:SecurityConfiguration",
        "iam/openIdConnectProvider:OpenIdConnectProvider", "iam/policy:Policy", "iam/role:Role",
        "iam/rolePolicy:RolePolicy", "iam/rolePolicyAttachment:RolePolicyAttachment",
        "kms/alias:Alias",
        "rds/parameterGroup:ParameterGroup", "rds/subnetGroup:SubnetGroup",
        "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", "s3/bucketLogging:BucketLogging",
        "s3/bucketNotification:BucketNotification",
        "s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        "s3/bucketOwnershipControls:BucketOwnershipControls", "s3/bucketPolicy:BucketPolicy",
        "s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "s3/bucketVersioning:BucketVersioning",
        "sagemaker/modelPackageGroup:ModelPackageGroup",
        "scheduler/scheduleGroup:ScheduleGroup",
        "sns/topicPolicy:TopicPolicy", "sns/topicSubscription:TopicSubscription",
        "vpc/securityGroupEgressRule:SecurityGroupEgressRule", "vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    }
)  # fmt: skip
"""Types that cost nothing by themselves."""

_BY_USE = {
    "cloudwatch/logGroup:LogGroup": (prices.LOG_INTAKE, prices.LOGS),
    "ec2/flowLog:FlowLog": (prices.VENDED_LOGS, prices.OBJECTS),
    "ecr/repository:Repository": (prices.IMAGES,),
    "glue/catalogDatabase:CatalogDatabase": (prices.GLUE_OBJECTS,),
    "cfg/recorder:Recorder": (prices.CONFIG_ITEM,),
    "s3/bucket:Bucket": (prices.OBJECTS,),
}
"""What is charged by the amount that is kept or asked, and nothing while there is none."""

_UNPRICED_BY_USE = {
    "scheduler/schedule:Schedule": "EventBridge Scheduler invocations",
    "sns/topic:Topic": "SNS deliveries",
    "sqs/queue:Queue": "SQS requests",
}
"""The same where the first of a month are not charged, so that no price is kept."""


def charges(resource: Listed, region: str) -> Iterable[Cost] | None:
    """What a resource is charged for; none for a type that nobody has looked at."""
    kind = resource.type.removeprefix("aws:")
    if kind in FREE:
        return []
    if kind in _BY_USE:
        return [_cost(item, region, Decimal(), idle=False) for item in _BY_USE[kind]]
    if kind in _UNPRICED_BY_USE:
        return [Cost(_UNPRICED_BY_USE[kind], Decimal(), "", None, idle=False)]
    rule = _RULES.get(kind)
    return None if rule is None else list(rule(resource, region))


def _cost(item: str, region: str, quantity: Decimal | int | None, *, idle: bool = True) -> Cost:
    return priced(prices.PRICES, item, region, quantity, idle=idle)


def _endpoint(resource: Listed, region: str) -> Iterator[Cost]:
    """One of an interface by its zones; a gateway's costs nothing."""
    if resource.value("vpcEndpointType") == "Interface":
        subnets = resource.value("subnetIds")
        yield _cost(prices.ENDPOINT, region, len(subnets) if isinstance(subnets, list) else None)
    elif resource.value("vpcEndpointType") not in (None, "Gateway"):
        yield Cost(f"{resource.value('vpcEndpointType')} endpoint", None, "", None)


def _key(resource: Listed, region: str) -> Iterator[Cost]:
    """What it costs once it has rotated twice, which is the most it ever costs."""
    versions = 1 + (_ROTATIONS_CHARGED if resource.flag("enableKeyRotation") else 0)
    yield _cost(prices.KEY, region, versions)
    yield _cost(prices.KEY_REQUESTS, region, 0, idle=False)


def _database(resource: Listed, region: str) -> Iterator[Cost]:
    """Instance, storage and the secret of its administrator; backups as large as the storage are in its price."""
    both = resource.flag("multiAz")
    instance = prices.database(str(resource.value("instanceClass")), str(resource.value("engine")), multi_az=both)
    yield _cost(instance, region, 1)
    size = resource.value("allocatedStorage")
    storage = prices.database_storage(str(resource.value("storageType")), multi_az=both)
    yield _cost(storage, region, int(size) if size is not None else None)
    if resource.flag("manageMasterUserPassword"):
        yield _cost(prices.SECRET, region, 1)
    if resource.value("backupRetentionPeriod"):
        yield _cost(prices.BACKUP, region, 0, idle=False)
    if resource.value("enabledCloudwatchLogsExports"):
        yield _cost(prices.LOG_INTAKE, region, 0, idle=False)


def _trail(resource: Listed, region: str) -> Iterator[Cost]:
    """By what is done, and by more than the stack does: management events are those of the whole account.

    Their first copy in a region is free: who has a trail already pays for this one's. What is told to CloudWatch Logs
    is taken in there, too.
    """
    yield _cost(prices.DATA_EVENTS, region, 0, idle=False)
    yield _cost(prices.MANAGEMENT_EVENTS, region, 0, idle=False)
    if resource.has("cloudWatchLogsGroupArn"):  # in a preview it is not known yet, and set all the same
        yield _cost(prices.LOG_INTAKE, region, 0, idle=False)


def _alarm(resource: Listed, region: str) -> Iterator[Cost]:
    period = resource.value("period")
    fast = period is not None and int(period) < _FAST_S
    yield _cost(prices.FAST_ALARM if fast else prices.ALARM, region, 1)
    if not str(resource.value("namespace")).startswith("AWS/"):
        yield _cost(prices.METRIC, region, 0, idle=False)


def _one(item: str) -> Callable[[Listed, str], Iterator[Cost]]:
    def one(_resource: Listed, region: str) -> Iterator[Cost]:
        yield _cost(item, region, 1)

    return one


_RULES: dict[str, Callable[[Listed, str], Iterator[Cost]]] = {
    "cloudtrail/trail:Trail": _trail,
    "cloudwatch/dashboard:Dashboard": _one(prices.DASHBOARD),
    "cloudwatch/metricAlarm:MetricAlarm": _alarm,
    "ec2/natGateway:NatGateway": _one(prices.NAT),
    "ec2/vpcEndpoint:VpcEndpoint": _endpoint,
    "kms/key:Key": _key,
    "rds/instance:Instance": _database,
    "secretsmanager/secret:Secret": _one(prices.SECRET),
}
