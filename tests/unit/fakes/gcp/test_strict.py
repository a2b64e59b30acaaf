"""What Vertex's messages demand is held over HTTP; with the layer off, the same requests get further: the control."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from google.cloud import aiplatform_v1 as api

from trivet.rehearsal.fakes.gcp.constraints import STRICT
from trivet.rehearsal.fakes.gcp.vertex import routes, strict

from . import vertex
from .conftest import Project
from .vertex import deployed, endpoint, submitted, uploaded

GONE = object()
HOME = "projects/rehearsal-project/locations/europe-west3"
POOL = "jobSpec.workerPoolSpecs.0"
# The rule, the method, where in its body, what stands there (or GONE), and what the answer says.
MUTATIONS: list[tuple[str, str, str, Any, str]] = [
    ("unknown", "CreateCustomJob", "surprise", 1, 'no field named "surprise"'),
    ("nested unknown", "CreateCustomJob", f"{POOL}.machineSpec.surprise", 1, 'no field named "surprise"'),
    ("required", "CreateCustomJob", "displayName", GONE, "custom_job.display_name: Field is required"),
    ("nested required", "CreateCustomJob", "jobSpec.workerPoolSpecs", GONE, "worker_pool_specs: Field is required"),
    ("required in a list", "CreateCustomJob", f"{POOL}.containerSpec.imageUri", GONE, "image_uri: Field is required"),
    ("an empty text", "CreateCustomJob", f"{POOL}.containerSpec.imageUri", "", "image_uri: Field is required"),
    (
        "required of a variable",
        "CreateCustomJob",
        f"{POOL}.containerSpec.env",
        [{"name": "A"}],
        "value: Field is required",
    ),
    ("output only", "CreateCustomJob", "state", 4, "custom_job.state: Field is output only"),
    ("the service's name", "CreateCustomJob", "name", f"{HOME}/customJobs/1", "custom_job.name: Field is output only"),
    ("no such number", "CreateCustomJob", f"{POOL}.machineSpec.acceleratorType", 9999, "no value of AcceleratorType"),
    ("no such word", "CreateCustomJob", f"{POOL}.machineSpec.acceleratorType", "ABACUS", "Invalid enum value"),
    ("a word for a number", "CreateCustomJob", f"{POOL}.replicaCount", "one", "Invalid JSON payload"),
    ("yes for a number", "CreateCustomJob", f"{POOL}.replicaCount", True, "Invalid JSON payload"),
    ("a number for a text", "CreateCustomJob", "displayName", 1, "Invalid JSON payload"),
    ("a bad duration", "CreateCustomJob", "jobSpec.scheduling", {"timeout": "a day"}, "Invalid JSON payload"),
    ("two of one", "CreateCustomJob", f"{POOL}.pythonPackageSpec", {"executorImageUri": "i"}, "oneof"),
    ("a text for an object", "CreateCustomJob", "jobSpec", "big", "Invalid JSON payload"),
    ("a label that is no text", "CreateCustomJob", "labels", {"a": 1}, "Invalid JSON payload"),
    ("unknown of a model", "UploadModel", "model.surprise", 1, 'no field named "surprise"'),
    ("model's required", "UploadModel", "model.displayName", GONE, "model.display_name: Field is required"),
    ("container's required", "UploadModel", "model.containerSpec.imageUri", GONE, "image_uri: Field is required"),
    ("model's version", "UploadModel", "model.versionId", "7", "model.version_id: Field is output only"),
    ("a port that is a text", "UploadModel", "model.containerSpec.ports", [{"containerPort": "x"}], "Invalid JSON"),
    ("unknown of an endpoint", "CreateEndpoint", "surprise", 1, 'no field named "surprise"'),
    ("endpoint's required", "CreateEndpoint", "displayName", GONE, "endpoint.display_name: Field is required"),
    (
        "endpoint's models",
        "CreateEndpoint",
        "deployedModels",
        [{"model": "m"}],
        "deployed_models: Field is output only",
    ),
    ("unknown of a deployment", "DeployModel", "deployedModel.surprise", 1, 'no field named "surprise"'),
    ("two kinds of resources", "DeployModel", "deployedModel.automaticResources", {}, "oneof"),
    ("no replicas", "DeployModel", "deployedModel.dedicatedResources.minReplicaCount", 0, "min_replica_count: Field"),
    ("a share that is a text", "DeployModel", "trafficSplit", {"0": "all"}, "Invalid JSON payload"),
    ("no instances", "Predict", "instances", GONE, "instances: Field is required"),
    ("unknown of a prediction", "Predict", "surprise", 1, 'no field named "surprise"'),
]


@pytest.fixture
def bodies(gcp: Project, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, str, Any]]:
    """Verb, path and body of what the SDK sends, by method: captured on its way."""
    import requests

    vertex.begin(gcp)
    found: dict[str, tuple[str, str, Any]] = {}
    was = requests.Session.request

    def capture(session: Any, method: str, url: str, *given: Any, **named: Any) -> Any:
        path = url.removeprefix(gcp.fake.endpoint)
        call = routes.find(routes.Request(method.upper(), path.partition("?")[0], {}, {}, b""))
        if call is not None and named.get("data"):
            found[call.route.method] = method.upper(), path, json.loads(named["data"])
        return was(session, method, url, *given, **named)

    monkeypatch.setattr(requests.Session, "request", capture)
    made = submitted({"say": "captured"}, labels={"team": "loans"})
    vertex.ended(made)
    to = endpoint()
    deployed(to, uploaded(gcp))
    to.predict(["name"])
    monkeypatch.undo()
    vertex.begin(gcp)
    return found


def send(gcp: Project, captured: tuple[str, str, Any], body: Any) -> tuple[int, str]:
    """Status, and what is said where it is refused."""
    verb, path, _ = captured
    status, _, answer = gcp.send(verb, path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return status, json.loads(answer)["error"]["message"] if status >= 400 else ""


def changed(body: Any, path: str, value: Any) -> Any:
    body = copy.deepcopy(body)
    *steps, last = path.split(".")
    place = body
    for step in steps:
        place = place[int(step)] if step.isdecimal() else place[step]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return body


def test_what_breaks_a_message_is_refused_and_with_the_layer_off_gets_further(
    gcp: Project, bodies: dict[str, tuple[str, str, Any]]
):
    assert set(bodies) >= {row[1] for row in MUTATIONS}
    for method in ("CreateCustomJob", "UploadModel", "CreateEndpoint", "Predict"):
        assert send(gcp, bodies[method], bodies[method][2])[0] == 200, method
    for rule, method, path, value, said in MUTATIONS:
        status, message = send(gcp, bodies[method], changed(bodies[method][2], path, value))
        assert status == 400 and said in message, (rule, message)
    gcp.fake.switch(STRICT, False)
    for rule, method, path, value, said in MUTATIONS:
        if "Invalid" in said or said == "oneof":
            continue  # that cannot be read at all
        _, message = send(gcp, bodies[method], changed(bodies[method][2], path, value))
        assert said not in message or path.endswith("workerPoolSpecs"), (rule, message)


def test_without_the_layer_a_job_without_a_name_is_taken(gcp: Project, bodies: dict[str, tuple[str, str, Any]]):
    """What only the layer refuses: a word that the message does not know, and a state that the client says."""
    body = changed(changed(bodies["CreateCustomJob"][2], "surprise", 1), "state", 4)
    assert send(gcp, bodies["CreateCustomJob"], body)[0] == 400
    gcp.fake.switch(STRICT, False)
    assert send(gcp, bodies["CreateCustomJob"], body) == (200, "")


def test_every_mistake_is_named_at_once(gcp: Project, bodies: dict[str, tuple[str, str, Any]]):
    body = changed(changed(bodies["CreateCustomJob"][2], "displayName", GONE), "state", 4)
    message = send(gcp, bodies["CreateCustomJob"], body)[1]
    assert "display_name: Field is required" in message and "state: Field is output only" in message


def test_the_convention_of_the_docstrings_is_the_one_that_was_seen():
    """Of google-cloud-aiplatform 2.7.0: another version may have other numbers, but not none."""
    found = strict.counts()
    descriptors = [message.pb(message()).DESCRIPTOR for message in _messages()]
    documented = sum(len(one.fields) for one in descriptors if not one.GetOptions().map_entry)
    assert found == {
        "messages": len(_messages()),
        "fields": documented,
        "Required.": 830,
        "Output only.": 637,
        "Immutable.": 54,
    }


def test_every_service_of_the_sdk_has_routes_and_they_lead_to_one_method():
    every = routes.routes()
    assert len({route.service for route in every}) >= 30 and len(every) >= 350
    for path, method in (
        ("models/1", "GetModel"),
        ("models/1@2", "GetModel"),
        ("models/1:listVersions", "ListModelVersions"),
        ("models", "ListModels"),
        ("endpoints/1", "GetEndpoint"),
    ):
        found = [one for one in every if one.verb == "GET" and one.path.fullmatch(f"/v1/{HOME}/{path}")]
        assert [one.method for one in found] == [method]
    assert all(routes.message_class(route.method) for route in every if route.service == "job_service")


def test_parameters_of_a_query_are_held_to_the_message_too(gcp: Project):
    vertex.begin(gcp)
    base = f"/v1/{HOME}/models"
    for query, said in (
        ("surprise=1", "Cannot bind"),
        ("page.size=1", "Cannot bind"),
        ("pageSize=many", "Invalid JSON"),
    ):
        status, _, body = gcp.send("GET", f"{base}?{query}")
        assert status == 400 and said in json.loads(body)["error"]["message"]
    assert gcp.send("GET", f"{base}?pageSize=1&page_token=&readMask=name&%24alt=json")[0] == 200
    assert gcp.send("GET", "/v1/projects/other/locations/l/models")[0] == 403
    assert gcp.send("GET", f"{base}?pageSize=-1")[0] == 400


def _messages() -> list[Any]:
    import proto

    def inner(one: Any) -> list[Any]:
        nested = [each for each in vars(one).values() if isinstance(each, type) and issubclass(each, proto.Message)]
        return [one, *(each for found in nested for each in inner(found))]

    named = [getattr(api.types, name) for name in api.types.__all__]
    return [each for one in named if isinstance(one, type) and issubclass(one, proto.Message) for each in inner(one)]
