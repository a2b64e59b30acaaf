"""Endpoints by Microsoft's SDK: containers that serve a model, share traffic, are probed, replaced and asked."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from azure.ai.ml import MLClient
from azure.ai.ml.entities import Model, OnlineRequestSettings, ProbeSettings
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from tests.unit.fakes.waiting import until
from trivet.rehearsal.rigs.package import GOLDEN_ROWS, make_package
from trivet.rehearsal.rigs.package import score as right

from . import learning
from .conftest import SERVE, Subscription
from .learning import deployed, deployment, endpoint, invoked, traffic

SCORE = "https://loan.westeurope.inference.ml.azure.com/score"


@pytest.fixture
def ml(azure: Subscription) -> MLClient:
    return learning.client(azure)


def score(ml: MLClient, wanted: Any = None, **headers: str) -> requests.Response:
    """One request as anybody sends it, with the endpoint's first key."""
    key = str(ml.online_endpoints.get_keys("loan").primary_key)
    given = {"Authorization": f"Bearer {key}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return requests.post(SCORE, json={"do": wanted} if wanted else {}, headers=given, timeout=30)


def test_a_model_is_served_from_where_azure_mounts_it(ml: MLClient, azure: Subscription, tmp_path: Path):
    made = endpoint(ml)
    assert (made.scoring_uri, made.provisioning_state.lower()) == (SCORE, "succeeded")
    found = deployed(ml, model=learning.model(ml, tmp_path))
    assert str(found.provisioning_state).endswith(("Succeeded", "SUCCEEDED"))
    traffic(ml, {"blue": 100})
    assert invoked(ml) == "blue" and invoked(ml, "files") == {"loan/weights.txt": "loan"}
    told = invoked(ml, "environment")
    inside = "/var/azureml-app" if azure.fake.mode == "namespaces" else ""
    assert told["AZUREML_MODEL_DIR"].startswith(inside)
    assert told["AZUREML_MODEL_DIR"].endswith("azureml-models/loan/1")
    assert (invoked(ml, "write") == "read-only") is bool(inside)
    assert "blue got 2 bytes" in ml.online_deployments.get_logs(name="blue", endpoint_name="loan", lines=100)


def test_our_server_serves_a_package_as_azures_container(ml: MLClient, azure: Subscription, tmp_path: Path):
    make_package(tmp_path / "package")
    made = ml.models.create_or_update(Model(name="loan", version="1", path=str(tmp_path / "package")))
    paths = {"liveness_route": "/", "readiness_route": "/v2/health/ready", "scoring_route": "/score"}
    config = {name: {"port": 8080, "path": path} for name, path in paths.items()}
    served = learning.environment(ml, "trivet", SERVE, inference_config=config)
    endpoint(ml)
    variables = {"TRIVET_SIGNED": "false"}
    deployed(ml, model=str(made.id), environment=served, environment_variables=variables)
    traffic(ml, {"blue": 100})
    rows = [dict(row) for row in GOLDEN_ROWS]
    headers = {"Authorization": f"Bearer {ml.online_endpoints.get_keys('loan').primary_key}"}
    answer = requests.post(SCORE, json={"instances": rows}, headers=headers, timeout=30)
    assert answer.ok, (answer.text, ml.online_deployments.get_logs(name="blue", endpoint_name="loan", lines=50))
    told = answer.json()
    assert [one["score"] for one in told["predictions"]] == pytest.approx([right(row, 0.5) for row in rows], abs=1e-5)
    for pid in azure.fake.processes():
        for connection in psutil.Process(pid).net_connections():
            assert connection.status != psutil.CONN_LISTEN or connection.laddr.ip == "127.0.0.1"


def test_traffic_is_split_and_a_header_names_a_deployment(ml: MLClient):
    endpoint(ml)
    deployed(ml, "blue")
    deployed(ml, "green")
    answer = score(ml)
    assert answer.status_code == 404 and "no deployment with traffic" in answer.text
    traffic(ml, {"blue": 80, "green": 20})
    assert Counter(score(ml).json() for _ in range(100)) == {"blue": 80, "green": 20}
    answer = score(ml, azureml_model_deployment="green")
    assert answer.json() == "green" and answer.headers["azureml-model-deployment"] == "green"
    assert "azureml-model-deployment" not in invoked(ml, "headers", "green")
    traffic(ml, {"blue": 0, "green": 100})
    ml.online_deployments.begin_delete(name="blue", endpoint_name="loan").result()
    assert [one.name for one in ml.online_deployments.list("loan")] == ["green"]
    assert {score(ml).json() for _ in range(5)} == {"green"}


def test_mirrored_traffic_is_seen_by_one_that_answers_nobody(ml: MLClient):
    endpoint(ml)
    deployed(ml, "blue")
    deployed(ml, "green")
    traffic(ml, {"blue": 100}, {"green": 50})
    assert {score(ml, f"ask {number}").json() for number in range(20)} == {"blue"}
    seen = until(lambda: invoked(ml, "seen", "green"), lambda found: len([one for one in found if "ask" in one]) >= 10)
    assert len([one for one in seen if "ask" in one]) == 10


def test_one_that_crashes_or_is_never_ready_is_none(ml: MLClient, azure: Subscription):
    endpoint(ml)
    with pytest.raises(HttpResponseError, match="exit code 1"):
        deployed(ml, environment_variables={"TOY_CRASH": "1"})
    assert str(ml.online_deployments.get("blue", "loan").provisioning_state).endswith(("Failed", "FAILED"))
    assert "cannot load the model" in ml.online_deployments.get_logs(name="blue", endpoint_name="loan", lines=9)
    azure.fake.set(startup=1.0)
    with pytest.raises(HttpResponseError, match="readiness probe"):
        deployed(ml, "green", environment_variables={"TOY_NOT_READY": "1"})
    assert score(ml, azureml_model_deployment="green").status_code == 503
    until(azure.fake.processes, lambda pids: not pids)


def test_an_update_that_fails_leaves_the_old_one_serving(ml: MLClient):
    endpoint(ml)
    deployed(ml)
    traffic(ml, {"blue": 100})
    with pytest.raises(HttpResponseError):
        deployed(ml, environment_variables={"TOY_CRASH": "1"})
    assert score(ml).json() == "blue"
    deployed(ml, environment_variables={"TOY_NAME": "newer"})
    assert score(ml).json() == "newer"


def test_one_that_ends_or_is_not_alive_is_started_again(ml: MLClient, azure: Subscription):
    endpoint(ml)
    probe = ProbeSettings(failure_threshold=2, period=10, initial_delay=1)
    deployed(ml, liveness_probe=probe, readiness_probe=probe)
    traffic(ml, {"blue": 100})
    first = score(ml, "environment").status_code
    assert first == 200 and score(ml, "die").status_code == 502
    until(lambda: score(ml).status_code, lambda status: status == 200, 20)
    before = azure.fake.processes()
    assert score(ml, "sicken live").status_code == 200
    until(azure.fake.processes, lambda pids: pids and not set(pids) & set(before), 20)
    until(lambda: score(ml).status_code, lambda status: status == 200, 20)
    assert score(ml, "sicken ready").status_code == 200
    until(lambda: score(ml).status_code, lambda status: status == 503, 20)


def test_what_a_container_says_badly_is_told_as_its_own_mistake(ml: MLClient):
    endpoint(ml)
    deployed(ml)
    traffic(ml, {"blue": 100})
    answer = score(ml, "status 418")
    assert (answer.status_code, answer.text) == (424, "as told")
    assert answer.headers["ms-azureml-model-error-statuscode"] == "418"


def test_one_that_takes_too_long_is_not_waited_for_and_a_crowd_is_sent_away(ml: MLClient):
    endpoint(ml)
    deployed(ml, request_settings=OnlineRequestSettings(request_timeout_ms=500, max_concurrent_requests_per_instance=1))
    traffic(ml, {"blue": 100})
    assert score(ml, "sleep 2").status_code == 408
    key = str(ml.online_endpoints.get_keys("loan").primary_key)
    headers = {"Authorization": f"Bearer {key}"}

    def ask(_number: int) -> int:
        return requests.post(SCORE, json={"do": "sleep 0.4"}, headers=headers, timeout=30).status_code

    with ThreadPoolExecutor(6) as pool:
        assert Counter(pool.map(ask, range(6)))[429] == 4


def test_callers_are_known_by_key_by_token_or_by_entra_id(ml: MLClient, azure: Subscription):
    for name, mode in (("loan", "key"), ("loan-token", "aml_token"), ("loan-entra", "aad_token")):
        endpoint(ml, name, auth_mode=mode)
        deployed(ml, of=name)
        traffic(ml, {"blue": 100}, of=name)
        assert invoked(ml, of=name) == "blue"
        where = SCORE.replace("loan", name)
        assert requests.post(where, json={}, timeout=30).status_code == 401
        wrong = {"Authorization": f"Bearer {azure.token('https://storage.azure.com')}"}
        assert requests.post(where, json={}, headers=wrong, timeout=30).status_code == 401
    old = score(ml).request.headers
    ml.online_endpoints.begin_regenerate_keys("loan", key_type="primary").result()
    assert requests.post(SCORE, json={}, headers=old, timeout=30).status_code == 401 and score(ml).ok


def test_an_endpoint_takes_its_deployments_along(ml: MLClient, azure: Subscription):
    endpoint(ml)
    deployed(ml)
    pids = azure.fake.processes()
    ml.online_endpoints.begin_delete("loan").result()
    until(lambda: [pid for pid in pids if psutil.pid_exists(pid)], lambda left: not left, 20)
    with pytest.raises(ResourceNotFoundError):
        ml.online_endpoints.get("loan")
    assert list(ml.online_endpoints.list()) == []


def test_operations_take_the_time_that_they_are_told_to(ml: MLClient, azure: Subscription):
    azure.fake.set(operation=0.3)
    begun = ml.online_endpoints.begin_create_or_update(learning.ManagedOnlineEndpoint(name="loan", auth_mode="key"))
    found = ml.online_endpoints.get("loan")
    assert str(found.provisioning_state).lower().endswith("creating") and begun.result().name == "loan"
    assert deployment(ml).name == "blue"
