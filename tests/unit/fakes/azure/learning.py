"""Azure ML's own SDK led to the fake, and the shortest ways to a job, a model and an endpoint."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any

from azure.ai.ml import MLClient, command
from azure.ai.ml.constants._common import LROConfigurations
from azure.ai.ml.constants._endpoint import EndpointInvokeFields
from azure.ai.ml.entities import (
    Environment,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    Model,
    OnlineRequestSettings,
)

from tests.unit.fakes.waiting import until

from .conftest import HERE, TOY, TRAIN, Subscription

ENDED = ("Completed", "Failed", "Canceled")
ROUTES = {
    "liveness_route": {"port": 8080, "path": "/live"},
    "readiness_route": {"port": 8080, "path": "/ready"},
    "scoring_route": {"port": 8080, "path": "/predict"},
}
MACHINE = "Standard_DS3_v2"
ENDPOINT = "loan"


def client(azure: Subscription) -> MLClient:
    """The SDK, as anybody makes it, waiting in short steps and reporting to nobody."""
    LROConfigurations.POLL_INTERVAL = 0.05  # five seconds otherwise
    logging.getLogger("azure").setLevel("ERROR")
    fake = azure.fake
    place = fake.subscription, fake.group, fake.workspace
    return MLClient(azure.credential, *place, enable_telemetry=False, show_progress=False)


def code(folder: Path) -> Path:
    """The code of a job, alone in a folder."""
    there = folder / "code"
    there.mkdir(exist_ok=True)
    shutil.copy(HERE / "job.py", there)
    return there


def environment(ml: MLClient, name: str = "train", image: str = TRAIN, **given: Any) -> str:
    """The id of an environment of one image."""
    made = ml.environments.create_or_update(Environment(name=name, version="1", image=image, **given))
    return str(made.id)


def job(ml: MLClient, folder: Path, wanted: dict[str, Any] | None = None, **given: Any) -> Any:
    """A job that does what is wanted, not yet submitted; ``line`` is more of its command."""
    text = json.dumps(wanted or {}).replace("'", "")
    whole = f"python job.py '{text}' {given.pop('line', '')}"
    return command(code=str(code(folder)), command=whole, environment=environment(ml), **given)


def submitted(ml: MLClient, folder: Path, wanted: dict[str, Any] | None = None, **given: Any) -> str:
    """The name of such a job, submitted."""
    return str(ml.jobs.create_or_update(job(ml, folder, wanted, **given)).name)


def status(ml: MLClient, name: str) -> str:
    """The status of a job: the SDK makes enumerations of those that it knows."""
    found: Any = ml.jobs.get(name).status
    return str(getattr(found, "value", found))


def ended(ml: MLClient, name: str) -> str:
    """The status of a job once it has ended."""
    return until(lambda: status(ml, name), lambda status: status in ENDED, 30)


def log(azure: Subscription, name: str) -> str:
    """What a job said, as it lies in the workspace's storage."""
    found = azure.blobs.get_blob_client("azureml", f"ExperimentRun/dcid.{name}/user_logs/std_log.txt")
    return found.download_blob().readall().decode() if found.exists() else ""


def model(ml: MLClient, folder: Path, name: str = "loan", **given: Any) -> str:
    """The id of a model: a folder with its name in a file."""
    there = folder / name
    there.mkdir(exist_ok=True)
    (there / "weights.txt").write_text(name)
    made = ml.models.create_or_update(Model(name=name, path=str(there), **{"version": "1", **given}))
    return str(made.id)


def endpoint(ml: MLClient, name: str = ENDPOINT, **given: Any) -> ManagedOnlineEndpoint:
    """An endpoint without deployments."""
    wanted = ManagedOnlineEndpoint(name=name, **{"auth_mode": "key", **given})
    return ml.online_endpoints.begin_create_or_update(wanted).result()


def deployment(ml: MLClient, name: str = "blue", of: str = ENDPOINT, **given: Any) -> ManagedOnlineDeployment:
    """One that is not made yet; it answers with its name."""
    variables = {"TOY_NAME": name, **given.pop("environment_variables", {})}
    usual = {"environment": environment(ml, "serve", TOY, inference_config=ROUTES), "instance_count": 1}
    usual |= {"instance_type": MACHINE, "environment_variables": variables}
    return ManagedOnlineDeployment(name=name, endpoint_name=of, **{**usual, **given})


def deployed(ml: MLClient, name: str = "blue", of: str = ENDPOINT, **given: Any) -> ManagedOnlineDeployment:
    """One that serves."""
    return ml.online_deployments.begin_create_or_update(deployment(ml, name, of, **given)).result()


def traffic(ml: MLClient, shares: dict[str, int], mirror: dict[str, int] | None = None, of: str = ENDPOINT) -> None:
    """Who gets how many percent."""
    found = ml.online_endpoints.get(of)
    found.traffic, found.mirror_traffic = shares, mirror or {}
    ml.online_endpoints.begin_create_or_update(found).result()


def invoked(ml: MLClient, wanted: Any = None, name: str | None = None, of: str = ENDPOINT) -> Any:
    """What an endpoint answers, by the SDK."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as request:
        json.dump({"do": wanted} if isinstance(wanted, str) else wanted or {}, request)
        request.flush()
        EndpointInvokeFields.DEFAULT_HEADER.pop("azureml-model-deployment", None)  # the SDK writes into it
        return json.loads(ml.online_endpoints.invoke(of, request_file=request.name, deployment_name=name))


def settings(milliseconds: int) -> OnlineRequestSettings:
    """How long a request may take."""
    return OnlineRequestSettings(request_timeout_ms=milliseconds)
