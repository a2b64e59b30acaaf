"""What a project says of itself: permissions, APIs that are enabled, quotas, and which images were pushed."""

from __future__ import annotations

from typing import Any

from trivet.clouds.gcp import REGIONS
from trivet.rehearsal.fakes.gcp.constraints import Constraints
from trivet.rehearsal.fakes.gcp.refusals import invalid, missing
from trivet.rehearsal.fakes.gcp.rest import Api, Asked, Method, paged
from trivet.rehearsal.fakes.gcp.rights import Rights
from trivet.rehearsal.fakes.gcp.settings import Settings
from trivet.rehearsal.fakes.gcp.storage.state import Storage
from trivet.rehearsal.fakes.images import Images

MOST_SERVICES = 30  # ref Service Usage, services.batchGet, names
_IMAGE = "/v1/projects/{project}/locations/{location}/repositories/{repository}/packages/{package}/tags/{tag}"


def permissions(constraints: Constraints, rights: Rights) -> Api:
    """The Cloud Resource Manager."""
    path = "/v1/projects/{project}:testIamPermissions"
    method = Method("TestIamPermissions", "POST", path, rights.tested, ("permissions",))
    return Api(constraints, "cloudresourcemanager", "the Cloud Resource Manager", r"/v1/projects/[^/:]+:\w+$", [method])


def of_buckets(constraints: Constraints, rights: Rights, storage: Storage) -> Api:
    """What may be done with a bucket, which is the JSON API of Cloud Storage."""

    def tested(asked: Asked) -> dict[str, Any]:
        storage.bucket(asked.names["bucket"])
        return {"kind": "storage#testIamPermissionsResponse", **rights.tested(asked)}

    path = "/storage/v1/b/{bucket}/iam/testPermissions"
    method = Method("buckets.testIamPermissions", "GET", path, tested, (), ("permissions", "userProject"))
    return Api(constraints, "storage", "Cloud Storage", r"/storage/v1/b/[^/]+/iam/", [method])


def services(constraints: Constraints, rights: Rights) -> Api:
    """Service Usage: which APIs the project has enabled."""

    def batch(asked: Asked) -> dict[str, Any]:
        names = asked.lists.get("names", [])
        if not 1 <= len(names) <= MOST_SERVICES:
            raise invalid(f"From 1 to {MOST_SERVICES} services are asked for at once.")
        off = rights.disabled
        states = {name: "DISABLED" if name.rpartition("/")[2] in off else "ENABLED" for name in names}
        return {"services": [{"name": name, "state": state} for name, state in states.items()]}

    method = Method("BatchGetServices", "GET", "/v1/projects/{project}/services:batchGet", batch, (), ("names",))
    return Api(constraints, "serviceusage", "Service Usage", r"/v1/projects/[^/]+/services:", [method])


def quotas(constraints: Constraints, settings: Settings) -> Api:
    """Cloud Quotas, as far as the processors of Vertex AI go: a replica counts as one here."""

    def listed(asked: Asked) -> dict[str, Any]:
        value = {"details": {"value": str(settings.machines)}, "applicableLocations": list(REGIONS)}
        metrics = [f"{asked.names['service']}/custom_model_{use}_cpus" for use in ("training", "serving")]
        return paged([{"metric": one, "dimensionsInfos": [value]} for one in metrics], asked, "quotaInfos")

    path = "/v1/projects/{project}/locations/global/services/{service}/quotaInfos"
    method = Method("ListQuotaInfos", "GET", path, listed, (), ("pageSize", "pageToken"))
    return Api(constraints, "cloudquotas", "Cloud Quotas", r"/v1/projects/[^/]+/locations/global/services/", [method])


def images(constraints: Constraints, pushed: Images) -> Api:
    """Artifact Registry, whose images are those of the fake's table."""

    def tag(asked: Asked) -> dict[str, Any]:
        names = asked.names
        host = f"{names['location']}-docker.pkg.dev/{names['project']}/{names['repository']}"
        name = f"{host}/{names['package']}:{names['tag']}"
        if pushed.find(name) is None:
            raise missing(f"The tag {names['tag']} of {host}/{names['package']} is not found.")
        path = _IMAGE.format(**names).removeprefix("/v1/")
        return {"name": path, "version": f"{path.partition('/tags/')[0]}/versions/sha256:0"}

    paths = r"/v1/projects/[^/]+/locations/[^/]+/repositories/"
    return Api(constraints, "artifactregistry", "Artifact Registry", paths, [Method("GetTag", "GET", _IMAGE, tag)])
