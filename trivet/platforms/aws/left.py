"""What is left of a stack on AWS: what bears its tags, and what AWS made under its names without any tag.

Reads only. The tagging API tells of most services at once, some minutes late; what it tells is looked up in its own
service where that says more: until when a key can be saved, how long a bucket's objects are locked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from boto3.session import Session
from botocore.exceptions import BotoCoreError, ClientError

from trivet.core.errors import ConfigError, PlatformError
from trivet.core.leftovers import PROJECT_TAG, STACK_TAG, Left, Place

_IN_USE, _LISTED = "there", "listed by its tags"
_LATE = "the list of tags may be some minutes old"
_GONE = frozenset(("NotFoundException", "NoSuchBucket", "EntityNotFoundException", "404"))


def audit(place: Place) -> list[Left]:
    """Ask AWS with whatever credentials boto3 finds, in the stack's account and region.

    :raises ConfigError: when the credentials are of another account.
    :raises PlatformError: when AWS could not be asked.
    """
    with _told():
        session = _session(place)
        account = session.client("sts").get_caller_identity()["Account"]
    if place.account and account != place.account:
        raise ConfigError(
            f"Your credentials are of account {account}, and stack {place.stack} is in {place.account}.",
            "Choose the right profile, such as by AWS_PROFILE.",
        )
    return left(session, place)


def left(session: Session, place: Place) -> list[Left]:
    """Everything of the stack that is there, each thing once, by kind and id.

    :raises PlatformError: when AWS could not be asked.
    """
    with _told():
        found = {one.id: one for one in _by_tags(session, place)}
        for look in (_snapshots, _backups, _log_groups, _secrets, _machine_learning, _roles):
            found |= {one.id: one for one in look(session, place)}
    return sorted(found.values(), key=lambda one: (one.kind, one.id))


def _session(place: Place) -> Session:
    """A session in the stack's region, as the role with which it is made where there is one."""
    own = Session(region_name=place.region)
    if not place.assume_role:
        return own
    given = own.client("sts").assume_role(RoleArn=place.assume_role, RoleSessionName="trivet-audit")["Credentials"]
    return Session(
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        region_name=place.region,
    )


@contextmanager
def _told() -> Iterator[None]:
    """What boto3 raises, as an error of ours: a list that is not whole must not look like one."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise PlatformError(
            f"AWS could not be asked for what is left: {str(error).rstrip('. ')}.",
            "Check your credentials and their rights, then call again.",
        ) from error


def _pages(client: Any, verb: str, member: str, **asked: Any) -> Iterator[Any]:
    """Every entry of a list, page by page."""
    for page in client.get_paginator(verb).paginate(**asked):
        yield from page[member]


def _by_tags(session: Session, place: Place) -> Iterator[Left]:
    """What bears the stack's tag; another project may have a stack of the same name, and tags what is its own."""
    asked = {"TagFilters": [{"Key": STACK_TAG, "Values": [place.stack]}]}
    for one in _pages(session.client("resourcegroupstaggingapi"), "get_resources", "ResourceTagMappingList", **asked):
        tags = {tag["Key"]: tag["Value"] for tag in one["Tags"]}
        if tags.get(PROJECT_TAG, place.project) != place.project:
            continue
        arn = one["ResourceARN"]
        service, rest = arn.split(":")[2], arn.split(":", 5)[5]
        look = _LOOKS.get((service, "" if service == "s3" else rest.replace(":", "/").split("/")[0]), _plain)
        try:
            found = look(session, arn)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in _GONE:
                raise
            continue  # deleted, and the list of tags is late
        if found:
            yield found


def _is_anothers(place: Place, tags: Iterable[dict[str, str]]) -> bool:
    """Whether tags say that it is another stack's, whose names may begin like this one's.

    What bears none is told: AWS made it, or somebody by hand, and an audit says rather too much.
    """
    named = {tag["Key"]: tag["Value"] for tag in tags}
    own = {STACK_TAG: place.stack, PROJECT_TAG: place.project}
    return any(named.get(tag, value) != value for tag, value in own.items())


def _plain(_session: Session, arn: str) -> Left:
    service, rest = arn.split(":")[2], arn.split(":", 5)[5]
    kind = f"{service} {rest.replace(':', '/').split('/')[0]}" if "/" in rest or ":" in rest else service
    return Left(kind=kind, id=arn, state=_LISTED, until=None, note=_LATE, release="delete it in its service")


