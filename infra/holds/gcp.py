"""What Google Cloud itself does not delete, or not at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from trivet.infra.holds import RELEASE, Hold, hold
from trivet.infra.listing import Listed

_DAY_S = 24 * 3600
_UNWANTED = "delete them with `gcloud sql backups delete`, when they may go"
_DEFAULT_WINDOW_S = 30 * _DAY_S  # of a key that says nothing


def reasons(resource: Listed) -> Iterable[Hold]:
    """What the resource holds on to. What is kept when the stack goes is not asked: Google is not told to delete it."""
    rule = _RULES.get(resource.type)
    return [] if rule is None or resource.retain else rule(resource)


def _bucket(resource: Listed) -> Iterator[Hold]:
    if resource.has("retentionPolicy"):
        yield hold(
            resource,
            "its objects are kept, and nobody can delete one before its time",
            f"`{RELEASE}` leaves it behind; `trivet destroy --audit` says that it is there",
            blocks=True,
        )
    elif not resource.flag("forceDestroy"):
        yield hold(resource, "it may hold objects", f"`{RELEASE}` deletes them with it; or empty it first", blocks=True)


def _database(resource: Listed) -> Iterator[Hold]:
    settings = resource.value("settings") or {}
    if resource.flag("deletionProtection") or settings.get("deletionProtectionEnabled") is True:
        yield hold(resource, "Cloud SQL protects it from deletion", f"`{RELEASE}`", blocks=True)
    if settings.get("retainBackupsOnDelete") is True:
        yield hold(resource, "its automated backups stay for their time", _UNWANTED)
    last = settings.get("finalBackupConfig") or {}
    if last.get("enabled") is True:
        yield hold(resource, f"a last backup is made, and stays for {int(last['retentionDays'])} days", _UNWANTED)
    yield hold(resource, "its name is not given again for a week", "nothing to do; the next one has another")


def _key(resource: Listed) -> Iterator[Hold]:
    said = str(resource.value("destroyScheduledDuration") or f"{_DEFAULT_WINDOW_S}s")
    days = int(float(said.removesuffix("s"))) // _DAY_S
    yield hold(
        resource,
        f"its versions are destroyed {days} days later, cost nothing until then, and its name stays for ever",
        f"nothing to do; `gcloud kms keys versions list --key {resource.identity}` names them, and `gcloud kms keys "
        f"versions restore VERSION --key {resource.identity}` saves one within that time: each that encrypted",
    )


def _ring(resource: Listed) -> Iterator[Hold]:
    yield hold(resource, "Google deletes no key ring; it costs nothing", "nothing to do; the next one has another name")


def _pool(resource: Listed) -> Iterator[Hold]:
    yield hold(
        resource,
        "it can be restored for 30 days",
        f"nothing to do; `gcloud iam workload-identity-pools undelete {resource.identity}` restores it",
    )


_RULES: dict[str, Callable[[Listed], Iterator[Hold]]] = {
    "gcp:iam/workloadIdentityPool:WorkloadIdentityPool": _pool,
    "gcp:kms/cryptoKey:CryptoKey": _key,
    "gcp:kms/keyRing:KeyRing": _ring,
    "gcp:sql/databaseInstance:DatabaseInstance": _database,
    "gcp:storage/bucket:Bucket": _bucket,
}
