"""Each constraint of Vertex AI refuses, and with its switch off it does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import aiplatform
from google.cloud import aiplatform_v1 as api

from . import vertex
from .conftest import HUB, TOY, Project
from .vertex import deployed, endpoint, submitted, uploaded

RESOURCES = {"machine_spec": {"machine_type": "n1-standard-2"}, "min_replica_count": 1}


@pytest.fixture(autouse=True)
def _sdk(gcp: Project) -> None:
    vertex.begin(gcp)


def refused(action: Callable[[], Any]) -> str:
    """What the service says to it; an empty text where it takes it."""
    try:
        action()
    except GoogleAPICallError as error:
        return str(error)
    return ""


def create_job(gcp: Project, spec: dict[str, Any] | None = None, **job: Any) -> str:
    """What is said to a job, past the SDK's own checks."""
    content = {"display_name": "job", "job_spec": spec or {"worker_pool_specs": [vertex.pool()]}, **job}
    client = aiplatform.CustomJob._instantiate_client(location=gcp.fake.location)
    return refused(lambda: client.create_custom_job(parent=vertex.parent(gcp), custom_job=content))


def upload(gcp: Project, model_id: str = "", parent: str = "", **model: Any) -> str:
    """What is said to a model, past the SDK's own checks."""
    content = {"display_name": "model", "container_spec": {"image_uri": TOY}, **model}
    request = {"parent": vertex.parent(gcp), "model": content, "model_id": model_id, "parent_model": parent}
    client = aiplatform.Model._instantiate_client(location=gcp.fake.location)
    return refused(lambda: client.upload_model(request=request).result(timeout=30))


def create_endpoint(gcp: Project, endpoint_id: str = "", **given: Any) -> str:
    """What is said to an endpoint."""
    content = {"display_name": "endpoint", **given}
    request = {"parent": vertex.parent(gcp), "endpoint": content, "endpoint_id": endpoint_id}
    client = aiplatform.Endpoint._instantiate_client(location=gcp.fake.location)
    return refused(lambda: client.create_endpoint(request=request).result(timeout=30))


def deploy(to: aiplatform.Endpoint, model: aiplatform.Model, split: dict[str, int] | None = None, **given: Any) -> str:
    """What is said to a deployment, past the SDK's own checks."""
    content = {"model": model.resource_name, "dedicated_resources": RESOURCES, **given}
    call = {"endpoint": to.resource_name, "deployed_model": content, "traffic_split": split or {}}
    return refused(lambda: to.api_client.deploy_model(request=call).result(timeout=30))


def split(to: aiplatform.Endpoint, wanted: dict[str, int]) -> str:
    """What is said to a traffic split."""
    content = api.Endpoint(name=to.resource_name, traffic_split=wanted)
    mask = {"paths": ["traffic_split"]}
    return refused(lambda: to.api_client.update_endpoint(endpoint=content, update_mask=mask))


@pytest.mark.parametrize("name", ["", "x" * 129])
def test_a_display_name_has_1_to_128_characters(gcp: Project, name: str):
    from trivet.rehearsal.fakes.gcp.constraints import STRICT

    gcp.fake.switch(STRICT, False)  # which refuses an empty one first
    actions = (create_job, upload, create_endpoint)
    assert all("must be 1 to 128 characters" in action(gcp, display_name=name) for action in actions)
    gcp.fake.switch("display-names", False)
    assert not any(action(gcp, display_name=name) for action in actions)


@pytest.mark.parametrize(
    "labels",
    [
        {"Team": "a"},
        {"team": "A"},
        {"team": "a b"},
        {"1team": "a"},
        {"team": "a" * 65},
        {f"k{n}": "" for n in range(65)},
    ],
)
def test_labels_are_few_small_and_plain(gcp: Project, labels: dict[str, str]):
    actions = (create_job, upload, create_endpoint)
    assert all("Invalid labels" in action(gcp, labels=labels) for action in actions)
    assert create_endpoint(gcp, labels={"team-1_é": "é-1_", **{f"k{n}": "" for n in range(63)}}) == ""
    gcp.fake.switch("labels", False)
    assert not any(action(gcp, labels=labels) for action in actions)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("one-chief", {"replica_count": 0}, "replica_count 1"),
        ("machine-type", {"machine_spec": {}}, "machine_type is required"),
        ("one-task", {"container_spec": None}, "one of container_spec and python_package_spec"),
        (
            "env-names",
            {"container_spec": {"image_uri": TOY, "env": [{"name": "A-B", "value": "1"}]}},
            "Invalid environment variable names: A-B",
        ),
    ],
)
def test_a_worker_pool_says_what_it_needs(gcp: Project, name: str, change: dict[str, Any], said: str):
    spec = {"worker_pool_specs": [{**vertex.pool(), **change}]}
    assert said in create_job(gcp, spec)
    gcp.fake.switch(name, False)
    after = create_job(gcp, spec)
    assert after == "" if name != "one-task" else "Python packages as jobs" in after


