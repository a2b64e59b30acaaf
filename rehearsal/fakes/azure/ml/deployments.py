"""Managed online deployments: what is behind an endpoint, of a model, an environment and settings."""

from __future__ import annotations

from typing import Any

import isodate

from trivet.rehearsal.fakes.azure.ml.endpoints import NAME, Deployment, Endpoint, find, leave
from trivet.rehearsal.fakes.azure.ml.routes import Call
from trivet.rehearsal.fakes.azure.ml.serving import Server
from trivet.rehearsal.fakes.azure.ml.state import Ml, Resource, answer, find_resource, page
from trivet.rehearsal.fakes.azure.names import left_out
from trivet.rehearsal.fakes.azure.refusals import conflict, invalid, missing
from trivet.rehearsal.fakes.azure.world import MODELS
from trivet.rehearsal.fakes.refusing import Answer, Refused

_MOST, _MOST_INSTANCES = 20, 50
_LONGEST = 180.0  # seconds of a request
_PROBE = {"initialDelay": "PT10S", "period": "PT10S", "timeout": "PT2S", "successThreshold": 1, "failureThreshold": 30}
_SETTINGS = {"maxConcurrentRequestsPerInstance": 1, "requestTimeout": "PT5S", "maxQueueWait": "PT0.5S"}
_ROUTES = ("livenessRoute", "readinessRoute", "scoringRoute")


def create(ml: Ml, call: Call) -> Answer:
    """Start a deployment, or another in its place under the same name."""
    name, given = call.fields["deployment_name"], call.body["properties"]
    demand = ml.world.constraints.demand
    with ml.lock:
        endpoint = find(ml, call)
        said = f"Deployment name {name} is invalid: 3 to 32 letters, digits and single dashes, the first a letter."
        demand("endpoint-names", bool(NAME.fullmatch(name)), invalid(said))
        few = name in endpoint.deployments or len(endpoint.deployments) < _MOST
        said = f"Endpoint {endpoint.resource.name} has {_MOST} deployments, which is the limit."
        demand("endpoint-counts", few, Refused("QuotaExceeded", said))
        _check(ml, call.body)
        kept = {key: value for key, value in given.items() if value is not None}
        properties = {
            **{"environmentVariables": {}, "properties": {}, "description": None, "appInsightsEnabled": False},
            **{"scaleSettings": {"scaleType": "Default"}, "egressPublicNetworkAccess": "Enabled"},
            **kept,
            "requestSettings": {**_SETTINGS, **(given.get("requestSettings") or {})},
            "livenessProbe": {**_PROBE, **(given.get("livenessProbe") or {})},
            "readinessProbe": {**_PROBE, **(given.get("readinessProbe") or {})},
            "provisioningState": "Creating",
        }
        more = {"kind": "Managed", "tags": {}, **{key: one for key, one in call.body.items() if key != "properties"}}
        path = f"{endpoint.resource.id}/deployments/{name}"
        resource = Resource(path, "workspaces/onlineEndpoints/deployments", properties, more)
        return _begun(ml, endpoint, resource)


def get(ml: Ml, call: Call) -> Answer:
    """One deployment."""
    with ml.lock:
        return answer(_found(ml, call).resource.shown())


def list_all(ml: Ml, call: Call) -> Answer:
    """All of an endpoint."""
    with ml.lock:
        return page([one.resource for one in find(ml, call).deployments.values()], call)


def update(ml: Ml, call: Call) -> Answer:
    """Change the number of instances and tags, without another container."""
    with ml.lock:
        endpoint, found = find(ml, call), _found(ml, call)
        capacity = (call.body.get("sku") or {}).get("capacity")
        if capacity is not None:
            _check_instances(ml, capacity, found.resource.properties.get("instanceType"))
            found.resource.more["sku"] = {**found.resource.more["sku"], "capacity": capacity}
        if call.body.get("tags") is not None:
            found.resource.more["tags"] = call.body["tags"]
        found.resource.touch()
        shown = found.resource.shown()
        return ml.accepted(ml.begin(found.resource.id, lambda: None), endpoint.workspace.location, 202, shown)


