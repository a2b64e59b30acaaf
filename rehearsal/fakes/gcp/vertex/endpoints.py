"""The methods on endpoints: what is deployed to them, and who gets which part of the traffic."""

from __future__ import annotations

import re
import secrets
import threading
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from google.cloud import aiplatform_v1 as api

from trivet.rehearsal.fakes.gcp.refusals import invalid, left_out, missing, precondition, refused
from trivet.rehearsal.fakes.gcp.vertex.models import find
from trivet.rehearsal.fakes.gcp.vertex.names import masked
from trivet.rehearsal.fakes.gcp.vertex.serving import Server
from trivet.rehearsal.fakes.gcp.vertex.state import Vertex, new_id, now, page
from trivet.rehearsal.fakes.refusing import Refused
from trivet.rehearsal.fakes.served import GOLDEN, pick

THE_NEW_ONE = "0"
_ID = re.compile(r"[1-9][0-9]{0,8}|[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_DEPLOYED_ID = re.compile(r"[0-9]{1,10}")
_NAMES = {
    "endpoint": lambda endpoint: endpoint.shown.name.rpartition("/")[2],
    "name": lambda endpoint: endpoint.shown.name,
    "display_name": lambda endpoint: endpoint.shown.display_name,
    "labels": lambda endpoint: endpoint.shown.labels,
    "create_time": lambda endpoint: endpoint.shown.create_time.isoformat(),
    "update_time": lambda endpoint: endpoint.shown.update_time.isoformat(),
}
_NAMES |= {"displayName": _NAMES["display_name"]}
_MUTABLE = tuple(
    f"dedicated_resources.{name}" for name in ("min_replica_count", "max_replica_count", "autoscaling_metric_specs")
)
_CHANGEABLE = ("display_name", "description", "labels", "traffic_split")


@dataclass
class Endpoint:
    """One endpoint and its servers by the ids of their deployed models."""

    shown: api.Endpoint
    servers: dict[str, Server] = field(default_factory=dict)
    deploying: set[str] = field(default_factory=set)
    """Ids of those that do not serve yet."""
    asked: int = 0

    def answer(self) -> Any:
        """As the service shows it, with an etag that follows from all that it says."""
        shown = api.Endpoint(self.shown)
        shown.etag = sha256(api.Endpoint.pb(shown).SerializeToString(deterministic=True)).hexdigest()[:16]
        return shown

    def split(self, wanted: dict[str, int]) -> None:
        """Give it another traffic split; those that get nothing are not in it."""
        self.shown.traffic_split = {one: share for one, share in wanted.items() if share}

    def choose(self) -> Server:
        """The server for the next request, counted in: whoever asks it calls its ``release`` afterwards.

        :raises Refused: where nobody gets traffic.
        """
        split = {one: float(share) for one, share in self.shown.traffic_split.items() if one in self.servers}
        if not split:
            raise precondition(f"Endpoint {self.shown.name} doesn't have traffic_split.")
        self.asked += 1
        server = self.servers[pick(split, self.asked * GOLDEN % 1)]
        server.take()
        return server


def create_endpoint(vertex: Vertex, request: Any) -> Any:
    """Hold an endpoint without models."""
    parent, shown, given = vertex.named(request.parent), api.Endpoint(request.endpoint), request.endpoint_id
    vertex.check_description(shown.display_name, dict(shown.labels))
    vertex.check_key(parent, shown.encryption_spec.kms_key_name)
    if shown.network or shown.private_service_connect_config or shown.enable_private_service_connect:
        raise left_out("private endpoints")
    if shown.dedicated_endpoint_enabled:
        raise left_out("dedicated endpoints")
    demand = vertex.world.constraints.demand
    demand("endpoint-ids", not given or bool(_ID.fullmatch(given)), invalid(f"Invalid endpoint_id: '{given}'."))
    name = f"{parent}/endpoints/{given or new_id()}"
    with vertex.lock:
        _check_split(vertex, dict(shown.traffic_split), set())
        taken = refused("ALREADY_EXISTS", f"Endpoint {name} already exists.")
        demand("names-taken", name not in vertex.endpoints, taken)

    def work() -> Any:
        with vertex.lock:
            shown.name, shown.create_time = name, now()
            shown.update_time = shown.create_time
            vertex.endpoints[name] = Endpoint(shown)
            return vertex.endpoints[name].answer()

    return vertex.begin(name, api.CreateEndpointOperationMetadata(), work)


def get_endpoint(vertex: Vertex, request: Any) -> Any:
    """What is deployed, and who gets which part of the traffic."""
    with vertex.lock:
        return get(vertex, request.name).answer()


def list_endpoints(vertex: Vertex, request: Any) -> Any:
    """Endpoints, the newest first."""
    parent = vertex.named(request.parent)
    with vertex.lock:
        here = [one for name, one in reversed(vertex.endpoints.items()) if name.startswith(f"{parent}/")]
        found, token = page(here, request, _NAMES)
        return api.ListEndpointsResponse(endpoints=[one.answer() for one in found], next_page_token=token)


def update_endpoint(vertex: Vertex, request: Any) -> Any:
    """Change what of an endpoint may change."""
    with vertex.lock:
        endpoint = _idle(vertex, request.endpoint.name)
        changed = masked(request.endpoint, request.update_mask, _CHANGEABLE)
        etag = request.endpoint.etag
        said = f"The etag of Endpoint {endpoint.shown.name} is no longer {etag}: read it again."
        fresh = not etag or etag == endpoint.answer().etag
        vertex.world.constraints.demand("etags", fresh, refused("ABORTED", said))
        new = api.Endpoint(endpoint.shown)
        for path in changed:
            setattr(new, path, getattr(request.endpoint, path))
        vertex.check_description(new.display_name, dict(new.labels))
        split = dict(new.traffic_split)
        if "traffic_split" in changed:
            _check_split(vertex, split, set(endpoint.servers))
        new.update_time = now()
        endpoint.shown = new
        endpoint.split(split)
        return endpoint.answer()


def delete_endpoint(vertex: Vertex, request: Any) -> Any:
    """Let go of an endpoint without models."""
    with vertex.lock:
        endpoint = _idle(vertex, request.name)
        busy = bool(endpoint.servers or endpoint.deploying)
        said = f"Endpoint {endpoint.shown.name} has deployed or being-deployed DeployedModel(s): undeploy them first."
        vertex.world.constraints.demand("endpoint-empty", not busy, precondition(said))
        name = endpoint.shown.name

    def work() -> None:
        with vertex.lock:
            vertex.endpoints.pop(name, None)
        for server in list(endpoint.servers.values()):
            _leave(vertex, name, server)

    return vertex.begin(name, api.DeleteOperationMetadata(), work)


def deploy_model(vertex: Vertex, request: Any) -> Any:
    """Start a model's container behind an endpoint; its id is known when it serves."""
    deployed = api.DeployedModel(request.deployed_model)
    with vertex.lock:
        endpoint = _idle(vertex, request.endpoint)
        name = endpoint.shown.name
        version = find(vertex, deployed.model)
        _check_deployed(vertex, deployed, endpoint)
        split = dict(request.traffic_split)
        _check_split(vertex, split, {*endpoint.servers, THE_NEW_ONE})
        deployed.id = deployed.id or str(secrets.randbelow(9 * 10**9) + 10**9)
        deployed.model, deployed.model_version_id = version.shown.name, version.shown.version_id
        deployed.display_name = deployed.display_name or version.shown.display_name
        server = Server(vertex, name, deployed, version)
        endpoint.deploying.add(deployed.id)
        version.users.add((name, ""))

    def work() -> Any:
        try:
            _check_quota(vertex, deployed)
            server.start()
        except Refused:
            with vertex.lock:
                endpoint.deploying.discard(deployed.id)
                version.users.discard((name, ""))
            server.stop()
            raise
        with vertex.lock:
            endpoint.deploying.discard(deployed.id)
            version.users.discard((name, ""))
            version.users.add((name, deployed.id))
            deployed.create_time = now()
            endpoint.servers[deployed.id] = server
            endpoint.shown.deployed_models = [*endpoint.shown.deployed_models, deployed]
            if split:
                endpoint.split({deployed.id if one == THE_NEW_ONE else one: share for one, share in split.items()})
            endpoint.shown.update_time = now()
        return api.DeployModelResponse(deployed_model=deployed)

    return vertex.begin(name, api.DeployModelOperationMetadata(), work, quick=False)


def undeploy_model(vertex: Vertex, request: Any) -> Any:
    """Take a model from an endpoint, and end its container when it has answered what it was asked."""
    gone = request.deployed_model_id
    with vertex.lock:
        endpoint = _idle(vertex, request.endpoint)
        if gone not in endpoint.servers:
            raise missing(f"The DeployedModel {gone} is not found on Endpoint {endpoint.shown.name}.")
        split = dict(request.traffic_split)
        _check_split(vertex, split, set(endpoint.servers))
        after = split or dict(endpoint.shown.traffic_split)
        last = len(endpoint.servers) == 1
        said = f"The DeployedModel {gone} gets traffic: give it to another one with this call or before."
        vertex.world.constraints.demand("undeploy-traffic", last or not after.get(gone), precondition(said))

    def work() -> Any:
        with vertex.lock:
            server = endpoint.servers.pop(gone, None)
            endpoint.shown.deployed_models = [one for one in endpoint.shown.deployed_models if one.id != gone]
            endpoint.split({one: share for one, share in after.items() if one in endpoint.servers})
            endpoint.shown.update_time = now()
        if server is not None:
            _leave(vertex, endpoint.shown.name, server)
        return api.UndeployModelResponse()

    return vertex.begin(endpoint.shown.name, api.UndeployModelOperationMetadata(), work)


def mutate_deployed_model(vertex: Vertex, request: Any) -> Any:
    """Change what of a deployed model may change: how many replicas it has, and by what it scales."""
    with vertex.lock:
        endpoint, wanted = _idle(vertex, request.endpoint), request.deployed_model
        found = next((one for one in endpoint.shown.deployed_models if one.id == wanted.id), None)
        if found is None:
            raise missing(f"The DeployedModel {wanted.id} is not found on Endpoint {endpoint.shown.name}.")
        new = api.DeployedModel(found)
        for path in masked(wanted, request.update_mask, _MUTABLE):
            setattr(new.dedicated_resources, path.partition(".")[2], _inside(wanted, path))
        _check_resources(vertex, new)

    def work() -> Any:
        with vertex.lock:
            others = (one if one.id != new.id else new for one in endpoint.shown.deployed_models)
            endpoint.shown.deployed_models = list(others)
            endpoint.shown.update_time = now()
        return api.MutateDeployedModelResponse(deployed_model=new)

    return vertex.begin(endpoint.shown.name, api.MutateDeployedModelOperationMetadata(), work)


def _inside(deployed: Any, path: str) -> Any:
    return getattr(deployed.dedicated_resources, path.partition(".")[2])


def get(vertex: Vertex, name: str) -> Endpoint:
    """:raises Refused: where there is none."""
    found = vertex.endpoints.get(vertex.named(name))
    if found is None:
        raise missing(f"Endpoint {name} is not found.")
    return found


def _idle(vertex: Vertex, name: str) -> Endpoint:
    """One to which nothing happens.

    :raises Refused: where there is none, or something does.
    """
    found = get(vertex, name)
    vertex.alone(found.shown.name)
    return found


def _leave(vertex: Vertex, endpoint: str, server: Server) -> None:
    with vertex.lock:
        server.version.users.discard((endpoint, server.name))
    threading.Thread(target=server.stop, name=f"stop {server.name}", daemon=True).start()


def _check_split(vertex: Vertex, split: dict[str, int], known: set[str]) -> None:
    demand = vertex.world.constraints.demand
    total, low = sum(split.values()), [share for share in split.values() if not 0 <= share <= 100]
    said = f"The traffic percentage values must add up to 100, and add up to {total}."
    demand("traffic-sum", not split or (total == 100 and not low), invalid(said))
    unknown = sorted(set(split) - known)
    said = f"Traffic cannot go to {', '.join(unknown)}: there is no such DeployedModel."
    demand("traffic-deployed", not unknown, invalid(said))


def _check_deployed(vertex: Vertex, deployed: Any, endpoint: Endpoint) -> None:
    demand = vertex.world.constraints.demand
    good = not deployed.id or bool(_DEPLOYED_ID.fullmatch(deployed.id))
    demand("deployed-ids", good, invalid(f"Invalid DeployedModel id: '{deployed.id}'."))
    taken = refused("ALREADY_EXISTS", f"DeployedModel {deployed.id} already exists.")
    demand("names-taken", deployed.id not in {*endpoint.servers, *endpoint.deploying}, taken)
    _check_resources(vertex, deployed)
    vertex.check_account(deployed.service_account)


def _check_quota(vertex: Vertex, deployed: Any) -> None:
    with vertex.lock:
        others = [one for endpoint in vertex.endpoints.values() for one in endpoint.shown.deployed_models]
    used = sum(one.dedicated_resources.min_replica_count for one in (*others, deployed))
    said = "The following quota metrics exceed quota limits: aiplatform.googleapis.com/custom_model_serving_cpus"
    met = used <= vertex.world.settings.machines
    vertex.world.constraints.demand("quota", met, refused("RESOURCE_EXHAUSTED", said))


def _check_resources(vertex: Vertex, deployed: Any) -> None:
    demand, dedicated = vertex.world.constraints.demand, deployed.dedicated_resources
    said = "The Model supports DEDICATED_RESOURCES only: name dedicated_resources with min_replica_count of at least 1."
    demand("resources", bool(dedicated) and dedicated.min_replica_count >= 1, invalid(said))
    most = dedicated.max_replica_count if dedicated else 0
    said = "max_replica_count must be at least min_replica_count."
    demand("resources", not most or most >= dedicated.min_replica_count, invalid(said))
    machine = dedicated.machine_spec.machine_type if dedicated else ""
    demand("machine-type", bool(machine), invalid("dedicated_resources.machine_spec.machine_type is required."))


METHODS = {
    "CreateEndpoint": create_endpoint,
    "GetEndpoint": get_endpoint,
    "ListEndpoints": list_endpoints,
    "UpdateEndpoint": update_endpoint,
    "DeleteEndpoint": delete_endpoint,
    "DeployModel": deploy_model,
    "UndeployModel": undeploy_model,
    "MutateDeployedModel": mutate_deployed_model,
}
