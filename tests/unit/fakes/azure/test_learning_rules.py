"""Each constraint of Azure ML refuses, and with its switch off it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from azure.ai.ml import MLClient, Output

from tests.unit.fakes.waiting import until

from . import learning
from .conftest import API, ARM, TOY, TRAIN, Subscription, said
from .learning import ENDPOINT, deployed, ended, endpoint, submitted, traffic

COMPUTE = {"location": "westeurope", "properties": {"computeType": "AmlCompute", "properties": {}}}


@pytest.fixture
def ml(azure: Subscription) -> MLClient:
    return learning.client(azure)


def put(azure: Subscription, path: str, properties: dict[str, Any], **more: Any) -> str:
    """What ARM says to a resource of the workspace."""
    return said(azure.arm("PUT", path, {"properties": properties, **more}))


def put_job(azure: Subscription, name: str = "job", **given: Any) -> str:
    usual = {"jobType": "Command", "command": "true", "environmentId": f"{azure.workspace}/environments/e/versions/1"}
    return put(azure, f"jobs/{name}", {**usual, **given})


def put_environment(azure: Subscription, name: str = "e", version: str = "1", **given: Any) -> str:
    return put(azure, f"environments/{name}/versions/{version}", {"image": TRAIN, **given})


def routes(*names: str) -> dict[str, Any]:
    paths = {"livenessRoute": "/live", "readinessRoute": "/ready", "scoringRoute": "/predict"}
    return {name: {"port": 8080, "path": paths[name]} for name in names or paths}


def put_endpoint(azure: Subscription, name: str = ENDPOINT, **given: Any) -> str:
    return put(azure, f"onlineEndpoints/{name}", {"authMode": "Key", **given}, location="westeurope")


def put_deployment(azure: Subscription, name: str = "blue", capacity: int | None = 1, **given: Any) -> str:
    assert put_environment(azure, "serve", image=TOY, inferenceConfig=routes()) == ""
    usual: dict[str, Any] = {"endpointComputeType": "Managed", "instanceType": learning.MACHINE}
    usual |= {"environmentId": f"{azure.workspace}/environments/serve/versions/1"}
    sku = {"sku": {"name": "Default", "capacity": capacity}} if capacity is not None else {}
    path = f"onlineEndpoints/{ENDPOINT}/deployments/{name}"
    return put(azure, path, {**usual, **given}, location="westeurope", **sku)


def test_a_request_to_arm_says_the_version_that_it_means(azure: Subscription):
    def ask() -> str:
        return said(azure.send("GET", f"{ARM}{azure.workspace}"))

    assert ask().startswith("MissingApiVersionParameter")
    azure.fake.switch("api-version", False)
    assert ask() == ""


@pytest.mark.parametrize("name", ["a b", ".a", "a" * 256, "ä"])
def test_assets_jobs_and_others_have_plain_names(azure: Subscription, name: str):
    assert put_environment(azure) == ""

    def made() -> list[str]:
        return [
            put_environment(azure, name),
            put_environment(azure, "e", f"{name}x"),
            put(azure, f"data/{name}/versions/1", {"dataType": "mltable", "dataUri": uri}),
            put_job(azure, name),
            put(azure, f"computes/{name}", COMPUTE["properties"], location="westeurope"),
        ]

    uri = "azureml://datastores/workspaceblobstore/paths/x"
    assert [one.partition(":")[0] for one in made()] == ["ValidationError"] * 5
    azure.fake.switch("names", False)
    assert made() == [""] * 5


def test_a_version_does_not_change(azure: Subscription):
    assert put_environment(azure, tags={"a": "b"}) == ""
    assert put_environment(azure, description="told later", tags={"c": "d"}) == ""
    assert "immutable" in put_environment(azure, image=TOY)
    assert put_job(azure) == "" and "immutable" in put_job(azure, command="false")
    azure.fake.switch("immutable", False)
    assert put_environment(azure, image=TOY) == "" and put_job(azure, command="false") == ""


def test_properties_are_added_and_stay(azure: Subscription):
    assert put_environment(azure, properties={"a": "1"}) == ""
    assert put_environment(azure, properties={"a": "1", "b": "2"}) == ""
    assert "Properties can be added" in put_environment(azure, properties={"a": "2", "b": "2"})
    assert "Properties can be added" in put_environment(azure, properties={})
    azure.fake.switch("properties-kept", False)
    assert put_environment(azure, properties={}) == ""


def test_what_is_named_is_there(azure: Subscription):
    assert put_environment(azure) == ""
    nowhere = "azureml://datastores/workspaceblobstore/paths/none"
    store = {"datastoreType": "AzureBlob", "accountName": azure.fake.account, "containerName": "none"}

    def made() -> list[str]:
        return [
            put_job(azure, "one", environmentId=f"{azure.workspace}/environments/none/versions/1"),
            put_job(azure, "two", codeId=f"{azure.workspace}/codes/none/versions/1"),
            put_job(azure, "three", computeId=f"{azure.workspace}/computes/none"),
            put_job(azure, "four", inputs={"a": {"jobInputType": "uri_folder", "uri": nowhere}}),
            put(azure, "models/loan/versions/1", {"modelUri": nowhere}),
            put(azure, "datastores/other", {**store, "credentials": {"credentialsType": "None"}}),
        ]

    assert all(made())
    azure.fake.switch("dependencies", False)
    assert made() == [""] * 6


def test_a_job_names_only_inputs_and_outputs_that_it_has(azure: Subscription):
    assert put_environment(azure) == ""
    command = "echo ${{inputs.none}}"
    assert "inputs.none" in put_job(azure, command=command)
    azure.fake.switch("inputs-known", False)
    assert put_job(azure, command=command) == ""


def test_only_what_runs_is_cancelled_and_only_what_has_ended_is_deleted(
    ml: MLClient, azure: Subscription, tmp_path: Path
):
    done, busy = submitted(ml, tmp_path), submitted(ml, tmp_path, {"sleep": 600})
    assert ended(ml, done) == "Completed"

    def ask() -> list[str]:
        return [said(azure.arm("POST", f"jobs/{done}/cancel")), said(azure.arm("DELETE", f"jobs/{busy}"))]

    assert ["cannot be cancelled" in ask()[0], "cancel it" in ask()[1]] == [True, True]
    azure.fake.switch("cancel-running", False)
    assert ask() == ["", ""]
    until(azure.fake.processes, lambda pids: not pids, 20)


@pytest.mark.parametrize("name", ["ab", "1ab", "a_b", "a--b", "ab-", "a" * 33])
def test_endpoints_and_deployments_have_short_plain_names(azure: Subscription, name: str):
    assert put_endpoint(azure) == ""
    assert "Endpoint name" in put_endpoint(azure, name) and "Deployment name" in put_deployment(azure, name)
    azure.fake.switch("endpoint-names", False)
    assert put_endpoint(azure, name) == put_deployment(azure, name) == ""


def test_there_are_so_many_endpoints_and_no_more(azure: Subscription):
    assert all(put_endpoint(azure, f"loan{number}") == "" for number in range(100))
    assert put_endpoint(azure).startswith("QuotaExceeded")
    azure.fake.switch("endpoint-counts", False)
    assert put_endpoint(azure) == ""


def split(azure: Subscription, shares: dict[str, int], mirror: dict[str, int] | None = None) -> str:
    return put_endpoint(azure, traffic=shares, mirrorTraffic=mirror or {})


def test_traffic_adds_up_and_goes_to_deployments_that_exist(ml: MLClient, azure: Subscription):
    assert "do not exist" in split(azure, {"blue": 100})
    endpoint(ml)
    deployed(ml, "blue")
    assert "do not exist" in split(azure, {"blue": 50, "green": 50}) and "add up" in split(azure, {"blue": 90})
    assert "add up" in split(azure, {"blue": 110}) and "do not exist" in split(azure, {"blue": 100}, {"green": 10})
    azure.fake.switch("traffic-sum", False)
    azure.fake.switch("traffic-deployed", False)
    assert split(azure, {"blue": 90}) == split(azure, {"green": 100}) == ""


def test_little_is_mirrored_to_one_that_gets_nothing_else(ml: MLClient, azure: Subscription):
    endpoint(ml)
    for name in ("blue", "green", "grey"):
        deployed(ml, name)
    wrong = [({"blue": 100}, {"green": 51}), ({"blue": 100}, {"green": 10, "grey": 10}), ({"blue": 100}, {"blue": 10})]
    assert all("is mirrored" in split(azure, *one) for one in wrong)
    assert split(azure, {"blue": 100}, {"green": 50}) == ""
    azure.fake.switch("mirror-traffic", False)
    assert [split(azure, *one) for one in wrong] == ["", "", ""]


def test_how_callers_are_known_is_not_changed(azure: Subscription):
    assert put_endpoint(azure) == ""

    def ask() -> list[str]:
        return [put_endpoint(azure, authMode="AMLToken"), said(azure.arm("POST", f"onlineEndpoints/{ENDPOINT}/token"))]

    assert ["cannot be changed" in ask()[0], "not by tokens" in ask()[1]] == [True, True]
    azure.fake.switch("auth-mode", False)
    assert ask() == ["", ""]


@pytest.mark.parametrize(("capacity", "kind"), [(0, "x"), (51, "x"), (None, "x"), (1, None)])
def test_a_deployment_has_a_kind_and_a_number_of_instances(azure: Subscription, capacity: int | None, kind: str | None):
    assert put_endpoint(azure) == ""
    assert put_deployment(azure, "blue", capacity, instanceType=kind).startswith("BadArgument")
    azure.fake.switch("instances", False)
    assert put_deployment(azure, "blue", capacity, instanceType=kind) == ""


def test_a_container_says_its_three_routes(azure: Subscription):
    assert put_endpoint(azure) == ""
    assert put_environment(azure, "bare", image=TOY, inferenceConfig=routes("scoringRoute")) == ""
    bare = f"{azure.workspace}/environments/bare/versions/1"
    assert "livenessRoute, readinessRoute" in put_deployment(azure, environmentId=bare)
    azure.fake.switch("inference-routes", False)
    assert put_deployment(azure, environmentId=bare) == ""


def test_an_image_was_pushed_before(ml: MLClient, azure: Subscription, tmp_path: Path):
    endpoint(ml)
    assert put_environment(azure, "other", image="hub/none:1", inferenceConfig=routes()) == ""
    other = f"{azure.workspace}/environments/other/versions/1"
    assert put_deployment(azure, environmentId=other) == ""
    state = lambda: str(ml.online_deployments.get("blue", ENDPOINT).provisioning_state).lower()  # noqa: E731
    until(state, lambda found: found.endswith("failed"), 20)
    made = learning.job(ml, tmp_path, outputs={"o": Output(type="uri_folder")})
    made.environment = other
    named = str(ml.jobs.create_or_update(made).name)
    assert ended(ml, named) == "Failed"


def test_a_request_takes_no_longer_than_it_may(ml: MLClient, azure: Subscription):
    endpoint(ml)
    settings = {"requestTimeout": "PT181S"}
    assert "too long" in put_deployment(azure, requestSettings=settings)
    azure.fake.switch("request-timeout", False)
    assert put_deployment(azure, requestSettings=settings) == ""
    deployed(ml, "green", request_settings=learning.settings(100))
    traffic(ml, {"green": 100})
    assert learning.invoked(ml, "sleep 0.5") == "green"  # whose time was over


def test_a_deployment_with_traffic_is_not_deleted(ml: MLClient, azure: Subscription):
    endpoint(ml)
    deployed(ml)
    traffic(ml, {"blue": 100})

    def drop() -> str:
        return said(azure.arm("DELETE", f"onlineEndpoints/{ENDPOINT}/deployments/blue"))

    assert "with traffic" in drop()
    azure.fake.switch("deployment-traffic", False)
    assert drop() == ""


def test_a_caller_bears_a_key(ml: MLClient, azure: Subscription):
    endpoint(ml)
    deployed(ml)
    traffic(ml, {"blue": 100})
    where = f"https://{ENDPOINT}.westeurope.inference.ml.azure.com/score"
    assert azure.send("POST", where, json={}).status_code == 401
    azure.fake.switch("scoring-key", False)
    assert azure.send("POST", where, json={}).json() == "blue"


def test_a_crowd_is_sent_away(ml: MLClient, azure: Subscription):
    from concurrent.futures import ThreadPoolExecutor

    endpoint(ml)
    deployed(ml)
    traffic(ml, {"blue": 100})
    azure.fake.switch("scoring-key", False)
    where = f"https://{ENDPOINT}.westeurope.inference.ml.azure.com/score"

    def ask(_number: int) -> int:
        return azure.send("POST", where, json={"do": "sleep 0.5"}).status_code

    with ThreadPoolExecutor(6) as pool:
        assert 429 in set(pool.map(ask, range(6)))
        azure.fake.switch("concurrency", False)
        assert set(pool.map(ask, range(6))) == {200}


@pytest.mark.parametrize("name", ["ab", "Upper", "a-b", "a" * 25])
def test_a_storage_account_has_a_plain_name(azure: Subscription, name: str):
    path = azure.workspace.rpartition("/providers/")[0]
    path += f"/providers/Microsoft.Storage/storageAccounts/{name}"

    def make() -> str:
        return said(azure.arm("PUT", path, {"location": "westeurope"}))

    assert make().startswith("AccountNameInvalid")
    azure.fake.switch("account-names", False)
    assert make() == "" and azure.arm("GET", path).json()["name"] == name


def test_a_workspace_that_is_deleted_keeps_its_name(azure: Subscription):
    path = f"{azure.workspace.rpartition('/')[0]}/other"
    properties = {"storageAccount": f"/x/{azure.fake.account}"}

    def make() -> str:
        return said(azure.arm("PUT", path, {"location": "westeurope", "properties": properties}))

    assert make() == "" and azure.arm("GET", path).json()["properties"]["provisioningState"] == "Succeeded"
    assert azure.arm("DELETE", path).status_code == 202
    assert "SoftDeletedWorkspaceExists" in make()
    azure.fake.switch("soft-delete", False)
    assert make() == ""
    azure.fake.switch("soft-delete", True)
    assert azure.arm("DELETE", path, forceToPurge="true").status_code == 202 and API