@pytest.mark.parametrize("uri", ["gs://no-such-bucket/out", "s3://store-1/out", "gs://"])
def test_a_jobs_output_is_in_a_bucket_that_there_is(gcp: Project, uri: str):
    spec = {"worker_pool_specs": [vertex.pool()], "base_output_directory": {"output_uri_prefix": uri}}
    assert "names no bucket that there is" in create_job(gcp, spec)
    gcp.fake.switch("output-exists", False)
    assert create_job(gcp, spec) == ""


def test_jobs_are_cancelled_before_their_end_and_deleted_after_it():
    made = submitted({"sleep": 600})
    assert "cancel it, and delete it when it has ended" in refused(lambda: made.delete(sync=True))
    made.cancel()
    vertex.ended(made)
    assert "cannot be cancelled" in refused(made.cancel)


def test_without_the_constraint_a_job_that_ended_may_be_cancelled(gcp: Project):
    made = submitted({})
    vertex.ended(made)
    gcp.fake.switch("cancel-running", False)
    assert refused(made.cancel) == "" and made.state.name == "JOB_STATE_SUCCEEDED"


@pytest.mark.parametrize("image", [f"{HUB}/never:1", "docker.io/library/toy:1"])
def test_a_models_image_was_pushed_to_artifact_registry(gcp: Project, image: str):
    create = lambda: upload(gcp, "loan", container_spec={"image_uri": image})  # noqa: E731
    assert "in no repository of Artifact Registry" in create()
    gcp.fake.switch("image-exists", False)
    assert create() == ""
    if "never" in image:
        assert "cannot be pulled" in deploy(endpoint(), aiplatform.Model("loan"))


def test_a_models_artifacts_are_there(gcp: Project):
    gcp.put("models/weights", b"1")
    uri = "gs://store-1/models/weights"  # an object, and no folder of them
    assert "There are no objects under" in upload(gcp, artifact_uri=uri)
    assert "Invalid Cloud Storage URI" in upload(gcp, artifact_uri="/models")
    gcp.fake.switch("artifacts-exist", False)
    assert upload(gcp, artifact_uri=uri) == ""


def test_a_models_container_says_what_it_may(gcp: Project):
    reserved = {"image_uri": TOY, "env": [{"name": "AIP_MODE", "value": "x"}]}
    route = {"image_uri": TOY, "predict_route": "predict"}
    assert "Invalid environment variable names: AIP_MODE" in upload(gcp, container_spec=reserved)
    assert "must begin with a slash: predict" in upload(gcp, container_spec=route)
    gcp.fake.switch("env-names", False)
    gcp.fake.switch("routes", False)
    assert upload(gcp, container_spec=reserved) == "" and upload(gcp, container_spec=route) == ""


@pytest.mark.parametrize("name", ["1loan", "-loan", "Loan", "l" * 64, "loan.x"])
def test_an_id_for_a_model_is_one(gcp: Project, name: str):
    assert f"Invalid model_id: '{name}'" in upload(gcp, name)
    gcp.fake.switch("model-ids", False)
    assert upload(gcp, name) == ""


def test_names_are_taken_once(gcp: Project):
    assert upload(gcp, "loan") == "" and create_endpoint(gcp, "loan") == ""
    assert "already exists" in upload(gcp, "loan") and "already exists" in create_endpoint(gcp, "loan")
    gcp.fake.switch("names-taken", False)
    assert upload(gcp, "loan") == "" and create_endpoint(gcp, "loan") == ""


@pytest.mark.parametrize("alias", ["a", "Best", "1st", "best-", "a_b", "a" * 129])
def test_an_alias_is_one(gcp: Project, alias: str):
    model = uploaded(gcp)
    name = f"{model.resource_name}@1"
    merge = lambda: refused(lambda: model.api_client.merge_version_aliases(name=name, version_aliases=[alias]))  # noqa: E731
    assert "Invalid version aliases" in merge() and "Invalid version aliases" in upload(gcp, version_aliases=[alias])
    gcp.fake.switch("alias-names", False)
    assert merge() == "" and upload(gcp, version_aliases=[alias]) == ""


def test_the_default_alias_is_moved_and_not_removed(gcp: Project):
    model = uploaded(gcp)
    name = f"{model.resource_name}@1"
    take = lambda: refused(lambda: model.api_client.merge_version_aliases(name=name, version_aliases=["-default"]))  # noqa: E731
    drop = lambda: refused(lambda: model.api_client.delete_model_version(name=name).result(timeout=30))  # noqa: E731
    assert "give it to another version" in take() and "make another one the default" in drop()
    gcp.fake.switch("default-alias", False)
    assert take() == "" and drop() == ""


