"""SageMaker's operations on tags, for what this fake holds itself; moto has the others."""

from __future__ import annotations

from typing import Any

from trivet.rehearsal.fakes.aws.refusals import invalid
from trivet.rehearsal.fakes.aws.state import Region, Request

_MOST = 50


def add_tags(region: Region, request: Request) -> dict[str, Any]:
    """Set tags of a resource; at most 50 in all."""
    with region.lock:
        tags = _tags(region, request)
        wanted = tags | {tag["Key"]: tag["Value"] for tag in request["Tags"]}
        if len(wanted) > _MOST:
            raise invalid(f"{request['ResourceArn']} cannot have more than {_MOST} tags.")
        tags.update(wanted)
        return {"Tags": _listed(tags)}


def list_tags(region: Region, request: Request) -> dict[str, Any]:
    """The tags of a resource, a page of at least 50: all of them."""
    with region.lock:
        return {"Tags": _listed(_tags(region, request))}


def delete_tags(region: Region, request: Request) -> dict[str, Any]:
    """Take tags off a resource."""
    with region.lock:
        tags = _tags(region, request)
        for key in request["TagKeys"]:
            tags.pop(key, None)
    return {}


def _tags(region: Region, request: Request) -> dict[str, str]:
    arn = request["ResourceArn"]
    if arn not in region.tags:
        raise invalid(f"Could not find the resource {arn}.")
    return region.tags[arn]


def _listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


OPERATIONS = {"AddTags": add_tags, "ListTags": list_tags, "DeleteTags": delete_tags}
