"""Vertex AI's own SDK pointed at the fake, and the shortest ways to a job, a model and an endpoint."""

from __future__ import annotations

import json
from typing import Any

from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform
from google.cloud import aiplatform_v1 as api
from google.cloud.aiplatform import base, jobs

from tests.unit.fakes.waiting import until

from .conftest import BUCKET, TOY, TRAIN, Project

ENDED = ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED")
MACHINE = {"machine_type": "n1-standard-4"}


def begin(gcp: Project) -> None:
    """Have the SDK ask this fake, in JSON over HTTP, and wait in short steps."""
    aiplatform.init(
        project=gcp.fake.project,
        location=gcp.fake.location,
        staging_bucket=f"gs://{BUCKET}",
        credentials=AnonymousCredentials(),
        api_transport="rest",
        api_endpoint=gcp.fake.endpoint,
    )
    jobs._JOB_WAIT_TIME = 0.05  # type: ignore[attr-defined]  five seconds otherwise
    base.logging.getLogger("google.cloud.aiplatform").setLevel("ERROR")


def parent(gcp: Project) -> str:
    return f"projects/{gcp.fake.project}/locations/{gcp.fake.location}"


def pool(wanted: dict[str, Any] | None = None, image: str = TRAIN, **spec: Any) -> dict[str, Any]:
    """A worker pool that does what is wanted."""
    container = {"image_uri": image, "args": [json.dumps(wanted)] if wanted else [], **spec}
    return {"machine_spec": MACHINE, "replica_count": 1, "container_spec": container}


def job(wanted: dict[str, Any] | None = None, name: str = "train", **given: Any) -> aiplatform.CustomJob:
    """A job of the SDK's, not yet submitted."""
    image, spec = given.pop("image", TRAIN), given.pop("spec", {})
    usual = {"base_output_dir": f"gs://{BUCKET}/out/{name}", **given}
    return aiplatform.CustomJob(display_name=name, worker_pool_specs=[pool(wanted, image, **spec)], **usual)


def submitted(wanted: dict[str, Any] | None = None, name: str = "train", **given: Any) -> aiplatform.CustomJob:
    """The same, submitted."""
    made = job(wanted, name, **{key: given.pop(key) for key in ("image", "spec", "labels") if key in given})
    made.submit(**given)
    return made


def ended(made: aiplatform.CustomJob) -> api.CustomJob:
    """The job once it has ended."""
    until(lambda: made.state.name, lambda state: state in ENDED)
    return made.gca_resource


def entries(gcp: Project, wanted: str = "", **more: Any) -> list[dict[str, Any]]:
    """What Cloud Logging lists."""
    request = {"resourceNames": [f"projects/{gcp.fake.project}"], "filter": wanted, "pageSize": 1000, **more}
    status, _, body = gcp.send("POST", "/v2/entries:list", json.dumps(request).encode())
    assert status == 200, body
    return json.loads(body)["entries"]


def messages(gcp: Project, made: aiplatform.CustomJob) -> list[str]:
    """What a job said."""
    wanted = f'resource.type="ml_job" AND resource.labels.job_id="{made.name}"'
    return [entry["jsonPayload"]["message"] for entry in entries(gcp, wanted)]


def uploaded(gcp: Project, name: str = "loan", image: str = TOY, **given: Any) -> aiplatform.Model:
    """A model with an artifact, whose container is called after it."""
    variables = {"TOY_NAME": name, **given.pop("environment", {})}
    usual = {
        "artifact_uri": gcp.put(f"models/{name}/weights.txt", name.encode()).rpartition("/")[0],
        "serving_container_predict_route": "/predict",
        "serving_container_health_route": "/health",
        "serving_container_environment_variables": variables,
    }
    return aiplatform.Model.upload(display_name=name, serving_container_image_uri=image, **{**usual, **given})


def endpoint(name: str = "loan") -> aiplatform.Endpoint:
    """An endpoint without models."""
    return aiplatform.Endpoint.create(display_name=name)


def deployed(to: aiplatform.Endpoint, model: aiplatform.Model, **given: Any) -> str:
    """The id of a model that is deployed and serves."""
    before = {one.id for one in to.list_models()}
    to.deploy(model, **{"machine_type": "n1-standard-2", "sync": True, **given})
    [new] = [one.id for one in to.list_models() if one.id not in before]
    return new
