"""Datastores: names for containers. Whoever reads them is let in by its own identity; keys and signatures are none."""

from __future__ import annotations

import re

from trivet.rehearsal.fakes.azure.ml.routes import Call
from trivet.rehearsal.fakes.azure.ml.state import Ml, Resource, add_datastore, answer, page
from trivet.rehearsal.fakes.azure.names import left_out
from trivet.rehearsal.fakes.azure.refusals import invalid, missing
from trivet.rehearsal.fakes.refusing import Answer, Refused

_NAME = re.compile(r"[a-zA-Z0-9_]{1,255}")


def create(ml: Ml, call: Call) -> Answer:
    """Name a container."""
    with ml.lock:
        workspace, name = ml.workspace(call), call.fields["name"]
        given = call.body["properties"]
        said = f"Datastore name {name} is invalid: letters, digits and underscores."
        demand = ml.world.constraints.demand
        demand("names", bool(_NAME.fullmatch(name)), invalid(said))
        if given["datastoreType"].lower() != "azureblob":
            raise left_out(f"datastores of type {given['datastoreType']}")
        if given["credentials"]["credentialsType"].lower() != "none":
            raise left_out("datastores with secrets: name none, so that identities count")
        account, container = given.get("accountName") or "", given.get("containerName") or ""
        there = _has(ml, account, container)
        demand("dependencies", there, invalid(f"There is no container {container} in the account {account}."))
        status = 200 if name in workspace.datastores else 201
        made = add_datastore(workspace, name, account, container)
        made.properties |= {key: given[key] for key in ("description", "tags") if given.get(key)}
        return answer(made.shown(), status)


def get(ml: Ml, call: Call) -> Answer:
    """One datastore."""
    with ml.lock:
        return answer(_found(ml, call).shown())


def list_all(ml: Ml, call: Call) -> Answer:
    """All of them, or the one that a job's outputs go to unless it says where."""
    with ml.lock:
        found = list(ml.workspace(call).datastores.values())
        if call.query.get("isDefault", "").lower() == "true":
            found = [one for one in found if one.properties["isDefault"]]
        return page(found, call)


def delete(ml: Ml, call: Call) -> Answer:
    """Forget a name; the container stays."""
    with ml.lock:
        found = ml.workspace(call).datastores.pop(call.fields["name"], None)
    return (200 if found else 204), [], b""


def list_secrets(ml: Ml, call: Call) -> Answer:
    """:raises Refused: there are none."""
    _found(ml, call)
    raise Refused("UserError", "No secrets for credentials of type None.", 404)


METHODS = {
    "Datastores_CreateOrUpdate": create,
    "Datastores_Get": get,
    "Datastores_List": list_all,
    "Datastores_Delete": delete,
    "Datastores_ListSecrets": list_secrets,
}


def _found(ml: Ml, call: Call) -> Resource:
    found = ml.workspace(call).datastores.get(call.fields["name"])
    if found is None:
        raise missing(f"datastores/{call.fields['name']}")
    return found


def _has(ml: Ml, account: str, container: str) -> bool:
    try:
        ml.world.storage.container(account, container)
    except Refused:
        return False
    return True
