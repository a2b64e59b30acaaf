"""Endpoints whose containers really run: what they are given, who is asked, what comes back and what goes wrong."""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
from google.api_core import exceptions
from google.cloud import aiplatform

from tests.unit.fakes.waiting import until
from trivet.rehearsal.rigs.package import GOLDEN_ROWS, make_package, score

from . import vertex
from .conftest import SERVE, Project
from .vertex import deployed, endpoint, entries, uploaded


@pytest.fixture(autouse=True)
def _sdk(gcp: Project) -> None:
    vertex.begin(gcp)


def served(gcp: Project, **given: Any) -> tuple[aiplatform.Endpoint, str]:
    """An endpoint with one model that gets all traffic, and the id of its deployed model."""
    to = endpoint()
    return to, deployed(to, uploaded(gcp, **given))


def asked(to: aiplatform.Endpoint, instance: Any = "name") -> Any:
    """The prediction for one instance."""
    [found] = to.predict([instance]).predictions
    return found


def said(to: aiplatform.Endpoint, instance: str, error: type[Exception]) -> str:
    with pytest.raises(error) as raised:
        to.predict([instance])
    return str(raised.value)


def test_our_server_serves_a_package_as_vertexs_container(gcp: Project, tmp_path: Path):
    make_package(tmp_path / "package")
    for path in (tmp_path / "package").iterdir():
        gcp.put(f"packages/loan/{path.name}", path.read_bytes())
    model = uploaded(
        gcp, image=SERVE, artifact_uri="gs://store-1/packages/loan", environment={"TRIVET_SIGNED": "false"}
    )
    to = endpoint()
    deployed(to, model)
    rows = [dict(row) for row in GOLDEN_ROWS]
    answer = to.predict(rows)
    assert [one["score"] for one in answer.predictions] == pytest.approx([score(row, 0.5) for row in rows], abs=1e-5)
    assert answer.model_resource_name == model.resource_name and answer.model_version_id == "1"
    for pid in gcp.fake.processes():
        for connection in psutil.Process(pid).net_connections():
            assert connection.status != psutil.CONN_LISTEN or connection.laddr.ip == "127.0.0.1"


def test_a_container_gets_the_variables_of_the_contract(gcp: Project):
    variables = {"A": "1", "B": "$(A)-$(AIP_MODE)-$$(A)"}
    to, one = served(gcp, environment=variables)
    environment = asked(to, "environment")
    found = {name: value for name, value in environment.items() if name.startswith("AIP_")}
    port = found.pop("AIP_HTTP_PORT")
    assert port.isdecimal()
    assert found.pop("AIP_STORAGE_URI").startswith("gs://cloud-ai-platform-")
    assert found == {
        "AIP_HEALTH_ROUTE": "/health",
        "AIP_PREDICT_ROUTE": "/predict",
        "AIP_ENDPOINT_ID": to.name,
        "AIP_MODEL_NAME": to.name,
        "AIP_DEPLOYED_MODEL_ID": one,
        "AIP_VERSION_NAME": one,
        "AIP_MODE": "PREDICTION",
        "AIP_MODE_VERSION": "1.0.0",
        "AIP_FRAMEWORK": "CUSTOM_CONTAINER",
        "AIP_PROJECT_NUMBER": gcp.fake.number,
        "AIP_MACHINE_TYPE": "n1-standard-2",
    }
    assert environment["B"] == "1-$(AIP_MODE)-$(A)" and environment["TOY_NAME"] == "loan"
    assert "PYTEST_CURRENT_TEST" not in environment and "HOME" not in environment


def test_the_artifacts_of_a_model_stay_what_they_were(gcp: Project):
    model = uploaded(gcp)
    gcp.put("models/loan/weights.txt", b"other")
    gcp.put("models/loan/more.txt", b"more")
    to = endpoint()
    deployed(to, model)
    assert asked(to, "files") == {"weights.txt": "loan"}
    assert [bucket.name for bucket in gcp.storage.list_buckets()] == ["store-1"]  # not the service's own


