"""What the SDK's models demand is held over HTTP; with the layer off, the same requests get further: the control."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.ai.ml import Input, MLClient, Output
from azure.ai.ml.entities import Data
from azure.core.pipeline.transport import RequestsTransport

from trivet.rehearsal.fakes.azure.constraints import STRICT
from trivet.rehearsal.fakes.azure.ml import routes, strict

from . import learning
from .conftest import Subscription, said

GONE = object()
# The operation, where in its body, what stands there (or GONE), and what the answer says.
MUTATIONS: list[tuple[str, str, Any, str]] = [
    ("Jobs_CreateOrUpdate", "properties.surprise", 1, "no such member of CommandJob"),
    ("Jobs_CreateOrUpdate", "surprise", 1, "no such member of JobBase"),
    ("Jobs_CreateOrUpdate", "properties.command", GONE, "properties.command: it is required"),
    ("Jobs_CreateOrUpdate", "properties.command", 1, "properties.command: a text is needed"),
    ("Jobs_CreateOrUpdate", "properties.environmentId", GONE, "properties.environmentId: it is required"),
    ("Jobs_CreateOrUpdate", "properties.jobType", "Comand", "'Comand' is none of"),
    ("Jobs_CreateOrUpdate", "properties.jobType", GONE, "properties.jobType: it is required"),
    ("Jobs_CreateOrUpdate", "properties.status", "Running", "only the service sets it"),
    ("Jobs_CreateOrUpdate", "properties", GONE, "properties: it is required"),
    ("Jobs_CreateOrUpdate", "properties", "big", "properties: an object is needed"),
    ("Jobs_CreateOrUpdate", "properties.tags", {"a": 1}, "properties.tags.a: a text is needed"),
    ("Jobs_CreateOrUpdate", "properties.tags", ["a"], "properties.tags: an object is needed"),
    ("Jobs_CreateOrUpdate", "properties.inputs.rows.jobInputType", "uri", "'uri' is none of"),
    ("Jobs_CreateOrUpdate", "properties.inputs.rows.mode", "Fax", "'Fax' is none of"),
    ("Jobs_CreateOrUpdate", "properties.inputs.rows.uri", GONE, "inputs.rows.uri: it is required"),
    ("Jobs_CreateOrUpdate", "properties.limits", {"jobLimitsType": "Command", "timeout": "a day"}, "no duration"),
    ("Jobs_CreateOrUpdate", "properties.distribution", {"distributionType": "Mail"}, "'Mail' is none of"),
    ("Jobs_CreateOrUpdate", "properties.resources", {"instanceCount": "two"}, "a whole number is needed"),
    ("Jobs_CreateOrUpdate", "properties.resources", {"instanceCount": True}, "a whole number is needed"),
    ("ModelVersions_CreateOrUpdate", "properties.surprise", 1, "no such member of ModelVersion"),
    ("ModelVersions_CreateOrUpdate", "properties.isArchived", "no", "true or false is needed"),
    ("ModelVersions_CreateOrUpdate", "properties.provisioningState", "Succeeded", "only the service sets it"),
    ("EnvironmentVersions_CreateOrUpdate", "properties.osType", "Plan9", "'Plan9' is none of"),
    ("EnvironmentVersions_CreateOrUpdate", "properties.inferenceConfig.scoringRoute.port", GONE, "it is required"),
    ("EnvironmentVersions_CreateOrUpdate", "properties.inferenceConfig.scoringRoute.port", "80", "a whole number"),
    ("DataVersions_CreateOrUpdate", "properties.dataUri", GONE, "properties.dataUri: it is required"),
    ("DataVersions_CreateOrUpdate", "properties.dataType", "uri", "'uri' is none of"),
    ("OnlineEndpoints_CreateOrUpdate", "properties.authMode", "Password", "'Password' is none of"),
    ("OnlineEndpoints_CreateOrUpdate", "properties.authMode", GONE, "properties.authMode: it is required"),
    ("OnlineEndpoints_CreateOrUpdate", "location", GONE, "location: it is required"),
    ("OnlineEndpoints_CreateOrUpdate", "properties.scoringUri", "https://x", "only the service sets it"),
    ("OnlineEndpoints_CreateOrUpdate", "properties.traffic", {"blue": "all"}, "a whole number is needed"),
    ("OnlineDeployments_CreateOrUpdate", "properties.surprise", 1, "no such member of ManagedOnlineDeployment"),
    ("OnlineDeployments_CreateOrUpdate", "properties.endpointComputeType", GONE, "it is required"),
    ("OnlineDeployments_CreateOrUpdate", "properties.scaleSettings", {"scaleType": "Big"}, "'Big' is none of"),
    ("OnlineDeployments_CreateOrUpdate", "properties.requestSettings", {"requestTimeout": 5}, "no duration"),
    ("OnlineDeployments_CreateOrUpdate", "properties.livenessProbe", {"period": "often"}, "no duration"),
    ("OnlineDeployments_CreateOrUpdate", "sku.capacity", "one", "a whole number is needed"),
    ("OnlineDeployments_CreateOrUpdate", "sku.name", GONE, "sku.name: it is required"),
]
Sent = dict[str, tuple[str, str, Any]]


@pytest.fixture
def bodies(azure: Subscription, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Verb, path and body of what the SDK sends, by operation: captured on its way."""
    found: Sent = {}
    was = RequestsTransport.send

    def capture(transport: Any, request: Any, **given: Any) -> Any:
        path = request.url.removeprefix("https://management.azure.com")
        plain = routes.Request(request.method, path.partition("?")[0], {}, {}, b"")
        body = request.content if hasattr(request, "content") else request.body
        if path != request.url and body and (route := routes.find(plain)):
            found[route[0].operation] = request.method, path, json.loads(body)
        return was(transport, request, **given)

    monkeypatch.setattr(RequestsTransport, "send", capture)
    ml: MLClient = learning.client(azure)
    (tmp_path / "rows.csv").write_text("a")
    data = ml.data.create_or_update(Data(name="rows", version="1", path=str(tmp_path / "rows.csv"), type="uri_file"))
    rows = Input(type="uri_file", path=data.id)
    made = learning.job(ml, tmp_path, inputs={"rows": rows}, outputs={"out": Output(type="uri_folder")})
    made.command = "cat ${{inputs.rows}}"
    learning.ended(ml, str(ml.jobs.create_or_update(made).name))
    learning.endpoint(ml)
    learning.deployed(ml, model=learning.model(ml, tmp_path))
    monkeypatch.undo()
    return found