def test_a_deployed_model_is_kept_and_so_is_its_endpoint(gcp: Project):
    model, to = uploaded(gcp), endpoint()
    uploaded(gcp, parent_model=model.name)
    first = aiplatform.Model(f"{model.name}@1")
    deployed(to, first)
    version = f"{model.resource_name}@1"
    drop = lambda: refused(lambda: model.api_client.delete_model_version(name=version).result(timeout=30))  # noqa: E731
    whole = lambda: refused(lambda: model.api_client.delete_model(name=model.resource_name).result(timeout=30))  # noqa: E731
    close = lambda: refused(lambda: to.api_client.delete_endpoint(name=to.resource_name).result(timeout=30))  # noqa: E731
    assert to.resource_name in drop() and "is deployed or being deployed" in whole()
    assert "undeploy them first" in close()
    gcp.fake.switch("model-in-use", False)
    assert drop() == "" and whole() == ""
    gcp.fake.switch("endpoint-empty", False)
    assert close() == ""


@pytest.mark.parametrize("name", ["0123", "1234567890", "-a", "a-", "A", "a_b", "a" * 64])
def test_an_id_for_an_endpoint_is_one(gcp: Project, name: str):
    assert f"Invalid endpoint_id: '{name}'" in create_endpoint(gcp, name)
    assert create_endpoint(gcp, "123456789") == "" and create_endpoint(gcp, "loan-1") == ""
    gcp.fake.switch("endpoint-ids", False)
    assert create_endpoint(gcp, name) == ""


def test_a_deployment_names_its_resources_and_may_name_its_id(gcp: Project):
    model, to = uploaded(gcp), endpoint()
    assert "Invalid DeployedModel id" in deploy(to, model, id="a1")
    wrong = [
        ("resources", {"dedicated_resources": None, "automatic_resources": {}}, "DEDICATED_RESOURCES only"),
        ("resources", {"dedicated_resources": {**RESOURCES, "min_replica_count": -1}}, "at least 1"),
        (
            "resources",
            {"dedicated_resources": {**RESOURCES, "min_replica_count": 2, "max_replica_count": 1}},
            "at least min_replica_count",
        ),
        (
            "machine-type",
            {"dedicated_resources": {"machine_spec": {}, "min_replica_count": 1}},
            "machine_type is required",
        ),
    ]
    for _, given, said in wrong:
        assert said in deploy(to, model, **given)
    gcp.fake.switch("deployed-ids", False)
    assert deploy(to, model, id="a1") == ""
    for name, given, _ in wrong[1:]:
        gcp.fake.switch(name, False)
        assert deploy(to, model, **given) == ""
    assert "already exists" in deploy(to, model, id="a1")


def test_traffic_adds_up_to_100_and_goes_to_what_is_deployed(gcp: Project):
    model, to = uploaded(gcp), endpoint()
    assert "add up to 90" in deploy(to, model, {"0": 90})
    assert "there is no such DeployedModel" in deploy(to, model, {"0": 90, "7": 10})
    one = deployed(to, model)
    for wanted in ({one: 99}, {one: 101}, {one: 150, "7": -50}):
        assert "must add up to 100" in split(to, wanted)
    assert "cannot go to 7" in split(to, {one: 50, "7": 50}) and "cannot go to 0" in split(to, {"0": 100})
    assert split(to, {}) == ""  # nobody gets any
    gcp.fake.switch("traffic-sum", False)
    assert split(to, {one: 99}) == ""
    gcp.fake.switch("traffic-deployed", False)
    assert split(to, {one: 50, "7": 50}) == "" and to.predict(["name"]).predictions == ["loan"]


def test_an_update_that_says_an_etag_is_of_what_was_read(gcp: Project):
    to = endpoint()
    name = to.resource_name

    def describe(description: str, etag: str = "") -> str:
        wanted = api.Endpoint(name=name, description=description, etag=etag)
        return refused(lambda: to.api_client.update_endpoint(endpoint=wanted, update_mask={"paths": ["description"]}))

    read = to.api_client.get_endpoint(name=name).etag
    assert describe("one", read) == ""
    assert to.api_client.get_endpoint(name=name).etag != read
    assert "409" in (said := describe("two", read)) and "read it again" in said
    assert describe("two") == ""  # whoever says none overwrites
    gcp.fake.switch("etags", False)
    assert describe("three", read) == ""


def test_a_model_with_traffic_is_not_undeployed_unless_it_is_the_last_one(gcp: Project):
    model, to = uploaded(gcp), endpoint()
    first = deployed(to, model)
    second = deployed(to, model, traffic_percentage=50)
    drop = lambda one: refused(  # noqa: E731
        lambda: to.api_client.undeploy_model(endpoint=to.resource_name, deployed_model_id=one).result(timeout=30)
    )
    assert "gets traffic" in drop(first)
    gcp.fake.switch("undeploy-traffic", False)
    assert drop(first) == ""
    gcp.fake.switch("undeploy-traffic", True)
    assert drop(second) == "" and "is not found on Endpoint" in drop(second)


