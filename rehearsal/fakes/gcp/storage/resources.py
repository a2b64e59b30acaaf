"""Buckets and objects as the JSON API writes and reads them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from urllib.parse import quote

from trivet.rehearsal.fakes.gcp.constraints import Constraints
from trivet.rehearsal.fakes.gcp.storage.rules import invalid
from trivet.rehearsal.fakes.gcp.storage.state import Blob, Bucket

# What a client may set, by the type of its value; reference of the JSON API, "Resource representations".
OBJECT: dict[str, type] = {
    "cacheControl": str,
    "contentDisposition": str,
    "contentEncoding": str,
    "contentLanguage": str,
    "contentType": str,
    "customTime": str,
    "eventBasedHold": bool,
    "metadata": dict,
    "storageClass": str,
    "temporaryHold": bool,
}
BUCKET: dict[str, type] = {
    "autoclass": dict,
    "billing": dict,
    "cors": list,
    "customPlacementConfig": dict,
    "defaultEventBasedHold": bool,
    "encryption": dict,
    "hierarchicalNamespace": dict,
    "iamConfiguration": dict,
    "ipFilter": dict,
    "labels": dict,
    "lifecycle": dict,
    "location": str,
    "logging": dict,
    "name": str,
    "objectRetention": dict,
    "retentionPolicy": dict,
    "rpo": str,
    "softDeletePolicy": dict,
    "storageClass": str,
    "versioning": dict,
    "website": dict,
}
# What the service says and passes over when a client says it.
_SAID = {"etag", "generation", "id", "kind", "metageneration", "owner", "selfLink", "timeCreated", "updated"}
_OBJECT_SAID = _SAID | {
    *("bucket", "componentCount", "crc32c", "hardDeleteTime", "kmsKeyName", "md5Hash", "mediaLink", "name", "size"),
    *("retentionExpirationTime", "softDeleteTime", "timeDeleted", "timeFinalized", "timeStorageClassUpdated"),
}
_BUCKET_SAID = _SAID | {"hardDeleteTime", "locationType", "projectNumber", "satisfiesPZI", "satisfiesPZS"}
_CLASSES = ("STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE", "MULTI_REGIONAL", "REGIONAL", "DURABLE_REDUCED_AVAILABILITY")
_NOT_MADE = ("acl", "defaultObjectAcl", "contexts", "retention", "customerEncryption")


def parsed(body: bytes) -> dict[str, Any]:
    """The JSON object of a body; none is an empty one.

    :raises Refused: where it is no JSON object.
    """
    try:
        found = json.loads(body or b"{}")
    except ValueError as error:
        raise invalid("Parse Error", "InvalidArgument") from error
    if not isinstance(found, dict):
        raise invalid("Parse Error", "InvalidArgument")
    return found


def object_properties(constraints: Constraints, given: dict[str, Any]) -> dict[str, Any]:
    """What of an object's description is the client's to set.

    :raises Refused: for properties that there are not, or of another type.
    """
    kept = _kept(constraints, given, OBJECT, _OBJECT_SAID)
    for key, value in (kept.get("metadata") or {}).items():
        if value is not None and not isinstance(value, str):
            raise invalid(f"Invalid value for metadata.{key}: it is no text.")
    return kept


def bucket_properties(constraints: Constraints, given: dict[str, Any]) -> dict[str, Any]:
    """The same of a bucket's."""
    return _kept(constraints, given, BUCKET, _BUCKET_SAID)


def patched(old: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Properties after a patch: null takes one away, and so it does in metadata and labels."""
    new = {name: value for name, value in old.items() if name not in change}
    for name, value in change.items():
        if name in ("metadata", "labels") and isinstance(value, dict):
            both = {**(old.get(name) or {}), **value}
            new[name] = {key: one for key, one in both.items() if one is not None}
        elif value is not None:
            new[name] = value
    return new


def object_resource(bucket: str, blob: Blob, address: str) -> dict[str, Any]:
    """An object as the JSON API shows it."""
    path = f"{bucket}/o/{quote(blob.name, safe='')}"
    shown: dict[str, Any] = {
        "kind": "storage#object",
        "id": f"{bucket}/{blob.name}/{blob.generation}",
        "selfLink": f"{address}/storage/v1/b/{path}",
        "mediaLink": f"{address}/download/storage/v1/b/{path}?generation={blob.generation}&alt=media",
        "name": blob.name,
        "bucket": bucket,
        "generation": str(blob.generation),
        "metageneration": str(blob.metageneration),
        "size": str(len(blob.data)),
        "crc32c": blob.crc32c,
        "etag": blob.etag,
        "timeCreated": stamp(blob.created),
        "updated": stamp(blob.updated),
        "timeStorageClassUpdated": stamp(blob.created),
        "timeFinalized": stamp(blob.created),
        **blob.properties,
    }
    if blob.md5:
        shown["md5Hash"] = blob.md5
    if blob.components:
        shown["componentCount"] = blob.components
    if blob.deleted:
        shown["timeDeleted"] = stamp(blob.deleted)
    return shown


def bucket_resource(bucket: Bucket, address: str, number: str) -> dict[str, Any]:
    """A bucket as the JSON API shows it."""
    location = str(bucket.properties.get("location", "US")).upper()
    return {
        "kind": "storage#bucket",
        "id": bucket.name,
        "selfLink": f"{address}/storage/v1/b/{bucket.name}",
        "projectNumber": number,
        "metageneration": str(bucket.metageneration),
        "etag": f"{bucket.metageneration:x}",
        "timeCreated": stamp(bucket.created),
        "updated": stamp(bucket.updated),
        "locationType": "multi-region" if location in ("US", "EU", "ASIA") else "region",
        "storageClass": "STANDARD",
        **bucket.properties,
        "name": bucket.name,
        "location": location,
    }


def stamp(moment: datetime) -> str:
    """A time as RFC 3339 has it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def _kept(constraints: Constraints, given: dict[str, Any], settable: dict[str, type], said: set[str]) -> dict[str, Any]:
    for name in given:
        if name in _NOT_MADE:
            raise invalid(f"This fake of Cloud Storage has no {name}: leave it out, or test it on a real project.")
    unknown = sorted(set(given) - set(settable) - said)
    message = f'Invalid JSON payload received. Unknown name "{", ".join(unknown)}": Cannot find field.'
    constraints.demand("properties-known", not unknown, invalid(message))
    kept = {name: value for name, value in given.items() if name in settable}
    for name, value in kept.items():
        if value is not None and not isinstance(value, settable[name]):
            raise invalid(f"Invalid value for {name}: it is no {settable[name].__name__}.")
    if kept.get("storageClass") not in (None, *_CLASSES):
        raise invalid(f"Invalid storage class: '{kept['storageClass']}'.")
    return kept
