"""Workspaces, their keys' and storage's resources beside them, and computes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from trivet.rehearsal.fakes.azure.ml.routes import Call
from trivet.rehearsal.fakes.azure.ml.state import (
    Ml,
    Resource,
    add_workspace,
    answer,
    check_subscription,
    page,
)
from trivet.rehearsal.fakes.azure.names import LOCATION
from trivet.rehearsal.fakes.azure.refusals import conflict, invalid, missing
from trivet.rehearsal.fakes.refusing import Answer, Refused
from trivet.rehearsal.fakes.server import Request

_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_WORKSPACE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{2,32}")
_COMPUTE = re.compile(r"(?=.{2,32}$)[a-zA-Z](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?")
_STORAGE = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Storage/storageAccounts/([^/]+)", re.IGNORECASE
)
_CHANGEABLE = ("description", "friendlyName", "publicNetworkAccess", "primaryUserAssignedIdentity")


def create(ml: Ml, call: Call) -> Answer:
    """Make a workspace, or change one."""
    check_subscription(call)
    name, body = call.fields["workspace_name"], call.body
    demand = ml.world.constraints.demand
    said = f"Workspace name {name} is invalid: 3 to 33 letters, digits, dashes and underscores."
    demand("names", bool(_WORKSPACE.fullmatch(name)), invalid(said))
    said = f"Soft-deleted workspace {name} exists: recover or purge it, or take another name."
    demand("soft-delete", name not in ml.deleted, conflict(said, "SoftDeletedWorkspaceExists"))
    given = body.get("properties") or {}
    account = str(given.get("storageAccount", "")).rpartition("/")[2]
    there = account in ml.world.storage.accounts()
    demand("dependencies", there, invalid(f"The storage account {account or '(none)'} was not found."))
    more = {key: value for key, value in body.items() if key != "properties"}
    with ml.lock:
        if name in ml.workspaces:
            found = ml.workspaces[name].resource
            found.more |= more
            found.properties |= {key: given[key] for key in _CHANGEABLE if key in given}
            return answer(found.shown())
        more.setdefault("location", LOCATION)
        made = add_workspace(ml, name, call.fields["resource_group_name"], account, more, given)
        operation = ml.begin(made.resource.id, lambda: None)
        return ml.accepted(operation, made.location, 201, made.resource.shown())


def get(ml: Ml, call: Call) -> Answer:
    """One workspace."""
    with ml.lock:
        return answer(ml.workspace(call).resource.shown())


def list_all(ml: Ml, call: Call) -> Answer:
    """All of a group, or of the subscription."""
    check_subscription(call)
    with ml.lock:
        return page([one.resource for one in ml.workspaces.values()], call)


def update(ml: Ml, call: Call) -> Answer:
    """Change what of a workspace may change."""
    with ml.lock:
        found = ml.workspace(call).resource
        given = call.body.get("properties") or {}
        found.properties |= {key: given[key] for key in _CHANGEABLE if key in given}
        found.more |= {key: call.body[key] for key in ("tags", "identity") if key in call.body}
        found.touch()
        return answer(found.shown())


def delete(ml: Ml, call: Call) -> Answer:
    """Let go of a workspace, which can be recovered unless it is purged at once."""
    with ml.lock:
        found = ml.workspace(call)
        name = found.resource.name
        del ml.workspaces[name]
        if call.query.get("forceToPurge", "").lower() != "true":
            ml.deleted[name] = found
    return ml.accepted(ml.begin(found.resource.id, lambda: None), found.location)


def create_compute(ml: Ml, call: Call) -> Answer:
    """Make a cluster that jobs may name."""
    with ml.lock:
        workspace, name = ml.workspace(call), call.fields["compute_name"]
        said = f"Compute name {name} is invalid: 2 to 32 letters, digits and dashes, the first a letter."
        ml.world.constraints.demand("names", bool(_COMPUTE.fullmatch(name)), invalid(said))
        properties = {**call.body["properties"], "provisioningState": "Succeeded"}
        more = {key: value for key, value in call.body.items() if key != "properties"}
        made = Resource(f"{workspace.resource.id}/computes/{name}", "workspaces/computes", properties, more)
        workspace.computes[name] = made
        operation = ml.begin(made.id, lambda: None)
        return ml.accepted(operation, workspace.location, 201, made.shown())


def get_compute(ml: Ml, call: Call) -> Answer:
    """One cluster."""
    with ml.lock:
        found = ml.workspace(call).computes.get(call.fields["compute_name"])
        if found is None:
            raise missing(f"computes/{call.fields['compute_name']}")
        return answer(found.shown())


def list_computes(ml: Ml, call: Call) -> Answer:
    """All clusters."""
    with ml.lock:
        return page(ml.workspace(call).computes.values(), call)


def delete_compute(ml: Ml, call: Call) -> Answer:
    """Let go of a cluster."""
    with ml.lock:
        workspace = ml.workspace(call)
        found = workspace.computes.pop(call.fields["compute_name"], None)
    if found is None:
        return 204, [], b""
    return ml.accepted(ml.begin(found.id, lambda: None), workspace.location)


METHODS = {
    "Workspaces_CreateOrUpdate": create,
    "Workspaces_Get": get,
    "Workspaces_ListByResourceGroup": list_all,
    "Workspaces_ListBySubscription": list_all,
    "Workspaces_Update": update,
    "Workspaces_Delete": delete,
    "Compute_CreateOrUpdate": create_compute,
    "Compute_Get": get_compute,
    "Compute_List": list_computes,
    "Compute_Delete": delete_compute,
}


STORAGE_ACCOUNTS = {
    "PUT": "StorageAccounts_Create",
    "GET": "StorageAccounts_GetProperties",
    "DELETE": "StorageAccounts_Delete",
}


def other(request: Request) -> tuple[str, Callable[[Ml, Request], Answer]] | None:
    """What of a storage account is asked of ARM; its files are Blob Storage's."""
    found = _STORAGE.fullmatch(unquote(request.path))
    methods = {"PUT": _create_account, "GET": _account, "DELETE": _delete_account}
    if found is None or request.method not in methods:
        return None
    return STORAGE_ACCOUNTS[request.method], methods[request.method]


def _create_account(ml: Ml, request: Request) -> Answer:
    name, _ = _named(request)
    said = f"{name} is not a valid storage account name: it must have 3 to 24 numbers and lower-case letters."
    error = Refused("AccountNameInvalid", said)
    ml.world.constraints.demand("account-names", bool(_ACCOUNT.fullmatch(name)), error)
    ml.world.storage.open(name)
    return _account(ml, request)


def _account(ml: Ml, request: Request) -> Answer:
    name, path = _named(request)
    if name not in ml.world.storage.accounts():
        raise missing(f"Microsoft.Storage/storageAccounts/{name}")
    properties: dict[str, Any] = {"provisioningState": "Succeeded", "allowSharedKeyAccess": False}
    properties["primaryEndpoints"] = {"blob": f"https://{name}.blob.core.windows.net/"}
    whole = {"id": path, "name": name, "type": "Microsoft.Storage/storageAccounts", "location": LOCATION}
    whole |= {"kind": "StorageV2", "sku": {"name": "Standard_LRS", "tier": "Standard"}, "properties": properties}
    return 200, [("Content-Type", "application/json")], json.dumps(whole).encode()


def _delete_account(ml: Ml, request: Request) -> Answer:
    name, _ = _named(request)
    ml.world.storage.close(name)
    return 200, [], b""


def _named(request: Request) -> tuple[str, str]:
    path = unquote(request.path)
    return path.rpartition("/")[2], path