def test_requests_and_answers_are_at_most_1_5_mb(gcp: Project):
    to = endpoint()
    deployed(to, uploaded(gcp))
    path = f"/v1/{to.resource_name}:rawPredict"
    send = lambda size: gcp.send("POST", path, b"x" * size, {"Content-Type": "text/csv"})  # noqa: E731
    assert send(1_572_865)[0] == 400 and b"exceeds the limit: 1572864 bytes" in send(1_572_865)[2]
    assert "exceeds the limit: 1572864 bytes" in refused(lambda: to.predict(["x" * 1_572_865]))
    assert "Response size too large" in refused(lambda: to.predict(["large"]))
    assert send(700_000)[0] == 201
    gcp.fake.switch("payload", False)
    assert send(1_572_865)[0] == 201
    assert refused(lambda: to.predict(["large"])) == ""


def test_an_answer_comes_in_time(gcp: Project):
    to = endpoint()
    deployed(to, uploaded(gcp))
    gcp.fake.set(invocation=0.3)
    assert "did not answer within" in refused(lambda: to.predict(["sleep"]))
    gcp.fake.switch("answer-time", False)
    assert refused(lambda: to.predict(["sleep"])) == ""


@pytest.mark.parametrize("path", ["deployed_models", "name", "surprise", ""])
def test_what_cannot_be_changed_is_refused(path: str):
    to = endpoint()
    mask = {"paths": [path] if path else []}
    content = api.Endpoint(name=to.resource_name, display_name="x")
    update = lambda: to.api_client.update_endpoint(endpoint=content, update_mask=mask)  # noqa: E731
    assert "Invalid update_mask" in refused(update)
    assert aiplatform.Endpoint(to.resource_name).display_name == "loan"


@pytest.mark.parametrize(
    ("aborted", "said"), [(False, "There are other operations running on"), (True, "409 .* is being changed")]
)
def test_what_is_under_way_lets_nothing_else_change(gcp: Project, aborted: bool, said: str) -> None:
    to, model = endpoint(), uploaded(gcp)
    client = aiplatform.Endpoint._instantiate_client(location=gcp.fake.location)
    gcp.fake.set(operation=2.0, aborted=aborted)
    content = {"model": model.resource_name, "dedicated_resources": RESOURCES}
    first = client.deploy_model(endpoint=to.resource_name, deployed_model=content)

    def again() -> str:
        return refused(lambda: client.deploy_model(endpoint=to.resource_name, deployed_model=content))

    assert re.search(said, again())
    assert re.search(said, refused(lambda: client.delete_endpoint(name=to.resource_name)))
    gcp.fake.switch("one-operation", False)
    assert again() == ""
    assert first.result(timeout=30).deployed_model.id


def test_more_replicas_than_the_quota_are_refused(gcp: Project) -> None:
    to, model = endpoint(), uploaded(gcp)
    gcp.fake.set(machines=1)
    deployed(to, model)
    assert "exceed quota limits" in deploy(to, model)
    gcp.fake.switch("quota", False)
    assert deploy(to, model) == ""


def test_a_key_is_there_in_the_same_region_and_an_account_is_there(gcp: Project) -> None:
    key = f"{vertex.parent(gcp)}/keyRings/ring/cryptoKeys/data"
    ring, body = f"/v1/{vertex.parent(gcp)}/keyRings", b'{"purpose": "ENCRYPT_DECRYPT"}'
    secured = {"encryption_spec": {"kms_key_name": key}}
    calls = [create_job, create_endpoint, upload]
    for call in calls:
        assert "useToEncrypt" in call(gcp, **secured)
    assert gcp.send("POST", f"{ring}?keyRingId=ring", b"{}")[0] == 200
    assert gcp.send("POST", f"{ring}/ring/cryptoKeys?cryptoKeyId=data", body)[0] == 200
    for call in calls:
        assert call(gcp, **secured) == ""
    elsewhere = {"encryption_spec": {"kms_key_name": key.replace("europe-west3", "europe-west1")}}
    assert "useToEncrypt" in create_job(gcp, **elsewhere)
    gcp.fake.switch("key-usable", False)
    assert create_job(gcp, **elsewhere) == ""
    runs = {"worker_pool_specs": [vertex.pool()], "service_account": "nobody@rehearsal-project.iam.gserviceaccount.com"}
    assert "actAs" in create_job(gcp, runs)
    assert "actAs" in deploy(endpoint(), uploaded(gcp), service_account=runs["service_account"])
    gcp.fake.switch("account-exists", False)
    assert create_job(gcp, runs) == ""
