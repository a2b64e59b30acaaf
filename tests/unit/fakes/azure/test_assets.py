"""Models, environments, data, datastores and workspaces by Microsoft's SDK."""

from __future__ import annotations

from pathlib import Path

import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.entities import AmlCompute, AzureBlobDatastore, Data, Model
from azure.core.exceptions import ResourceNotFoundError

from . import learning
from .conftest import CONTAINER, TRAIN, Subscription


@pytest.fixture
def ml(azure: Subscription) -> MLClient:
    return learning.client(azure)


def test_models_have_versions_tags_and_properties(ml: MLClient, tmp_path: Path):
    learning.model(ml, tmp_path, tags={"stage": "old"}, properties={"digest": "sha256:1"})
    learning.model(ml, tmp_path, version=None, tags={"stage": "new", "champion": ""})
    found = list(ml.models.list("loan"))
    assert [(one.version, one.tags["stage"]) for one in found] == [("2", "new"), ("1", "old")]
    assert ml.models.get("loan", label="latest").version == "2"
    first = ml.models.get("loan", "1")
    assert first.properties == {"digest": "sha256:1"} and first.type == "custom_model"
    first.tags["stage"] = "kept"
    assert ml.models.create_or_update(first).tags == {"stage": "kept"}
    ml.models.download("loan", "1", download_path=tmp_path / "down")
    assert [path.read_text() for path in (tmp_path / "down").rglob("weights.txt")] == ["loan"]
    ml.models.archive("loan", "1")
    assert [one.version for one in ml.models.list("loan")] == ["2"]
    ml.models.restore("loan", "1")
    assert len(list(ml.models.list("loan"))) == 2
    with pytest.raises(ResourceNotFoundError):
        ml.models.get("loan", "3")


def test_models_are_found_by_their_tags(azure: Subscription, ml: MLClient, tmp_path: Path):
    learning.model(ml, tmp_path, tags={"digest": "one"})
    learning.model(ml, tmp_path, version="2", tags={"digest": "two"})
    for wanted, versions in (("digest=two", ["2"]), ("digest", ["2", "1"]), ("digest=three", [])):
        answer = azure.arm("GET", "models/loan/versions", tags=wanted).json()
        assert [one["name"] for one in answer["value"]] == versions


def test_long_lists_come_in_pages(azure: Subscription, ml: MLClient):
    for number in range(35):
        learning.environment(ml, "many" if number else "first", TRAIN) if number < 2 else azure.arm(
            "PUT", f"environments/many/versions/{number}", {"properties": {"image": TRAIN}}
        )
    assert len(list(ml.environments.list("many"))) == 34
    assert azure.arm("GET", "environments/many").json()["properties"]["nextVersion"] == "35"
    assert {one.name for one in ml.environments.list()} == {"first", "many"}


def test_a_datastore_names_a_container_and_data_in_it(azure: Subscription, ml: MLClient, tmp_path: Path):
    store = AzureBlobDatastore(name="curated", account_name=azure.fake.account, container_name=CONTAINER)
    assert ml.create_or_update(store).container_name == CONTAINER
    azure.container.upload_blob("loans/rows.csv", b"a")
    path = "azureml://datastores/curated/paths/loans/"
    made = ml.data.create_or_update(Data(name="loans", version="1", path=path, type="uri_folder"))
    assert made.path == path and {one.name for one in ml.datastores.list()} >= {"curated", "workspaceblobstore"}
    ml.datastores.delete("curated")
    with pytest.raises(ResourceNotFoundError):
        ml.datastores.get("curated")


def test_a_cluster_is_made_for_jobs_to_name(azure: Subscription, ml: MLClient, tmp_path: Path):
    made = ml.compute.begin_create_or_update(AmlCompute(name="cpu", size="Standard_DS3_v2", max_instances=2)).result()
    assert made.name == "cpu" and [one.name for one in ml.compute.list()] == ["cpu"]
    named = learning.submitted(ml, tmp_path, compute="cpu")
    assert learning.ended(ml, named) == "Completed"
    ml.compute.begin_delete("cpu").result()
    with pytest.raises(ResourceNotFoundError):
        ml.compute.get("cpu")


def test_a_workspace_says_where_things_are(azure: Subscription, ml: MLClient):
    found = ml.workspaces.get(azure.fake.workspace)
    assert found.location == azure.fake.location and found.storage_account.endswith(azure.fake.account)
    assert [one.name for one in ml.workspaces.list()] == [azure.fake.workspace]
    assert azure.arm("GET", "/subscriptions/other" + azure.workspace[len("/subscriptions/") + 36 :]).status_code == 404


def test_a_model_is_what_its_path_holds(ml: MLClient, tmp_path: Path):
    (tmp_path / "model.onnx").write_text("weights")
    made = ml.models.create_or_update(Model(name="file", version="1", path=str(tmp_path / "model.onnx")))
    assert made.path.endswith("/model.onnx")
    learning.endpoint(ml)
    learning.deployed(ml, model=made.id)
    assert learning.invoked(ml, "files", "blue") == {"model.onnx": "weights"}
