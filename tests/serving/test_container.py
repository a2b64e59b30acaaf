"""The server as each cloud starts it: by its argument and its environment, and by nothing else."""

from __future__ import annotations

import shutil
import signal
import time
from contextlib import suppress

import httpx
import pytest

from trivet.core.errors import ConfigError, ExitCode
from trivet.serving.config import ServerConfig
from trivet.serving.container import from_environment as from_environment_into
from trivet.serving.folders import OwnFolder
from trivet.serving.presets import PRESETS
from trivet.serving.spans import CLOSE_SECONDS

from . import containers

run = containers.run_containers


def from_environment(environ: dict[str, str]) -> ServerConfig:
    """What a container would serve."""
    with OwnFolder("trivet-packages-") as fetched:
        return from_environment_into(environ, fetched)


def test_sagemaker(run, made, client):
    container = run(TRIVET_MODEL=str(made.folder), TRIVET_PUBLIC_KEY=made.public_key)
    assert client.get(f"{container.url}/ping").status_code == 200
    body = {"instances": made.rows(2)}
    response = client.post(f"{container.url}/invocations", json=body)
    assert len(response.json()["predictions"]) == 2
    assert response.headers["x-amzn-sagemaker-custom-attributes"].endswith(made.digest)
    for path in ("/score", "/predict"):
        assert client.post(f"{container.url}{path}", json=body).status_code == 404
    container.process.send_signal(signal.SIGTERM)
    assert container.process.wait(30) == ExitCode.OK


def test_vertex(run, made, client):
    container = run(
        AIP_HTTP_PORT="8080",
        AIP_HEALTH_ROUTE="/v1/endpoints/1/deployedModels/2",
        AIP_PREDICT_ROUTE="/v1/endpoints/1/deployedModels/2:predict",
        AIP_STORAGE_URI=str(made.folder),
        AIP_MODEL_NAME="1",
        TRIVET_PUBLIC_KEY=made.public_key,
    )
    assert client.get(f"{container.url}/v1/endpoints/1/deployedModels/2").status_code == 200
    response = client.post(f"{container.url}/v1/endpoints/1/deployedModels/2:predict", json={"instances": made.rows(3)})
    assert len(response.json()["predictions"]) == 3
    assert client.get(f"{container.url}/ping").status_code == 404


def test_azure(run, made, client, tmp_path):
    """The model lies two folders below the mount, under its name and its version."""
    shutil.copytree(made.folder, tmp_path / "mount" / "credit" / "7")
    key = tmp_path / "key.pem"
    key.write_text(made.public_key)
    container = run(AZUREML_MODEL_DIR=str(tmp_path / "mount"), TRIVET_PUBLIC_KEY_FILE=str(key))
    for path in ("/", "/score"):
        assert client.get(f"{container.url}{path}").status_code == 200
    table = {"columns": list(made.rows(1)[0]), "index": [0], "data": [list(made.rows(1)[0].values())]}
    response = client.post(f"{container.url}/score", json={"input_data": table})
    assert response.headers["trivet-model"] == "credit/7"
    assert client.get(f"{container.url}/swagger.json").json()["openapi"].startswith("3.")


def test_it_is_alive_before_its_model_is_loaded_and_ready_after(run, slow, client):
    container = run(TRIVET_MODEL=str(slow.folder), TRIVET_SIGNED="false", TRIVET_PORT="18467")
    seen: list[int] = []
    end = time.monotonic() + 30
    while 200 not in seen[-1:] and time.monotonic() < end:
        with suppress(httpx.TransportError):
            seen.append(client.get("http://127.0.0.1:18467/ping").status_code)
    assert set(seen) == {503, 200}
    assert seen == sorted(seen, reverse=True)
    container.line("ready")


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "TRIVET_PUBLIC_KEY is not set"),
        ({"TRIVET_PRESET": "cloud"}, "TRIVET_PRESET=cloud is no preset"),
        ({"TRIVET_PUBLIC_KEY_FILE": "/nowhere"}, "TRIVET_PUBLIC_KEY_FILE=/nowhere cannot be read"),
        ({"AIP_HTTP_PORT": "http", "TRIVET_SIGNED": "false"}, "AIP_HTTP_PORT=http is no port"),
        ({"TRIVET_SIGNED": "false", "TRIVET_MODEL": "/nowhere/at/all"}, "/nowhere/at/all"),
        ({"TRIVET_SIGNED": "false", "AIP_STORAGE_URI": "", "AIP_HTTP_PORT": "8080"}, "/opt/ml/model"),
        ({"TRIVET_SIGNED": "false", "TRIVET_MAX_QEUE": "7"}, "TRIVET_MAX_QEUE is no setting"),
        ({"TRIVET_SIGNED": "no", "TRIVET_PORT": "²"}, "TRIVET_PORT=² is no port"),
    ],
)
def test_what_is_missing_is_named(environment, message):
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        from_environment(environment)


def test_a_start_that_fails_ends_the_container_with_its_reason(run):
    container = run(TRIVET_MODEL="/nowhere/at/all", TRIVET_SIGNED="false")
    assert container.process.wait(30) == ExitCode.CONFIG
    assert "/nowhere/at/all" in container.line("failed")["message"]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_bounds_bodies_and_time_as_its_platform_does(name, made):
    config = from_environment(
        {"TRIVET_PRESET": name, "TRIVET_MODEL": str(made.folder), "TRIVET_PUBLIC_KEY": made.public_key}
    )
    preset = PRESETS[name]
    assert (config.max_body_bytes, config.deadline_seconds) == (preset.max_body_bytes, preset.deadline_seconds)
    assert config.fronts == preset.fronts
    assert config.port == 8080
    assert config.models[0].name == "loan"


@pytest.mark.parametrize(("name", "seconds"), [("sagemaker", 30), ("sagemaker-serverless", 30)])
def test_it_has_left_before_its_platform_kills_it(name, seconds):
    """However long its requests take; two seconds are left for the last spans. The documentation names a bound for
    these only: the others have their own settings for it."""
    preset = PRESETS[name]
    assert preset.drain_seconds + preset.grace_seconds + CLOSE_SECONDS <= seconds


def test_any_setting_may_be_set(made):
    config = from_environment(
        {
            "TRIVET_MODEL": str(made.folder),
            "TRIVET_MODEL_NAME": "card",
            "TRIVET_MODEL_VERSION": "12",
            "TRIVET_SIGNED": "false",
            "TRIVET_FRONTS": "sagemaker, v2",
            "TRIVET_MAX_BODY_BYTES": str(25 << 20),
            "TRIVET_WORKERS": "2",
            "TRIVET_RECORDS_MODE": "sampled",
            "TRIVET_HOME": "/not/a/setting",
            "SAGEMAKER_BIND_TO_PORT": "9001",
        }
    )
    assert (config.models[0].name, config.models[0].version) == ("card", "12")
    assert config.fronts == ("sagemaker", "v2")
    assert (config.max_body_bytes, config.workers, config.records_mode) == (25 << 20, 2, "sampled")
    assert config.port == 9001