def _key(session: Session, arn: str) -> Left | None:
    found = session.client("kms").describe_key(KeyId=arn)["KeyMetadata"]
    if found["KeyState"] != "PendingDeletion":
        release = f"aws kms schedule-key-deletion --key-id {found['KeyId']}"
        return Left(kind="KMS key", id=arn, state="in use", until=None, note="charged each month", release=release)
    return Left(
        kind="KMS key",
        id=arn,
        state="pending deletion",
        until=found["DeletionDate"],
        note="what it encrypted cannot be read; costs nothing",
        release=f"nothing to do; `aws kms cancel-key-deletion --key-id {found['KeyId']}` saves it",
    )


def _bucket(session: Session, arn: str) -> Left | None:
    name = arn.rsplit(":", 1)[1]
    s3 = session.client("s3")
    s3.head_bucket(Bucket=name)
    try:
        lock = s3.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ObjectLockConfigurationNotFoundError":
            raise
        release = f"aws s3 rb --force s3://{name}"
        return Left(
            kind="S3 bucket", id=arn, state=_IN_USE, until=None, note="charged by what it holds", release=release
        )
    return Left(
        kind="S3 bucket",
        id=arn,
        state="locked",
        until=None,
        note=f"no object can be deleted before it is {_retention(lock)} old",
        release="delete the objects after that, then the bucket",
    )


def _catalog(session: Session, arn: str) -> Left | None:
    session.client("glue").get_database(Name=arn.rsplit("/", 1)[1])
    release = f"aws glue delete-database --name {arn.rsplit('/', 1)[1]}"
    return Left(kind="Glue database", id=arn, state=_IN_USE, until=None, note="costs nothing", release=release)


def _retention(lock: dict[str, Any]) -> str:
    kept = lock.get("Rule", {}).get("DefaultRetention", {})
    return f"{kept['Years']} years" if kept.get("Years") else f"{kept.get('Days') or 'its own number of'} days"


def _skip(_session: Session, _arn: str) -> None:
    """What is asked of its own service anyhow, with more to say."""


_LOOKS: dict[tuple[str, str], Callable[[Session, str], Left | None]] = {
    ("glue", "database"): _catalog,
    ("kms", "key"): _key,
    ("s3", ""): _bucket,
    ("rds", "snapshot"): _skip,
    ("logs", "log-group"): _skip,
    ("secretsmanager", "secret"): _skip,
}


def _snapshots(session: Session, place: Place) -> Iterator[Left]:
    """Snapshots of the stack's database: of no time limit, and charged by their size."""
    for one in _pages(session.client("rds"), "describe_db_snapshots", "DBSnapshots"):
        named = one["DBInstanceIdentifier"].startswith(f"{place.prefix}-")
        if named and not _is_anothers(place, one.get("TagList", [])):
            name = one["DBSnapshotIdentifier"]
            yield Left(
                kind="RDS snapshot",
                id=one["DBSnapshotArn"],
                state=one["Status"],
                until=None,
                note="stays until somebody deletes it; charged by its size",
                release=f"aws rds delete-db-snapshot --db-snapshot-identifier {name}",
            )


def _backups(session: Session, place: Place) -> Iterator[Left]:
    """Automated backups that outlive their database."""
    rds = session.client("rds")
    for one in _pages(rds, "describe_db_instance_automated_backups", "DBInstanceAutomatedBackups"):
        named = one["DBInstanceIdentifier"].startswith(f"{place.prefix}-") and one["Status"] == "retained"
        if named and not _is_anothers(place, one.get("TagList", [])):
            yield Left(
                kind="RDS automated backup",
                id=one["DbiResourceId"],
                state=one["Status"],
                until=None,
                note=f"each goes {one.get('BackupRetentionPeriod', 0)} days after it was made",
                release=f"aws rds delete-db-instance-automated-backup --dbi-resource-id {one['DbiResourceId']}",
            )


