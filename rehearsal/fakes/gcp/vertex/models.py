"""The methods on models: the registry, with its versions and aliases."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from google.cloud import aiplatform_v1 as api

from trivet.rehearsal.fakes.gcp.refusals import invalid, left_out, missing, precondition, refused
from trivet.rehearsal.fakes.gcp.storage.rules import check_object_name
from trivet.rehearsal.fakes.gcp.vertex.buckets import Place, blobs
from trivet.rehearsal.fakes.gcp.vertex.names import masked
from trivet.rehearsal.fakes.gcp.vertex.state import Vertex, new_id, now, page

DEFAULT = "default"
MANAGED = "cloud-ai-platform-managed"  # the service's own bucket, in a project of its own
_OWNER = "vertex-managed-project"
_ID = re.compile(r"[a-z_][a-z0-9_-]{0,62}")
_ALIAS = re.compile(r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]")
_HUBS = re.compile(r"[a-z0-9-]+-docker\.pkg\.dev/.+|([a-z]+\.)?gcr\.io/.+")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAMES = {
    "model": lambda version: version.shown.name.rpartition("/")[2],
    "name": lambda version: version.shown.name,
    "display_name": lambda version: version.shown.display_name,
    "labels": lambda version: version.shown.labels,
    "version_id": lambda version: version.shown.version_id,
    "create_time": lambda version: version.shown.version_create_time.isoformat(),
    "update_time": lambda version: version.shown.version_update_time.isoformat(),
}
_NAMES |= {"displayName": _NAMES["display_name"]}
_CHANGEABLE = ("display_name", "description", "version_description", "labels")


@dataclass
class Version:
    """One version, where its frozen artifacts are, and who has it deployed."""

    shown: api.Model
    artifacts: str
    users: set[tuple[str, str]] = field(default_factory=set)
    """Endpoints and ids of deployed models; an id is empty while it is being deployed."""

    def answer(self) -> Any:
        """As the service shows it."""
        used = sorted(self.users)
        refs = [api.DeployedModelRef(endpoint=endpoint, deployed_model_id=one) for endpoint, one in used if one]
        shown = api.Model(self.shown)
        shown.deployed_models = refs
        return shown


@dataclass
class Model:
    """A model, which counts its versions; a number is never given twice."""

    name: str
    versions: dict[str, Version] = field(default_factory=dict)
    last: int = 0

    def find(self, wanted: str) -> Version | None:
        """A version by its number or an alias."""
        named = (one for one in self.versions.values() if wanted in one.shown.version_aliases)
        return self.versions.get(wanted) or next(named, None)

    def alias(self, version: Version, aliases: Iterable[str]) -> None:
        """Give a version aliases, which other versions have then no more."""
        for one in self.versions.values():
            kept = [alias for alias in one.shown.version_aliases if alias not in aliases or one is version]
            one.shown.version_aliases = kept
        version.shown.version_aliases = sorted({*version.shown.version_aliases, *aliases})


def upload_model(vertex: Vertex, request: Any) -> Any:
    """Hold a model, or a version of one; its artifacts are copied, and stay what they were."""
    parent, shown = vertex.named(request.parent), api.Model(request.model)
    _check(vertex, shown)
    vertex.check_key(parent, shown.encryption_spec.kms_key_name)
    demand = vertex.world.constraints.demand
    with vertex.lock:
        if request.parent_model:
            name = vertex.named(request.parent_model.partition("@")[0])
            _model(vertex, name)  # not while its first version is being made
            vertex.alone(name)
        else:
            given = request.model_id
            demand("model-ids", not given or bool(_ID.fullmatch(given)), invalid(f"Invalid model_id: '{given}'."))
            name = f"{parent}/models/{given or new_id()}"
            taken = refused("ALREADY_EXISTS", f"Model {name} already exists.")
            demand("names-taken", name not in vertex.models, taken)
            vertex.models.setdefault(name, Model(name))

    def work() -> Any:
        with vertex.lock:
            model = vertex.models[name]
            model.last += 1
            number = str(model.last)
            aliases = set(shown.version_aliases) | ({DEFAULT} if not model.versions else set())
            shown.name, shown.version_id, shown.version_aliases = name, number, []
            shown.create_time = shown.update_time = shown.version_create_time = shown.version_update_time = now()
            shown.supported_deployment_resources_types = [api.Model.DeploymentResourcesType.DEDICATED_RESOURCES]
            version = Version(shown, _frozen(vertex, shown.artifact_uri, name, number))
            model.versions[number] = version
            model.alias(version, aliases)
        return api.UploadModelResponse(model=name, model_version_id=number)

    return vertex.begin(name, api.UploadModelOperationMetadata(), work)


def get_model(vertex: Vertex, request: Any) -> Any:
    """A version; the default one where none is named."""
    with vertex.lock:
        return find(vertex, request.name).answer()


def list_models(vertex: Vertex, request: Any) -> Any:
    """The default version of each model, the newest first."""
    parent = vertex.named(request.parent)
    with vertex.lock:
        here = [model.find(DEFAULT) for name, model in vertex.models.items() if name.startswith(f"{parent}/")]
        found, token = page([one for one in reversed(here) if one], request, _NAMES)
        return api.ListModelsResponse(models=[one.answer() for one in found], next_page_token=token)


def list_model_versions(vertex: Vertex, request: Any) -> Any:
    """Every version of a model, the newest first."""
    with vertex.lock:
        versions = list(reversed(_model(vertex, request.name).versions.values()))
        found, token = page(versions, request, _NAMES)
        return api.ListModelVersionsResponse(models=[one.answer() for one in found], next_page_token=token)


def update_model(vertex: Vertex, request: Any) -> Any:
    """Change what of a version may change."""
    with vertex.lock:
        version = find(vertex, request.model.name)
        changed = masked(request.model, request.update_mask, _CHANGEABLE)
        new = api.Model(version.shown)
        for path in changed:
            setattr(new, path, getattr(request.model, path))
        vertex.check_description(new.display_name, dict(new.labels))
        new.update_time = new.version_update_time = now()
        version.shown = new
        return version.answer()


def merge_version_aliases(vertex: Vertex, request: Any) -> Any:
    """Give a version aliases, and take those away that begin with a dash."""
    with vertex.lock:
        model, version = _model(vertex, request.name.partition("@")[0]), find(vertex, request.name)
        added = {one for one in request.version_aliases if not one.startswith("-")}
        removed = {one[1:] for one in request.version_aliases if one.startswith("-")}
        _check_aliases(vertex, added | removed)
        said = "The default alias cannot be removed: give it to another version."
        vertex.world.constraints.demand("default-alias", DEFAULT not in removed - added, invalid(said))
        model.alias(version, added - removed)
        version.shown.version_aliases = [one for one in version.shown.version_aliases if one not in removed - added]
        version.shown.version_update_time = now()
        return version.answer()


def delete_model(vertex: Vertex, request: Any) -> Any:
    """Let go of a model with all its versions."""
    with vertex.lock:
        model = _model(vertex, request.name)
        vertex.alone(model.name)
        for version in model.versions.values():
            _check_unused(vertex, version)

    def work() -> None:
        with vertex.lock:
            vertex.models.pop(model.name, None)

    return vertex.begin(model.name, api.DeleteOperationMetadata(), work)


def delete_model_version(vertex: Vertex, request: Any) -> Any:
    """Let go of one version."""
    with vertex.lock:
        model, version = _model(vertex, request.name.partition("@")[0]), find(vertex, request.name)
        said = f"The default version of {model.name} cannot be deleted: make another one the default."
        vertex.world.constraints.demand(
            "default-alias", DEFAULT not in version.shown.version_aliases, precondition(said)
        )
        _check_unused(vertex, version)
        vertex.alone(model.name)

    def work() -> None:
        with vertex.lock:
            model.versions.pop(version.shown.version_id, None)

    return vertex.begin(model.name, api.DeleteOperationMetadata(), work)


def find(vertex: Vertex, name: str) -> Version:
    """A version by the name of its model, with its number or an alias behind an ``@``; the default one without.

    :raises Refused: where there is none.
    """
    named, _, wanted = name.partition("@")
    found = _model(vertex, named).find(wanted or DEFAULT)
    if found is None:
        raise missing(f"The Model does not exist: {name}.")
    return found


def _model(vertex: Vertex, name: str) -> Model:
    found = vertex.models.get(vertex.named(name.partition("@")[0]))
    if found is None or not found.versions:
        raise missing(f"The Model does not exist: {name}.")
    return found


def _check(vertex: Vertex, shown: Any) -> None:
    demand, world = vertex.world.constraints.demand, vertex.world
    vertex.check_description(shown.display_name, dict(shown.labels))
    _check_aliases(vertex, shown.version_aliases)
    if not shown.container_spec:
        raise left_out("models without a container")
    spec = shown.container_spec
    known = bool(_HUBS.fullmatch(spec.image_uri)) and world.images.find(spec.image_uri) is not None
    said = f"The image {spec.image_uri} is in no repository of Artifact Registry that can be read: push it there."
    demand("image-exists", known, invalid(said))
    bad = [one.name for one in spec.env if not _IDENTIFIER.fullmatch(one.name) or one.name.startswith("AIP_")]
    demand("env-names", not bad, invalid(f"Invalid environment variable names: {', '.join(bad)}."))
    routes = [route for route in (spec.health_route, spec.predict_route) if route and not route.startswith("/")]
    demand("routes", not routes, invalid(f"Routes must begin with a slash: {', '.join(routes)}."))
    if spec.invoke_route_prefix or spec.grpc_ports:
        raise left_out("routes that are invoked, nor gRPC")
    if shown.artifact_uri:
        there = bool(blobs(world.storage, Place.of(_folder(shown.artifact_uri))))
        demand("artifacts-exist", there, invalid(f"There are no objects under {shown.artifact_uri}."))


def _check_aliases(vertex: Vertex, aliases: Iterable[str]) -> None:
    bad = [one for one in aliases if not _ALIAS.fullmatch(one)]
    vertex.world.constraints.demand("alias-names", not bad, invalid(f"Invalid version aliases: {', '.join(bad)}."))


def _check_unused(vertex: Vertex, version: Version) -> None:
    where = sorted({endpoint for endpoint, _ in version.users})
    name, users = version.shown.name, ", ".join(where)
    said = f"The Model {name} is deployed or being deployed at the following Endpoint(s): {users}."
    vertex.world.constraints.demand("model-in-use", not where, precondition(f"{said} Undeploy it first."))


def _frozen(vertex: Vertex, uri: str, name: str, number: str) -> str:
    """A copy of the artifacts in the service's own bucket, as containers get it: its address, or an empty text."""
    if not uri:
        return ""
    storage, place = vertex.world.storage, Place.of(_folder(uri))
    with storage.lock:
        if MANAGED not in [bucket.name for bucket in storage.buckets()]:
            storage.make(MANAGED, _OWNER, {"location": "EU"})
        prefix = f"{name.rpartition('/')[2]}/{number}/artifacts"
        for blob in blobs(storage, place):
            target = f"{prefix}/{blob.name.removeprefix(place.prefix)}"
            check_object_name(vertex.world.constraints, target)
            storage.put(MANAGED, target, blob.data, blob.properties)
    return f"gs://{MANAGED}/{prefix}"


def _folder(uri: str) -> str:
    return uri if uri.endswith("/") else f"{uri}/"


METHODS = {
    "UploadModel": upload_model,
    "GetModel": get_model,
    "ListModels": list_models,
    "ListModelVersions": list_model_versions,
    "UpdateModel": update_model,
    "MergeVersionAliases": merge_version_aliases,
    "DeleteModel": delete_model,
    "DeleteModelVersion": delete_model_version,
}
