"""What a project says of itself: which permissions one has, and which images were pushed."""

from __future__ import annotations

from typing import Any

from trivet.rehearsal.fakes.gcp.constraints import Constraints
from trivet.rehearsal.fakes.gcp.refusals import missing
from trivet.rehearsal.fakes.gcp.rest import Api, Asked, Method
from trivet.rehearsal.fakes.images import Images

_IMAGE = "/v1/projects/{project}/locations/{location}/repositories/{repository}/packages/{package}/tags/{tag}"


def permissions(constraints: Constraints) -> Api:
    """The Cloud Resource Manager, where everything is allowed."""
    path = "/v1/projects/{project}:testIamPermissions"
    method = Method("TestIamPermissions", "POST", path, lambda asked: asked.body, ("permissions",))
    return Api(constraints, "cloudresourcemanager", "the Cloud Resource Manager", r"/v1/projects/[^/:]+:\w+$", [method])


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
