"""Models, environments, data and code: versions by name and number, which do not change once they are there."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from trivet.rehearsal.fakes.azure.ml.places import place_of, resolved
from trivet.rehearsal.fakes.azure.ml.routes import Call
from trivet.rehearsal.fakes.azure.ml.state import Ml, Resource, Workspace, answer, page
from trivet.rehearsal.fakes.azure.refusals import conflict, invalid, missing
from trivet.rehearsal.fakes.azure.storage.state import address
from trivet.rehearsal.fakes.refusing import Answer, Refused

FAMILIES = {"models": "Model", "environments": "Environment", "data": "Data", "codes": "Code"}
_NAME = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_-]{0,254}")
_DOTTED = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,254}")
_URIS = {"models": "modelUri", "data": "dataUri", "codes": "codeUri"}
_CHANGEABLE = {"description", "tags", "properties", "isArchived", "stage", "flavors", "inferenceConfig"}
_USUAL: dict[str, Any] = {"description": None, "tags": {}, "properties": {}, "isArchived": False, "isAnonymous": False}
_OF_FAMILY: dict[str, dict[str, Any]] = {
    "models": {"flavors": {}, "modelType": "custom_model"},
    "environments": {"environmentType": "UserCreated", "osType": "Linux"},
}


def create_version(family: str, ml: Ml, call: Call) -> Answer:
    """Make a version, or change what of one may change."""
    name, version, given = call.fields["name"], call.fields["version"], call.body["properties"]
    with ml.lock:
        workspace = ml.workspace(call)
        found = workspace.versions.get((family, name), {}).get(version)
        if found is not None:
            _change(ml, found, given)
            return answer(found.shown())
        _check_name(ml, family, name, version)
        _check_content(ml, workspace, family, given)
        kept = {key: value for key, value in given.items() if value is not None}
        if uri := kept.get(_URIS.get(family, "")):
            kept[_URIS[family]] = resolved(workspace, uri)
        properties = {**_USUAL, **_OF_FAMILY.get(family, {}), **kept, "provisioningState": "Succeeded"}
        if family == "data":
            properties.pop("provisioningState")
        kind = f"workspaces/{family}/versions"
        made = Resource(f"{workspace.resource.id}/{family}/{name}/versions/{version}", kind, properties)
        workspace.versions.setdefault((family, name), {})[version] = made
        _container(workspace, family, name, given)
        return answer(made.shown(), 201)


def get_version(family: str, ml: Ml, call: Call) -> Answer:
    """One version."""
    with ml.lock:
        return answer(_versions(ml, family, call)[call.fields["version"]].shown())


def list_versions(family: str, ml: Ml, call: Call) -> Answer:
    """All versions of a name, the newest first."""
    with ml.lock:
        found = ml.workspace(call).versions.get((family, call.fields["name"]), {})
        kept = [one for one in reversed(found.values()) if _is_tagged(one, call.query.get("tags", ""))]
        return page(kept, call)


def delete_version(family: str, ml: Ml, call: Call) -> Answer:
    """Let go of a version that no deployment has."""
    with ml.lock:
        found = ml.workspace(call).versions.get((family, call.fields["name"]), {}).pop(call.fields["version"], None)
    return (200 if found else 204), [], b""


def create_container(family: str, ml: Ml, call: Call) -> Answer:
    """Describe a name, or archive it."""
    with ml.lock:
        workspace, name = ml.workspace(call), call.fields["name"]
        _check_name(ml, family, name, "1")
        made = _container(workspace, family, name, call.body["properties"])
        made.properties |= {key: value for key, value in call.body["properties"].items() if value is not None}
        return answer(made.shown())


def get_container(family: str, ml: Ml, call: Call) -> Answer:
    """One name, and which version is its latest and its next."""
    with ml.lock:
        found = ml.workspace(call).containers.get((family, call.fields["name"]))
        if found is None:
            raise missing(f"{family}/{call.fields['name']}")
        return answer(found.shown())


def list_containers(family: str, ml: Ml, call: Call) -> Answer:
    """All names."""
    with ml.lock:
        return page([one for (of, _), one in ml.workspace(call).containers.items() if of == family], call)


def start_upload(ml: Ml, call: Call) -> Answer:
    """A container of its own for what is uploaded before a version of it is made, and a signature for it."""
    with ml.lock:
        workspace = ml.workspace(call)
        name = str(uuid.uuid4())
        ml.world.storage.create(workspace.account, name, {})
        where = address(workspace.account, name)
        signed = f"{where}?{ml.world.storage.sign(workspace.account, name, 'rcwl')}"
        reference = {
            "blobUri": where,
            "storageAccountArmId": workspace.resource.properties["storageAccount"],
            "credential": {"credentialType": "SAS", "sasUri": signed},
        }
        content = {"blobReferenceForConsumption": reference, "pendingUploadId": call.body.get("pendingUploadId")}
        return answer({**content, "pendingUploadType": "TemporaryBlobReference"})


def methods() -> dict[str, Callable[[Ml, Call], Answer]]:
    """Of all families alike, by the names of their operations."""
    plain = {
        "Versions_CreateOrUpdate": create_version,
        "Versions_Get": get_version,
        "Versions_List": list_versions,
        "Versions_Delete": delete_version,
        "Containers_CreateOrUpdate": create_container,
        "Containers_Get": get_container,
        "Containers_List": list_containers,
    }
    return {
        f"{of}{operation}": partial(method, family)
        for family, of in FAMILIES.items()
        for operation, method in plain.items()
    }


METHODS = {**methods(), "CodeVersions_CreateOrGetStartPendingUpload": start_upload}


def _versions(ml: Ml, family: str, call: Call) -> dict[str, Resource]:
    found = ml.workspace(call).versions.get((family, call.fields["name"]), {})
    if call.fields["version"] not in found:
        raise missing(f"{family}/{call.fields['name']}/versions/{call.fields['version']}")
    return found


def _container(workspace: Workspace, family: str, name: str, given: dict[str, Any]) -> Resource:
    """The resource of a name, made where it is new, with its latest version and the next number."""
    found = workspace.containers.get((family, name))
    if found is None:
        properties = {"description": None, "tags": {}, "properties": {}, "isArchived": False}
        if "dataType" in given:
            properties["dataType"] = given["dataType"]
        found = Resource(f"{workspace.resource.id}/{family}/{name}", f"workspaces/{family}", properties)
        workspace.containers[family, name] = found
    known = list(workspace.versions.get((family, name), {}))
    numbers = [int(one) for one in known if one.isdecimal()]
    found.properties["latestVersion"] = known[-1] if known else None
    found.properties["nextVersion"] = str(max(numbers, default=0) + 1)
    return found


def _check_name(ml: Ml, family: str, name: str, version: str) -> None:
    pattern = _DOTTED if family in ("models", "environments") else _NAME
    demand = ml.world.constraints.demand
    demand("names", bool(pattern.fullmatch(name)), invalid(f"Asset name {name} is invalid."))
    said = f"Version {version} is invalid: it has at most 30 characters, as those of names."
    demand("names", bool(_DOTTED.fullmatch(version)) and (family == "codes" or len(version) <= 30), invalid(said))


def _check_content(ml: Ml, workspace: Workspace, family: str, given: dict[str, Any]) -> None:
    uri = given.get(_URIS.get(family, ""))
    if not uri:
        return
    there = bool(place_of(ml, workspace, uri).blobs(ml.world.storage)) or str(given.get("dataType")) == "mltable"
    error = Refused("UserError", f"The specified path does not exist: {uri}.", 404)
    ml.world.constraints.demand("dependencies", there, error)


def _change(ml: Ml, found: Resource, given: dict[str, Any]) -> None:
    changed = [
        name
        for name, value in given.items()
        if name not in _CHANGEABLE and value is not None and found.properties.get(name) != value
    ]
    said = f"A field is immutable and cannot be changed: {', '.join(changed)}. Make another version."
    ml.world.constraints.demand("immutable", not changed, conflict(said, "UserError"))
    check_properties(ml, found.properties.get("properties") or {}, given.get("properties"))
    found.properties |= {name: value for name, value in given.items() if value is not None}
    found.touch()


def check_properties(ml: Ml, old: dict[str, str], new: dict[str, str] | None) -> None:
    """:raises Refused: where a property that there is would be another, or none."""
    if new is None:
        return
    lost = [name for name, value in old.items() if new.get(name) != value]
    said = f"Properties can be added but not changed or removed: {', '.join(lost)}."
    ml.world.constraints.demand("properties-kept", not lost, invalid(said, "UserError"))


def _is_tagged(one: Resource, wanted: str) -> bool:
    """Whether it has the tags of a query: names, or names with values, with commas between."""
    tags = one.properties.get("tags") or {}
    pairs = [part.partition("=") for part in wanted.split(",") if part]
    return all(tags.get(name) == value if equals else name in tags for name, equals, value in pairs)
