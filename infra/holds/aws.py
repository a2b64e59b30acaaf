"""What AWS itself does not delete, or not at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from trivet.infra.holds import RELEASE, Hold, hold
from trivet.infra.listing import Listed

_DEFAULT_WINDOW_DAYS = 30  # of a key and of a secret that say nothing


def reasons(resource: Listed) -> Iterable[Hold]:
    """What the resource holds on to. What is kept when the stack goes is not asked: AWS is not told to delete it."""
    rule = _RULES.get(resource.type)
    return [] if rule is None or resource.retain else rule(resource)


def _bucket(resource: Listed) -> Iterator[Hold]:
    if resource.flag("objectLockEnabled"):
        yield hold(
            resource,
            "its objects are locked, and nobody can delete one before its time",
            f"`{RELEASE}` leaves it behind; `trivet destroy --audit` says until when",
            blocks=True,
        )
    elif not resource.flag("forceDestroy"):
        yield hold(resource, "it may hold objects", f"`{RELEASE}` deletes them with it; or empty it first", blocks=True)


def _repository(resource: Listed) -> Iterator[Hold]:
    if not resource.flag("forceDelete"):
        yield hold(resource, "it may hold images", f"`{RELEASE}` deletes them with it; or empty it first", blocks=True)


def _database(resource: Listed) -> Iterator[Hold]:
    if resource.flag("deletionProtection"):
        yield hold(resource, "RDS protects it from deletion", f"`{RELEASE}`", blocks=True)
    if not resource.flag("skipFinalSnapshot"):
        name = resource.value("finalSnapshotIdentifier") or "a name of RDS's"
        yield hold(
            resource,
            f"a last snapshot of it stays: {name}",
            f"`aws rds delete-db-snapshot --db-snapshot-identifier {name}`, when it may go",
        )
    if resource.value("deleteAutomatedBackups") is False:
        yield hold(resource, "its automated backups stay for their time", "delete them in RDS, when they may go")


def _key(resource: Listed) -> Iterator[Hold]:
    days = int(resource.value("deletionWindowInDays") or _DEFAULT_WINDOW_DAYS)
    yield hold(
        resource,
        f"it is deleted {days} days later, and costs nothing until then",
        f"nothing to do; `aws kms cancel-key-deletion --key-id {resource.identity}` saves it within that time",
    )


def _secret(resource: Listed) -> Iterator[Hold]:
    days = resource.value("recoveryWindowInDays")
    if days is None or int(days):
        yield hold(
            resource,
            f"it can be restored for {int(days or _DEFAULT_WINDOW_DAYS)} days",
            "nothing to do; `aws secretsmanager restore-secret` saves it within that time",
        )


_RULES: dict[str, Callable[[Listed], Iterator[Hold]]] = {
    "aws:ecr/repository:Repository": _repository,
    "aws:kms/key:Key": _key,
    "aws:rds/instance:Instance": _database,
    "aws:s3/bucket:Bucket": _bucket,
    "aws:secretsmanager/secret:Secret": _secret,
}
