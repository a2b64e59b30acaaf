"""AWS in bad weather: one rig for all, quick where the SDKs would wait, and fair weather again after each test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from botocore.config import Config
from botocore.retries.standard import ExponentialBackoff

from tests.unit.platforms.cases import empty, ended, job, new_name, spec_of, version_of
from trivet.clouds.awsnames import SCORING
from trivet.core.platform import Platform
from trivet.governance.backends import backend_at
from trivet.governance.ledger import ANCHORS, Ledger
from trivet.monitoring.segments import records_at
from trivet.platforms.aws import clients, hosted, session
from trivet.rehearsal.rigs.aws import AwsRig
from trivet.workflows.actors import current_actor
from trivet.workflows.bench import Bench

from .console import Console

__all__ = ["empty", "ended", "job", "new_name", "spec_of", "version_of"]

ATTEMPTS = 3
LAGGING = ("TrainingJob", "Model", "EndpointConfig", "Endpoint")
SPEED = 600.0  # a minute in which a release is watched passes in a tenth of a second


@pytest.fixture(scope="session")
def quick() -> Iterator[None]:
    """The user's own AWS out of the way, and an SDK that gives up after three tries without long pauses."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        retries = {"mode": "standard", "max_attempts": ATTEMPTS}
        patch.setattr(clients, "CONFIG", Config(retries=retries, connect_timeout=5, read_timeout=20))
        patch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.01)
        patch.setattr(
            session,
            "RETRIES",
            {
                "max_retries": ATTEMPTS - 1,
                "retry_timeout": timedelta(seconds=10),
                "backoff": {
                    "init_backoff": timedelta(milliseconds=5),
                    "max_backoff": timedelta(milliseconds=10),
                    "base": 2,
                },
            },
        )
        patch.setattr(hosted, "LONGEST_PAUSE", 0.2)
        yield


@pytest.fixture(scope="session")
def rig(quick: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsRig]:
    with AwsRig(tmp_path_factory.mktemp("aws")) as ready:
        ready.fake.set(speed=SPEED)
        yield ready


@pytest.fixture(autouse=True)
def fair(rig: AwsRig) -> Iterator[None]:
    """Whatever a test did to the weather ends with it, and so do the models of its batches."""
    yield
    rig.fake.clear_faults()
    for kind in LAGGING:
        rig.fake.lag(kind, 0)
    for one in rig.client("sagemaker").list_models(NameContains=SCORING)["Models"]:
        rig.client("sagemaker").delete_model(ModelName=one["ModelName"])


@pytest.fixture
def platform(rig: AwsRig) -> Iterator[Platform]:
    """A platform of the test's own: the SDK tries a client's calls again only so often."""
    with rig.reconnect() as ready:
        yield ready


@pytest.fixture
def bench(platform: Platform, tmp_path: Path) -> Iterator[Bench]:
    """A workplace on the stack, whose ledger is a file of the test's own."""
    ledger = Ledger(backend_at("file:database", tmp_path, None, platform.store_at), platform.store)
    records = records_at("file:records", tmp_path, platform.store_at)
    yield Bench(platform, tmp_path, tmp_path, ledger, records, current_actor())
    for key in platform.store.list(ANCHORS):
        platform.store.delete(key)


@pytest.fixture
def held(rig: AwsRig) -> Callable[[], dict[str, list[str]]]:
    """The names of what SageMaker holds of endpoints, by kind."""

    def names() -> dict[str, list[str]]:
        sagemaker = rig.client("sagemaker")
        return {
            "models": [one["ModelName"] for one in sagemaker.list_models(MaxResults=100)["Models"]],
            "configs": [
                one["EndpointConfigName"] for one in sagemaker.list_endpoint_configs(MaxResults=100)["EndpointConfigs"]
            ],
            "endpoints": [one["EndpointName"] for one in sagemaker.list_endpoints(MaxResults=100)["Endpoints"]],
        }

    return names


@pytest.fixture
def console(rig: AwsRig, empty: str) -> Iterator[Console]:
    made = Console(rig, empty)
    yield made
    rig.fake.switch("config-in-use", True)
    for kind, list_of, key in (
        ("endpoint_config", "EndpointConfigs", "EndpointConfigName"),
        ("model", "Models", "ModelName"),
    ):
        rig.platform.endpoints.delete(empty)
        for one in getattr(made.sagemaker, f"list_{kind}s")(NameContains="by-hand")[list_of]:
            getattr(made.sagemaker, f"delete_{kind}")(**{key: one[key]})