def delete(ml: Ml, call: Call) -> Answer:
    """Let go of a deployment that gets no traffic."""
    with ml.lock:
        endpoint = find(ml, call)
        found = endpoint.deployments.get(call.fields["deployment_name"])
        if found is None:
            return 204, [], b""
        busy = endpoint.shown["traffic"].get(found.name) or endpoint.shown["mirrorTraffic"].get(found.name)
        said = f"Cannot delete deployment {found.name} with traffic: set its traffic to 0 first."
        ml.world.constraints.demand("deployment-traffic", not busy, conflict(said, "UserError"))
        found.resource.properties["provisioningState"] = "Deleting"

    def work() -> None:
        with ml.lock:
            endpoint.deployments.pop(found.name, None)
            for split in ("traffic", "mirrorTraffic"):
                endpoint.shown[split].pop(found.name, None)
        leave(found.server)

    return ml.accepted(ml.begin(found.resource.id, work), endpoint.workspace.location)


def get_logs(ml: Ml, call: Call) -> Answer:
    """What the container said last."""
    with ml.lock:
        found = _found(ml, call)
        lines = list(found.server.said) if found.server else []
    tail = int(call.body.get("tail") or 5000)
    return answer({"content": "".join(f"{line}\n" for line in lines[-tail:])})


METHODS = {
    "OnlineDeployments_CreateOrUpdate": create,
    "OnlineDeployments_Get": get,
    "OnlineDeployments_List": list_all,
    "OnlineDeployments_Update": update,
    "OnlineDeployments_Delete": delete,
    "OnlineDeployments_GetLogs": get_logs,
}


def _found(ml: Ml, call: Call) -> Deployment:
    found = find(ml, call).deployments.get(call.fields["deployment_name"])
    if found is None:
        raise missing(f"onlineEndpoints/{call.fields['endpoint_name']}/deployments/{call.fields['deployment_name']}")
    return found


def _begun(ml: Ml, endpoint: Endpoint, resource: Resource) -> Answer:
    """Start its container; the one that had the name before serves until then, and goes on where this fails."""
    old = endpoint.deployments.get(resource.name)
    made = Deployment(resource)
    server = made.server = Server(ml, endpoint.workspace, resource)
    if old is None:
        endpoint.deployments[resource.name] = made
    else:
        old.resource.properties["provisioningState"] = "Updating"

    def work() -> None:
        server.start()
        with ml.lock:
            resource.properties["provisioningState"] = "Succeeded"
            endpoint.deployments[resource.name] = made
        if old is not None:
            leave(old.server)

    def fail(_error: Refused) -> None:
        (old.resource if old else resource).properties["provisioningState"] = "Failed"
        server.failed = True
        leave(server)

    status = 201 if old is None else 200
    return ml.accepted(ml.begin(resource.id, work, fail), endpoint.workspace.location, status, resource.shown())


def _check(ml: Ml, body: dict[str, Any]) -> None:
    given, demand = body["properties"], ml.world.constraints.demand
    if given["endpointComputeType"].lower() != "managed":
        raise left_out(f"deployments on {given['endpointComputeType']}")
    if given.get("codeConfiguration"):
        raise left_out("scoring scripts: name an image that serves by itself")
    _check_instances(ml, (body.get("sku") or {}).get("capacity"), given.get("instanceType"))
    environment = find_resource(ml, given.get("environmentId") or "", "environments")
    said = f"environmentId: there is no {given.get('environmentId')}."
    demand("dependencies", environment is not None, invalid(said, "UserError"))
    said = f"model: there is no {given.get('model')}."
    there = not given.get("model") or find_resource(ml, given["model"], "models") is not None
    demand("dependencies", there, invalid(said, "UserError"))
    config = (environment.properties.get("inferenceConfig") if environment else None) or {}
    bad = [name for name in _ROUTES if not {"port", "path"} <= set(config.get(name) or {})]
    said = f"The environment's inferenceConfig lacks {', '.join(bad)}, each with port and path."
    demand("inference-routes", not bad, invalid(said, "UserError"))
    longest = (given.get("requestSettings") or {}).get("requestTimeout", "PT5S")
    said = f"requestTimeout {longest} is too long: at most PT180S."
    demand("request-timeout", isodate.parse_duration(longest).total_seconds() <= _LONGEST, invalid(said))
    mount = given.get("modelMountPath") or str(MODELS)
    if not f"{mount}/".startswith(f"{MODELS}/"):
        raise left_out(f"modelMountPath outside {MODELS}")


def _check_instances(ml: Ml, capacity: Any, kind: str | None) -> None:
    said = f"A managed deployment needs an instanceType, and 1 to {_MOST_INSTANCES} instances: {kind}, {capacity}."
    good = bool(kind) and isinstance(capacity, int) and 1 <= capacity <= _MOST_INSTANCES
    ml.world.constraints.demand("instances", good, invalid(said, "BadArgument"))