def _log_groups(session: Session, place: Place) -> Iterator[Left]:
    """Those of the stack; services write one anew, without tags and for ever, when they log after it was deleted."""
    logs = session.client("logs")
    begins = ("/aws/sagemaker/Endpoints/", "/aws/rds/instance/", "/trivet/")
    for begin in begins:
        for one in _pages(logs, "describe_log_groups", "logGroups", logGroupNamePrefix=f"{begin}{place.prefix}"):
            name = one["logGroupName"]
            if not name.removeprefix(f"{begin}{place.prefix}").startswith(("-", "/")):
                continue  # of another stack whose name begins like this one
            arn = one["arn"].removesuffix(":*")
            borne = logs.list_tags_for_resource(resourceArn=arn)["tags"]
            if _is_anothers(place, [{"Key": key, "Value": value} for key, value in borne.items()]):
                continue
            days = one.get("retentionInDays")
            yield Left(
                kind="log group",
                id=arn,
                state=_IN_USE,
                until=None,
                note=f"lines go after {days} days, the group does not" if days else "nothing in it ever goes",
                release=f"aws logs delete-log-group --log-group-name {name}",
            )


def _secrets(session: Session, place: Place) -> Iterator[Left]:
    """Secrets by the stack's tag, those in their recovery window too."""
    asked = {"IncludePlannedDeletion": True, "Filters": [{"Key": "tag-value", "Values": [place.stack]}]}
    for one in _pages(session.client("secretsmanager"), "list_secrets", "SecretList", **asked):
        tags = {tag["Key"]: tag["Value"] for tag in one.get("Tags", [])}
        if tags.get(STACK_TAG) != place.stack or tags.get(PROJECT_TAG, place.project) != place.project:
            continue
        deleted = one.get("DeletedDate")
        yield Left(
            kind="secret",
            id=one["ARN"],
            state="pending deletion" if deleted else "in use",
            until=None,
            note=f"deleted {deleted:%Y-%m-%d}; can be restored in its window" if deleted else "charged each month",
            release="nothing to do" if deleted else f"aws secretsmanager delete-secret --secret-id {one['ARN']}",
        )


def _machine_learning(session: Session, place: Place) -> Iterator[Left]:
    """What the runtime made and did not delete; an endpoint costs by the hour."""
    sagemaker = session.client("sagemaker")
    for kind, verb, member, field, delete in (
        ("SageMaker endpoint", "list_endpoints", "Endpoints", "Endpoint", "delete-endpoint --endpoint-name"),
        (
            "SageMaker endpoint configuration",
            *("list_endpoint_configs", "EndpointConfigs", "EndpointConfig"),
            "delete-endpoint-config --endpoint-config-name",
        ),
        ("SageMaker model", "list_models", "Models", "Model", "delete-model --model-name"),
    ):
        for one in _pages(sagemaker, verb, member, NameContains=f"{place.prefix}-"):
            name, arn = one[f"{field}Name"], one[f"{field}Arn"]
            if name.startswith(f"{place.prefix}-") and not _is_anothers(
                place, _pages(sagemaker, "list_tags", "Tags", ResourceArn=arn)
            ):
                yield Left(
                    kind=kind,
                    id=arn,
                    state=one.get("EndpointStatus", _IN_USE),
                    until=None,
                    note="charged by the hour" if kind == "SageMaker endpoint" else "costs nothing",
                    release=f"aws sagemaker {delete} {name}",
                )


def _roles(session: Session, place: Place) -> Iterator[Left]:
    """Roles and policies by their names: the tagging API does not tell of them."""
    iam = session.client("iam")
    begin = f"{place.prefix}-"
    roles: Iterable[Any] = _pages(iam, "list_roles", "Roles")
    policies: Iterable[Any] = _pages(iam, "list_policies", "Policies", Scope="Local")
    named: Sequence[tuple[str, Iterable[Any], str]] = (("IAM role", roles, "Role"), ("IAM policy", policies, "Policy"))
    for kind, entries, field in named:
        for one in entries:
            if not one[f"{field}Name"].startswith(begin):
                continue
            asked = {"RoleName": one["RoleName"]} if field == "Role" else {"PolicyArn": one["Arn"]}
            if not _is_anothers(place, _pages(iam, f"list_{field.lower()}_tags", "Tags", **asked)):
                yield Left(
                    kind=kind,
                    id=one["Arn"],
                    state=_IN_USE,
                    until=None,
                    note="costs nothing",
                    release="delete it in IAM",
                )
