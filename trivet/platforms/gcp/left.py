"""What is left of a stack on Google Cloud: what bears its labels or, where there are none, its name. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trivet.core.errors import PlatformError, TrivetError
from trivet.core.leftovers import Left, Place
from trivet.platforms.gcp.clients import Clients
from trivet.platforms.gcp.errors import told
from trivet.platforms.gcp.labels import labels_of, whose

_LIVE = ("ENABLED", "DISABLED", "PENDING_GENERATION")


def audit(place: Place) -> list[Left]:
    """Ask Google Cloud with whatever credentials google-auth finds, in the stack's project and region.

    :raises PlatformError: when Google Cloud could not be asked.
    """
    if place.account is None:
        raise PlatformError(f"No project of Google's is named for stack {place.stack}.", "Set trivet:account.")
    clients = Clients(place.account, place.region)
    try:
        return left(clients, place)
    finally:
        clients.close()


def left(clients: Clients, place: Place) -> list[Left]:
    """Everything of the stack that is there, each thing once, by kind and id.

    :raises PlatformError: when Google Cloud could not be asked.
    """
    found: dict[str, Left] = {}
    try:
        for look in (_buckets, _keys, _endpoints, _models, _jobs, _policies):
            with told("What is left"):
                found |= {one.id: one for one in look(clients, place)}
    except TrivetError as error:
        raise PlatformError(
            f"Google Cloud could not be asked for what is left: {error.message}",
            "Check your credentials and their rights, then call again.",
        ) from error
    return sorted(found.values(), key=lambda one: (one.kind, one.id))


def _is_anothers(place: Place, labels: dict[str, str]) -> bool:
    """Whether labels say that it is another stack's, whose names may begin like this one's."""
    own = labels_of(place.project, place.stack, "", {})
    return any(labels.get(key, own[key]) != own[key] for key in ("trivet-stack", "trivet-project"))


def _buckets(clients: Clients, place: Place) -> Iterator[Left]:
    pages = clients.pages("storage", "storage/v1/b", "items", project=clients.project, prefix=f"{place.prefix}-")
    for one in pages:
        if _is_anothers(place, one.get("labels", {})):
            continue
        policy = one.get("retentionPolicy", {})
        days = int(policy.get("retentionPeriod", 0)) // 86_400
        locked = bool(policy.get("isLocked"))
        yield Left(
            kind="bucket",
            id=f"gs://{one['name']}",
            state="locked" if locked else "there",
            until=None,
            note=f"no object can be deleted before it is {days} days old" if days else "charged by what it holds",
            release="delete the objects after that, then the bucket"
            if locked
            else f"gcloud storage rm --recursive gs://{one['name']}",
        )


def _keys(clients: Clients, place: Place) -> Iterator[Left]:
    """Versions of keys; rings and keys themselves are never deleted, and cost nothing without a version."""
    at = f"v1/{clients.parent}/keyRings"
    for ring in clients.pages("cloudkms", at, "keyRings"):
        if not _named(place, ring["name"]):
            continue
        for key in clients.pages("cloudkms", f"v1/{ring['name']}/cryptoKeys", "cryptoKeys"):
            if _is_anothers(place, key.get("labels", {})):
                continue
            path = f"v1/{key['name']}/cryptoKeyVersions"
            yield from filter(None, map(_version, clients.pages("cloudkms", path, "cryptoKeyVersions")))


def _version(one: dict[str, Any]) -> Left | None:
    if one["state"] in _LIVE:
        release = f"gcloud kms keys versions destroy {one['name']}"
        return Left(
            kind="key version", id=one["name"], state="in use", until=None, note="charged each month", release=release
        )
    if one["state"] != "DESTROY_SCHEDULED":
        return None
    return Left.model_validate(
        {
            "kind": "key version",
            "id": one["name"],
            "state": "pending deletion",
            "until": one["destroyTime"],
            "note": "what it encrypted cannot be read",
            "release": f"nothing to do; `gcloud kms keys versions restore {one['name']}` saves it",
        }
    )


def _endpoints(clients: Clients, place: Place) -> Iterator[Left]:
    for one in _of_vertex(clients, place, "endpoints"):
        deployed = len(one.get("deployedModels", []))
        yield Left(
            kind="Vertex AI endpoint",
            id=one["name"],
            state=f"with {deployed} deployed models" if deployed else "empty",
            until=None,
            note="charged by the hour" if deployed else "costs nothing",
            release=f"gcloud ai endpoints delete {one['name']}",
        )


def _models(clients: Clients, place: Place) -> Iterator[Left]:
    for one in _of_vertex(clients, place, "models"):
        release = f"gcloud ai models delete {one['name']}"
        yield Left(
            kind="Vertex AI model", id=one["name"], state="there", until=None, note="costs nothing", release=release
        )


def _jobs(clients: Clients, place: Place) -> Iterator[Left]:
    """Jobs that have not ended; those that have cost nothing, and are a record of what ran."""
    for one in _of_vertex(clients, place, "customJobs"):
        if "endTime" not in one:
            yield Left(
                kind="Vertex AI job",
                id=one["name"],
                state=one["state"],
                until=None,
                note="charged by the hour",
                release=f"gcloud ai custom-jobs cancel {one['name']}",
            )


def _policies(clients: Clients, place: Place) -> Iterator[Left]:
    for one in clients.pages("monitoring", f"v3/projects/{clients.project}/alertPolicies", "alertPolicies"):
        named = one.get("displayName", "").startswith(f"{place.prefix}-")
        if named and not _is_anothers(place, one.get("userLabels", {})):
            release = f"gcloud monitoring policies delete {one['name']}"
            yield Left(
                kind="alert policy", id=one["name"], state="there", until=None, note="costs nothing", release=release
            )


def _of_vertex(clients: Clients, place: Place, kind: str) -> Iterator[dict[str, Any]]:
    """What bears the stack's labels."""
    wanted = whose(place.project, place.stack)
    return clients.pages("aiplatform", f"v1/{clients.parent}/{kind}", kind, filter=wanted)


def _named(place: Place, name: str) -> bool:
    own = name.rpartition("/")[2]
    return own == place.prefix or own.startswith(f"{place.prefix}-")
