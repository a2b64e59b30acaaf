"""AWS in bad weather: one rig for all, quick where the SDKs would wait, and fair weather again after each test."""

from __future__ import annotations

import io
import itertools
import os
import tarfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from botocore.config import Config
from botocore.retries.standard import ExponentialBackoff

from trivet.clouds.awsnames import SCORING
from trivet.core.platform import Platform
from trivet.core.refs import JobRef
from trivet.core.specs import EndpointSpec, JobSpec, JobState, ModelVersion, Release
from trivet.core.waiting import wait_for
from trivet.governance.backends import backend_at
from trivet.governance.ledger import ANCHORS, Ledger
from trivet.monitoring.segments import records_at
from trivet.platforms.aws import clients, hosted, session
from trivet.rehearsal.rigs.aws import ENDPOINTS, AwsRig
from trivet.rehearsal.rigs.package import make_package
from trivet.workflows.actors import current_actor
from trivet.workflows.bench import Bench

from .console import BAD, Console

ATTEMPTS = 3
LAGGING = ("TrainingJob", "Model", "EndpointConfig", "Endpoint")
PATIENCE = 60.0  # seconds
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


@pytest.fixture(scope="session")
def new_name() -> Callable[[], str]:
    numbers = itertools.count()
    return lambda: f"name-{next(numbers)}"


@pytest.fixture(scope="session")
def version_of(rig: AwsRig, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], ModelVersion]:
    """The registered version by a number: the same number gives the same one."""
    known: dict[int, ModelVersion] = {}

    def make(number: int) -> ModelVersion:
        if number not in known:
            folder = tmp_path_factory.mktemp("package") / "package"
            # Version 9 is one that no server becomes ready with.
            make_package(folder, intercept=number / 10, golden_error=0.1 if number == BAD else 0.0)
            known[number] = rig.platform.models.register("loan", folder, author="ada", tags={})
        return known[number]

    return make


@pytest.fixture(scope="session")
def spec_of(version_of: Callable[[int], ModelVersion]) -> Callable[..., EndpointSpec]:
    """The wanted state in which versions by their numbers share the traffic."""

    def make(
        *numbers: int, traffic: tuple[int, ...] = (100,), name: str = ENDPOINTS[0], **fields: object
    ) -> EndpointSpec:
        versions = [version_of(number) for number in numbers]
        releases = [
            Release(model=one.name, version=one.version, digest=one.digest, traffic=share)
            for one, share in zip(versions, traffic, strict=True)
        ]
        return EndpointSpec.model_validate({"name": name, "releases": releases, **fields})

    return make


@pytest.fixture(scope="session")
def job(rig: AwsRig, new_name: Callable[[], str]) -> Callable[..., JobSpec]:
    """A job that runs ``main.py`` with the given text."""

    def make(main: str = "pass", **fields: object) -> JobSpec:
        name = new_name()
        rig.platform.store.put(f"source/{name}.tar.gz", _pack(main))
        given = {"name": name, "source": f"source/{name}.tar.gz", "command": ("python", "main.py")}
        return JobSpec.model_validate({**given, "output": f"outputs/{name}", **fields})

    return make


@pytest.fixture(scope="session")
def ended(rig: AwsRig) -> Callable[[JobRef], JobState]:
    """Wait for a job's end."""

    def wait(ref: JobRef) -> JobState:
        def probe() -> JobState | None:
            state = rig.platform.jobs.state(ref)
            return None if state is JobState.RUNNING else state

        return wait_for(probe, f"The end of {ref.id}", seconds=PATIENCE, longest=0.2)

    return wait


@pytest.fixture
def empty(rig: AwsRig) -> Iterator[str]:
    """The name of an endpoint that serves nothing, and nothing again after the test."""
    rig.platform.endpoints.delete(ENDPOINTS[0])
    yield ENDPOINTS[0]
    rig.fake.clear_faults()
    rig.platform.endpoints.delete(ENDPOINTS[0])


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


def _pack(main: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("main.py")
        member.size = len(main.encode())
        archive.addfile(member, io.BytesIO(main.encode()))
    return buffer.getvalue()


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
