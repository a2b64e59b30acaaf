"""The registry of Vertex AI, by its own SDK: versions, aliases, and what of a model may change."""

from __future__ import annotations

import pytest
from google.api_core import exceptions
from google.cloud import aiplatform

from . import vertex
from .conftest import TOY, Project
from .vertex import uploaded


@pytest.fixture(autouse=True)
def _sdk(gcp: Project) -> None:
    vertex.begin(gcp)


def aliases(model: aiplatform.Model) -> dict[str, list[str]]:
    """The aliases of every version."""
    return {one.version_id: sorted(one.version_aliases) for one in model.versioning_registry.list_versions()}


def test_a_model_is_held_with_all_that_was_said_of_it(gcp: Project):
    made = uploaded(gcp, labels={"team": "loans"}, description="odds", version_aliases=["champion"])
    found = aiplatform.Model(made.resource_name)
    assert found.name.isdecimal() and found.version_id == "1"
    assert found.resource_name == f"projects/{gcp.fake.number}/locations/{gcp.fake.location}/models/{found.name}"
    assert (found.display_name, found.labels, found.description) == ("loan", {"team": "loans"}, "odds")
    assert found.version_aliases == ["champion", "default"]
    assert found.uri == "gs://store-1/models/loan" and found.container_spec.image_uri == TOY
    assert found.create_time <= found.update_time
    found.update(display_name="mortgage", labels={"team": "homes"})
    assert aiplatform.Model(made.resource_name).labels == {"team": "homes"}


def test_the_first_version_is_the_default_until_another_one_is(gcp: Project):
    first = uploaded(gcp, model_id="loan")
    assert first.name == "loan" and aliases(first) == {"1": ["default"]}
    second = uploaded(gcp, parent_model="loan", is_default_version=False, version_aliases=["challenger"])
    assert (second.name, second.version_id) == ("loan", "2")
    assert aliases(first) == {"1": ["default"], "2": ["challenger"]}
    third = uploaded(gcp, parent_model="loan", version_description="newest")
    assert aliases(first) == {"1": [], "2": ["challenger"], "3": ["default"]}
    assert aiplatform.Model("loan").version_id == "3" and aiplatform.Model("loan@challenger").version_id == "2"
    assert third.version_description == "newest"
    assert [one.version_id for one in first.versioning_registry.list_versions()] == ["3", "2", "1"]
    assert [one.version_id for one in aiplatform.Model.list()] == ["3"]


def test_aliases_move_and_go(gcp: Project):
    first = uploaded(gcp, model_id="loan", version_aliases=["champion"])
    uploaded(gcp, parent_model="loan", is_default_version=False)
    registry = first.versioning_registry
    registry.add_version_aliases(["champion", "default"], "2")
    assert aliases(first) == {"1": [], "2": ["champion", "default"]}
    registry.remove_version_aliases(["champion"], "2")
    assert aliases(first) == {"1": [], "2": ["default"]}


def test_a_number_is_never_given_twice(gcp: Project):
    first = uploaded(gcp, model_id="loan")
    uploaded(gcp, parent_model="loan", is_default_version=False)
    first.versioning_registry.delete_version("2")
    with pytest.raises(exceptions.NotFound):
        aiplatform.Model("loan@2")
    assert uploaded(gcp, parent_model="loan", is_default_version=False).version_id == "3"
    first.delete()
    with pytest.raises(exceptions.NotFound):
        aiplatform.Model("loan")


def test_models_are_found_by_a_filter_and_in_an_order(gcp: Project):
    for name in ("b", "a", "c"):
        uploaded(gcp, name, labels={"digest": f"sha-{name}"})
    assert [one.display_name for one in aiplatform.Model.list(filter='labels.digest="sha-a"')] == ["a"]
    assert [one.display_name for one in aiplatform.Model.list(filter='display_name!="a"')] == ["c", "b"]
    assert [one.display_name for one in aiplatform.Model.list(order_by="display_name")] == ["a", "b", "c"]
    for wrong in ("gravity=1", "display_name = = 2"):
        with pytest.raises(exceptions.BadRequest, match=r"Invalid filter|does not read the filter"):
            aiplatform.Model.list(filter=wrong)


def test_uploading_takes_time(gcp: Project):
    gcp.fake.set(operation=2.0)
    spec = {"image_uri": TOY}
    client = aiplatform.Model._instantiate_client(location=gcp.fake.location)
    operation = client.upload_model(parent=vertex.parent(gcp), model={"display_name": "m", "container_spec": spec})
    assert not operation.done() and aiplatform.Model.list() == []
    assert operation.result(timeout=30).model_version_id == "1"
    assert operation.metadata.generic_metadata.create_time


def test_what_is_left_out_is_refused_in_one_sentence(gcp: Project):
    with pytest.raises(exceptions.MethodNotImplemented, match="no ListBatchPredictionJobs of Vertex AI"):
        aiplatform.BatchPredictionJob.list()
    with pytest.raises(exceptions.MethodNotImplemented, match="no ListPipelineJobs of Vertex AI"):
        aiplatform.PipelineJob.list()
    for path in ("/v1/projects/p/nothing", "/v1/projects/p/locations/l/models/1:fly"):
        assert gcp.send("POST", path, b"{}")[0] == 404
