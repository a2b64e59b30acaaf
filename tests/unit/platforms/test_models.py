from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from trivet.core.errors import ConfigError, IntegrityError, Locked, PlatformError
from trivet.core.locks import lock
from trivet.core.specs import EndpointSpec, EndpointStatus, Release
from trivet.core.waiting import wait_for
from trivet.platforms.local.models import APPROVAL, LocalModels
from trivet.platforms.local.processes import end, identify, python_environment
from trivet.rehearsal.ports import free_port
from trivet.rehearsal.rigs.local import LocalRig
from trivet.rehearsal.rigs.package import make_package

QUIETING = ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", "PYTEST_CURRENT_TEST", "CI")  # MLflow's telemetry obeys each


@pytest.fixture
def models(rig: LocalRig) -> LocalModels:
    assert isinstance(rig.platform.models, LocalModels)
    return rig.platform.models


def test_reading_an_empty_registry_makes_no_database(rig: LocalRig, models: LocalModels) -> None:
    assert list(models.list()) == []
    assert list((rig.home / "registry").iterdir()) == []


def test_a_moved_checkout_still_has_its_models_and_can_deploy_them(rig: LocalRig, tmp_path: Path) -> None:
    make_package(tmp_path / "package")
    version = rig.platform.models.register("loan", tmp_path / "package", author="ada", tags={})
    rig.move(tmp_path / "moved here")
    assert rig.platform.models.get("loan") == version
    release = Release(model="loan", version=version.version, digest=version.digest)
    assert rig.platform.endpoints.apply(EndpointSpec(name="first", releases=(release,))).status is EndpointStatus.READY
    assert rig.platform.models.register("loan", tmp_path / "package", author="ada", tags={}) == version


def test_a_second_writer_is_told_who_holds_the_lock(rig: LocalRig, models: LocalModels, tmp_path: Path) -> None:
    make_package(tmp_path / "package")
    with (
        lock(rig.home / "registry" / "registry.lock", "The model registry"),
        pytest.raises(Locked, match=rf"process {os.getpid()} "),
    ):
        models.register("loan", tmp_path / "package", author="ada", tags={})


def test_what_mlflow_does_not_take_is_the_callers_mistake(models: LocalModels, tmp_path: Path) -> None:
    make_package(tmp_path / "package")
    version = models.register("loan", tmp_path / "package", author="ada", tags={})
    for alias in ("latest", "v1", "no spaces?"):
        with pytest.raises(ConfigError, match="alias"):
            models.tag(version, alias=alias)
    with pytest.raises(ConfigError):
        models.tag(version, tags={"no$dollar": ""})


def test_what_other_hands_made_is_not_ours(models: LocalModels, tmp_path: Path) -> None:
    make_package(tmp_path / "package")
    version = models.register("loan", tmp_path / "package", author="ada", tags={})
    client: Any = models._client()
    client.create_model_version("loan", "file:///elsewhere")
    assert list(models.list("loan")) == [version]
    client.set_model_version_tag("loan", "1", APPROVAL, '{"status": "approved"}')
    with pytest.raises(IntegrityError, match="approval of model loan/1"):
        models.get("loan/1")


def test_more_versions_than_a_page_are_all_listed(
    models: LocalModels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trivet.platforms.local.models._PAGE", 2)
    for number in range(5):
        make_package(tmp_path / str(number), intercept=number)
        models.register(f"loan-{number % 2}", tmp_path / str(number), author="ada", tags={})
    assert [str(one) for one in models.list()] == ["loan-0/3", "loan-1/2", "loan-0/2", "loan-1/1", "loan-0/1"]


def test_a_missing_signing_key_and_a_damaged_database_are_told(
    rig: LocalRig, models: LocalModels, tmp_path: Path
) -> None:
    make_package(tmp_path / "package")
    (rig.home / "keys" / "signing.pem").rename(tmp_path / "key")
    with pytest.raises(PlatformError, match="signing key"):
        models.register("loan", tmp_path / "package", author="ada", tags={})
    (tmp_path / "key").rename(rig.home / "keys" / "signing.pem")
    (rig.home / "registry" / "registry.db").write_bytes(b"no database" * 1000)
    with pytest.raises(PlatformError, match="registry"):
        models.list()


@pytest.mark.slow
def test_register_speaks_to_nobody_and_says_nothing(rig: LocalRig, tmp_path: Path) -> None:
    """No connection is tried, not even one that would fail, and MLflow's log stays out of the terminal."""
    make_package(tmp_path / "package")
    code = """
import sys
from pathlib import Path
calls = []
watched = ("socket.connect", "socket.getaddrinfo", "socket.sendto")
sys.addaudithook(lambda event, arguments: calls.append((event, arguments)) if event in watched else None)
import socket
try:
    socket.create_connection(("127.0.0.1", 9), timeout=1)
except OSError:
    pass
assert calls, "the hook sees connections"
calls.clear()
from trivet.connect import connect
platform = connect(root=Path(sys.argv[1]))
platform.models.register("loan", Path(sys.argv[2]), author="ada", tags={})
platform.models.tag(platform.models.get("loan"), alias="champion")
print(calls)
"""
    command = [sys.executable, "-c", code, str(rig.root), str(tmp_path / "package")]
    environment = {key: value for key, value in os.environ.items() if key not in QUIETING}
    done = subprocess.run(
        command,
        env={**environment, "PYTHONPATH": python_environment({}).get("PYTHONPATH", "")},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a project's 100% folder", "package"]


@pytest.mark.slow
def test_mlflows_own_page_shows_the_version(rig: LocalRig, models: LocalModels, tmp_path: Path) -> None:
    make_package(tmp_path / "package")
    version = models.register("loan", tmp_path / "package", author="ada", tags={})
    models.tag(version, alias="champion")
    port = free_port()
    with (tmp_path / "ui.log").open("wb") as log:
        page = subprocess.Popen(
            [*models.ui_command(), "--port", str(port), "--workers", "1"],
            env=python_environment(os.environ),
            stdout=log,
            stderr=log,
            cwd=tmp_path,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}/api/2.0/mlflow/model-versions/get?name=loan&version=1"
        told = wait_for(lambda: _read(url), "MLflow's page", seconds=120)["model_version"]
        assert {tag["key"]: tag["value"] for tag in told["tags"]}["trivet.digest"] == version.digest
        assert told["aliases"] == ["champion"]
    finally:
        known = identify(page.pid)
        os.killpg(page.pid, 15)
        if known:
            end(known, grace=10)
        page.wait()


def _read(url: str) -> Any:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as answer:
            return json.load(answer)
    except (OSError, HTTPException):
        return None