def test_without_artifacts_and_routes_there_are_none_and_the_usual_ones(gcp: Project):
    given = {"serving_container_predict_route": None, "serving_container_health_route": None, "artifact_uri": None}
    to, one = served(gcp, **given)
    environment = asked(to, "environment")
    assert environment["AIP_STORAGE_URI"] == ""
    assert environment["AIP_PREDICT_ROUTE"] == f"/v1/endpoints/{to.name}/deployedModels/{one}:predict"


def test_ids_are_known_after_deployment_and_traffic_is_split(gcp: Project):
    to = endpoint()
    assert to.name.isdecimal() and len(to.name) == 19 and to.traffic_split == {}
    first = deployed(to, uploaded(gcp, "first"))
    assert first.isdecimal() and to.traffic_split == {first: 100}
    second = deployed(to, uploaded(gcp, "second"), traffic_percentage=20)
    assert to.traffic_split == {first: 80, second: 20}
    assert Counter(asked(to) for _ in range(100)) == {"first": 80, "second": 20}
    to.update(traffic_split={first: 0, second: 100})
    assert to.traffic_split == {second: 100}
    assert Counter(asked(to) for _ in range(5)) == {"second": 5}
    answer = to.predict(["name"])
    assert (answer.deployed_model_id, answer.predictions) == (second, ["second"])
    to.undeploy(first)
    assert [one.id for one in to.list_models()] == [second]
    to.undeploy(second)
    assert to.traffic_split == {} and to.list_models() == []
    until(gcp.fake.processes, lambda pids: not pids)
    assert "doesn't have traffic_split" in said(to, "name", exceptions.BadRequest)
    to.delete()
    with pytest.raises(exceptions.NotFound):
        to.predict(["name"])


def test_a_version_is_deployed_by_its_number_and_by_an_alias(gcp: Project):
    uploaded(gcp, "first", model_id="loan")
    uploaded(gcp, "second", parent_model="loan", is_default_version=False, version_aliases=["challenger"])
    to = endpoint()
    deployed(to, aiplatform.Model("loan@challenger"))
    assert asked(to) == "second" and [one.model_version_id for one in to.list_models()] == ["2"]
    deployed(to, aiplatform.Model("loan"), traffic_percentage=100)
    assert asked(to) == "first"
    [used] = aiplatform.Model("loan@2").gca_resource.deployed_models
    assert used.endpoint == to.resource_name


def test_a_container_that_ends_or_is_never_well_fails_the_deployment(gcp: Project):
    to = endpoint()
    with pytest.raises(exceptions.FailedPrecondition, match=r"Model server terminated: .* exit_code: 1"):
        deployed(to, uploaded(gcp, environment={"TOY_CRASH": "1"}))
    gcp.fake.set(startup=1)
    sick = uploaded(gcp, environment={"TOY_SICK": "1"})
    with pytest.raises(exceptions.FailedPrecondition, match="Model server never became ready"):
        deployed(to, sick)
    assert aiplatform.Endpoint(to.resource_name).list_models() == []
    sick.delete()
    wanted = f'resource.type="aiplatform.googleapis.com/Endpoint" resource.labels.endpoint_id="{to.name}"'
    assert "cannot load the model" in [entry["jsonPayload"]["message"] for entry in entries(gcp, wanted)]
    until(gcp.fake.processes, lambda pids: not pids)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, exceptions.BadRequest),
        (404, exceptions.NotFound),
        (422, exceptions.GoogleAPICallError),
        (500, exceptions.InternalServerError),
        (503, exceptions.ServiceUnavailable),
    ],
)
def test_what_a_container_answers_badly_comes_back_with_its_status(
    gcp: Project, status: int, error: type[exceptions.GoogleAPICallError]
):
    to, _ = served(gcp)
    with pytest.raises(error, match="as told") as raised:
        to.predict([f"status {status}"])
    assert raised.value.code == status