def send(azure: Subscription, captured: tuple[str, str, Any], body: Any) -> requests.Response:
    """The same again under another name, so that nothing is there already."""
    verb, path, _ = captured
    path = re.sub(r"(/(?:jobs|versions|onlineEndpoints)/)([^/?]+)(?=\?)", r"\1fresh", path)
    where = f"https://management.azure.com{path}"
    return azure.send(verb, where, json=body)


def changed(body: Any, path: str, value: Any) -> Any:
    body = copy.deepcopy(body)
    *steps, last = path.split(".")
    place = body
    for step in steps:
        place = place[step]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return body


def test_what_breaks_a_model_is_refused_and_with_the_layer_off_gets_further(
    azure: Subscription, bodies: Sent, monkeypatch: pytest.MonkeyPatch
):
    for name, value in azure.fake.environment.items():
        monkeypatch.setenv(name, value)
    assert set(bodies) >= {row[0] for row in MUTATIONS} | {"CodeVersions_CreateOrUpdate"}
    for operation, path, value, wanted in MUTATIONS:
        answer = send(azure, bodies[operation], changed(bodies[operation][2], path, value))
        assert answer.status_code == 400 and wanted in said(answer), (operation, path, value, said(answer))
    for operation in {row[0] for row in MUTATIONS}:
        assert said(send(azure, bodies[operation], bodies[operation][2])) == "", operation
    azure.fake.switch(STRICT, False)
    for operation, path, value, wanted in MUTATIONS:
        answer = send(azure, bodies[operation], changed(bodies[operation][2], path, value))
        assert wanted not in said(answer), (operation, path, value)


def test_every_mistake_is_named_at_once(azure: Subscription):
    answer = azure.arm("PUT", "jobs/x", {"properties": {"jobType": "Command", "status": "Failed", "x": 1}})
    for wanted in ("properties.x: there is", "status: only the service", "command: it is", "environmentId: it is"):
        assert wanted in said(answer)


def test_the_sdk_has_the_models_that_were_seen():
    """Of azure-ai-ml 1.35.2: another version may have other numbers, and its bodies are then looked at again."""
    assert strict.counts() == {"models": 490, "members": 2557, "needed": 394, "read_only": 438}
    assert len(strict.ALLOWED) == 1


def test_every_operation_of_the_sdk_has_a_route_and_paths_lead_to_one():
    every = routes.routes()
    assert len(every) == 215 and sum(route.body is not None for route in every) == 65
    workspace = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
    for verb, path, operation in (
        ("GET", "models/m/versions/1", "ModelVersions_Get"),
        ("GET", "models/m", "ModelContainers_Get"),
        ("PUT", "onlineEndpoints/e/deployments/d", "OnlineDeployments_CreateOrUpdate"),
        ("POST", "jobs/j/cancel", "Jobs_Cancel"),
    ):
        found = [one for one in every if one.verb == verb and one.path.fullmatch(f"{workspace}/{path}")]
        assert [one.operation for one in found] == [operation]
        assert routes.find(routes.Request(verb, f"{workspace.upper()}/{path}", {}, {}, b"")) is not None


def test_every_operation_that_is_answered_is_one_of_the_sdks():
    from trivet.rehearsal.fakes.azure.ml.service import METHODS

    assert set(METHODS) <= {route.operation for route in routes.routes()}
