"""Online endpoints: who gets which part of the traffic, and by which keys their callers are known."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trivet.rehearsal.fakes.azure.ml.routes import Call
from trivet.rehearsal.fakes.azure.ml.serving import Server
from trivet.rehearsal.fakes.azure.ml.state import Ml, Resource, Workspace, answer, page
from trivet.rehearsal.fakes.azure.names import SCORING
from trivet.rehearsal.fakes.azure.refusals import conflict, invalid, missing
from trivet.rehearsal.fakes.refusing import Answer, Refused
from trivet.rehearsal.fakes.served import GOLDEN, pick

NAME = re.compile(r"(?=.{3,32}$)[a-zA-Z](?:-?[a-zA-Z0-9])*")
_MOST = 100  # in a region
_MOST_MIRRORED = 50  # percent
_TOKEN = 3600  # seconds


@dataclass
class Deployment:
    """One deployment; no server where none came up."""

    resource: Resource
    server: Server | None = None

    @property
    def name(self) -> str:
        """The last part of its id."""
        return self.resource.name


@dataclass
class Endpoint:
    """One endpoint and its deployments by name."""

    resource: Resource
    workspace: Workspace
    deployments: dict[str, Deployment] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, float] = field(default_factory=dict)
    asked: int = 0
    mirrored: int = 0

    @property
    def shown(self) -> dict[str, Any]:
        """What is shown of it."""
        return self.resource.properties

    def choose(self) -> Deployment:
        """The deployment for the next request.

        :raises Refused: where nobody gets traffic.
        """
        shares = self.shown["traffic"].items()
        traffic = {name: float(share) for name, share in shares if share and name in self.deployments}
        if not traffic:
            raise Refused("NotFound", f"Endpoint {self.resource.name} has no deployment with traffic.", 404)
        self.asked += 1
        return self.deployments[pick(traffic, self.asked * GOLDEN % 1)]

    def mirror(self) -> Deployment | None:
        """The deployment that is to see the next request too."""
        for name, share in self.shown["mirrorTraffic"].items():
            self.mirrored += 1
            if self.mirrored * GOLDEN % 1 < share / 100:
                return self.deployments.get(name)
        return None


def create(ml: Ml, call: Call) -> Answer:
    """Make an endpoint, or give one other traffic."""
    name, body = call.fields["endpoint_name"], call.body
    given = body["properties"]
    demand = ml.world.constraints.demand
    with ml.lock:
        workspace = ml.workspace(call)
        found = workspace.endpoints.get(name)
        if found is not None:
            return _change(ml, found, body)
        said = f"Endpoint name {name} is invalid: 3 to 32 letters, digits and single dashes, the first a letter."
        demand("endpoint-names", bool(NAME.fullmatch(name)), invalid(said))
        number = sum(len(one.endpoints) for one in ml.workspaces.values())
        said = f"The limit of {_MOST} endpoints in this region is reached."
        demand("endpoint-counts", number < _MOST, Refused("QuotaExceeded", said))
        _check_traffic(ml, given, {})
        host = f"https://{name}.{workspace.location}.{SCORING}"
        kept = {key: value for key, value in given.items() if key not in ("traffic", "mirrorTraffic", "keys")}
        properties = {
            **{"publicNetworkAccess": "Enabled", "description": None, "properties": {}},
            **{key: value for key, value in kept.items() if value is not None},
            **{"traffic": dict(given.get("traffic") or {}), "mirrorTraffic": dict(given.get("mirrorTraffic") or {})},
            **{"scoringUri": f"{host}/score", "swaggerUri": f"{host}/swagger.json", "provisioningState": "Creating"},
        }
        more = {"kind": "Managed", "tags": {}, **{key: one for key, one in body.items() if key != "properties"}}
        resource = Resource(
            f"{workspace.resource.id}/onlineEndpoints/{name}", "workspaces/onlineEndpoints", properties, more
        )
        made = workspace.endpoints[name] = Endpoint(resource, workspace)
        made.keys = {one: secrets.token_urlsafe(24) for one in ("primaryKey", "secondaryKey")}
        return _begun(ml, made, 201)


def get(ml: Ml, call: Call) -> Answer:
    """One endpoint."""
    with ml.lock:
        return answer(find(ml, call).resource.shown())


def list_all(ml: Ml, call: Call) -> Answer:
    """All endpoints."""
    with ml.lock:
        return page([one.resource for one in ml.workspace(call).endpoints.values()], call)


def update(ml: Ml, call: Call) -> Answer:
    """Change tags and identity alone."""
    with ml.lock:
        found = find(ml, call)
        found.resource.more |= {key: call.body[key] for key in ("tags", "identity") if call.body.get(key) is not None}
        return _begun(ml, found, 202)


def delete(ml: Ml, call: Call) -> Answer:
    """Let go of an endpoint and all its deployments."""
    with ml.lock:
        workspace = ml.workspace(call)
        found = workspace.endpoints.get(call.fields["endpoint_name"])
        if found is None:
            return 204, [], b""
        found.shown["provisioningState"] = "Deleting"

    def work() -> None:
        with ml.lock:
            workspace.endpoints.pop(found.resource.name, None)
        for one in found.deployments.values():
            leave(one.server)

    return ml.accepted(ml.begin(found.resource.id, work), workspace.location)


def list_keys(ml: Ml, call: Call) -> Answer:
    """The two keys of an endpoint that is asked by keys."""
    with ml.lock:
        found = find(ml, call)
        said = f"Endpoint {found.resource.name} is asked with {found.shown['authMode']}, not by keys."
        ml.world.constraints.demand("auth-mode", found.shown["authMode"].lower() == "key", invalid(said))
        return answer(found.keys)


def regenerate_keys(ml: Ml, call: Call) -> Answer:
    """Have another first or second key."""
    with ml.lock:
        found = find(ml, call)
        name = "primaryKey" if call.body["keyType"].lower() == "primary" else "secondaryKey"
        found.keys[name] = secrets.token_urlsafe(24)  # whatever keyValue says: the SDK sends the old one
        return ml.accepted(ml.begin(found.resource.id, lambda: None), found.workspace.location)


def get_token(ml: Ml, call: Call) -> Answer:
    """A token of an endpoint that is asked by its own tokens."""
    with ml.lock:
        found = find(ml, call)
        said = f"Endpoint {found.resource.name} is asked with {found.shown['authMode']}, not by tokens of its own."
        ml.world.constraints.demand("auth-mode", found.shown["authMode"].lower() == "amltoken", invalid(said))
        token, until = secrets.token_urlsafe(32), time.time() + _TOKEN
        found.tokens[token] = until
        content = {"accessToken": token, "expiryTimeUtc": int(until), "refreshAfterTimeUtc": int(until - 600)}
        return answer({**content, "tokenType": "Bearer"})


METHODS = {
    "OnlineEndpoints_CreateOrUpdate": create,
    "OnlineEndpoints_Get": get,
    "OnlineEndpoints_List": list_all,
    "OnlineEndpoints_Update": update,
    "OnlineEndpoints_Delete": delete,
    "OnlineEndpoints_ListKeys": list_keys,
    "OnlineEndpoints_RegenerateKeys": regenerate_keys,
    "OnlineEndpoints_GetToken": get_token,
}


def find(ml: Ml, call: Call) -> Endpoint:
    """The endpoint of a path.

    :raises Refused: where there is none.
    """
    found = ml.workspace(call).endpoints.get(call.fields["endpoint_name"])
    if found is None:
        raise missing(f"onlineEndpoints/{call.fields['endpoint_name']}")
    return found


def leave(server: Server | None) -> None:
    """Have a server finish and end, without waiting for it."""
    if server is not None:
        threading.Thread(target=server.stop, name=f"stop {server.name}", daemon=True).start()


def _begun(ml: Ml, endpoint: Endpoint, status: int) -> Answer:
    """The answer while an endpoint becomes what it shall be."""

    def work() -> None:
        with ml.lock:
            endpoint.shown["provisioningState"] = "Succeeded"

    endpoint.resource.touch()
    shown = endpoint.resource.shown()
    return ml.accepted(ml.begin(endpoint.resource.id, work), endpoint.workspace.location, status, shown)


def _change(ml: Ml, endpoint: Endpoint, body: dict[str, Any]) -> Answer:
    given = body["properties"]
    same = given["authMode"].lower() == endpoint.shown["authMode"].lower()
    said = "The authMode of an endpoint cannot be changed: make another endpoint."
    ml.world.constraints.demand("auth-mode", same, conflict(said, "UserError"))
    _check_traffic(ml, given, endpoint.deployments)
    for name in ("traffic", "mirrorTraffic", "description", "properties", "publicNetworkAccess"):
        if given.get(name) is not None:
            endpoint.shown[name] = given[name]
    endpoint.resource.more |= {key: body[key] for key in ("tags", "identity") if body.get(key) is not None}
    endpoint.shown["provisioningState"] = "Updating"
    return _begun(ml, endpoint, 200)


def _check_traffic(ml: Ml, given: dict[str, Any], there: Mapping[str, Deployment]) -> None:
    traffic, mirror = given.get("traffic") or {}, given.get("mirrorTraffic") or {}
    demand = ml.world.constraints.demand
    total = sum(traffic.values())
    said = f"Traffic percentages must add up to 0 or 100, and not to {total}."
    good = total in (0, 100) and all(share >= 0 for share in traffic.values())
    demand("traffic-sum", good, invalid(said, "InvalidTraffic"))
    unknown = sorted(name for name in (*traffic, *mirror) if name not in there)
    said = f"Traffic goes to deployments that do not exist: {', '.join(unknown)}."
    demand("traffic-deployed", not unknown, invalid(said, "InvalidTraffic"))
    shares = [share for share in mirror.values() if share]
    few = len(shares) <= 1 and all(0 <= share <= _MOST_MIRRORED for share in shares)
    both = [name for name, share in mirror.items() if share and traffic.get(name)]
    said = f"At most {_MOST_MIRRORED} percent of the traffic is mirrored, to one deployment that gets no other."
    demand("mirror-traffic", few and not both, invalid(said, "InvalidTraffic"))