def test_answers_that_are_none_and_containers_that_end_are_errors(gcp: Project):
    to, _ = served(gcp)
    assert "no JSON object with a list of predictions" in said(to, "nonsense", exceptions.InternalServerError)
    assert "ended before it had answered" in said(to, "die", exceptions.InternalServerError)

    def again() -> Any:
        try:
            return asked(to)
        except exceptions.ServerError:
            return None

    assert until(again, bool, 20) == "loan"  # it is started again
    gcp.fake.set(invocation=0.3)
    assert "did not answer within" in said(to, "sleep", exceptions.GatewayTimeout)


def test_a_raw_request_goes_through_as_it_is(gcp: Project):
    to, one = served(gcp)
    headers = {"Content-Type": "text/csv", "X-Trace": "1", "Authorization": "Bearer secret"}
    path = f"/v1/{to.resource_name}:rawPredict"
    status, answered, body = gcp.send("POST", path, b"1,2", headers)
    assert (status, answered["content-type"]) == (201, "text/x-toy")
    assert answered["x-vertex-ai-deployed-model-id"] == one and answered["x-vertex-ai-endpoint-id"] == to.name
    found = json.loads(body)
    assert found["body"] == "1,2" and found["headers"]["x-trace"] == "1" and "authorization" not in found["headers"]
    parameters = to.predict(["name"], parameters={"threshold": 0.5})
    assert parameters.metadata == {"threshold": 0.5}


def test_a_model_that_leaves_answers_what_it_was_asked_before(gcp: Project):
    to, one = served(gcp)
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(asked(to, "sleep")))
    thread.start()
    until(
        lambda: [entry["jsonPayload"]["message"] for entry in entries(gcp, f'labels.deployed_model_id="{one}"')],
        lambda lines: any("got" in line for line in lines),
    )
    to.undeploy(one)
    thread.join(20)
    assert found == ["loan"]


def test_endpoints_are_changed_found_and_made_by_an_id(gcp: Project):
    made = aiplatform.Endpoint.create(display_name="b", endpoint_id="loan-1", labels={"team": "loans"})
    assert made.name == "loan-1"
    made.update(display_name="a", labels={"team": "homes"})
    found = aiplatform.Endpoint("loan-1")
    assert (found.display_name, found.labels) == ("a", {"team": "homes"})
    aiplatform.Endpoint.create(display_name="z")
    assert [one.name for one in aiplatform.Endpoint.list(filter='labels.team="homes"')] == ["loan-1"]
    assert [one.display_name for one in aiplatform.Endpoint.list(order_by="display_name desc")] == ["z", "a"]


def test_deploying_takes_time_and_an_answer_that_was_lost_was_still_given(gcp: Project):
    model, to = uploaded(gcp), endpoint()
    gcp.fake.set(operation=2.0)
    client = to.api_client
    resources = {"machine_spec": {"machine_type": "n1-standard-2"}, "min_replica_count": 1}
    wanted = {"model": model.resource_name, "dedicated_resources": resources}
    operation = client.deploy_model(endpoint=to.resource_name, deployed_model=wanted, traffic_split={"0": 100})
    assert not operation.done() and to.list_models() == []
    assert operation.result(timeout=60).deployed_model.id in {one.id for one in to.list_models()}
    gcp.fake.fault("DeployModel", kind="lost")
    with pytest.raises((exceptions.GoogleAPICallError, OSError)):
        client.deploy_model(endpoint=to.resource_name, deployed_model=wanted, retry=None)
    until(lambda: len(to.list_models()), lambda count: count == 2)


def test_throttling_and_refusals_come_as_the_sdks_errors(gcp: Project):
    to, _ = served(gcp)
    for code, error in (
        ("RESOURCE_EXHAUSTED", exceptions.TooManyRequests),
        ("PERMISSION_DENIED", exceptions.Forbidden),
        ("UNAVAILABLE", exceptions.ServiceUnavailable),
    ):
        gcp.fake.fault("Predict", code=code, service="aiplatform", resource=to.resource_name)
        said(to, "name", error)
    assert asked(to) == "loan"
    assert {"service": "aiplatform", "operation": "Predict", "resource": to.resource_name} in gcp.fake.calls()
