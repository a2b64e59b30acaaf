"""What tests of every cloud's platform work with: packages, releases and jobs on its rig, as fixtures."""

from __future__ import annotations

import io
import itertools
import tarfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from trivet.core.refs import JobRef
from trivet.core.specs import EndpointSpec, JobSpec, JobState, ModelVersion, Release
from trivet.core.waiting import wait_for
from trivet.rehearsal.rigs import Rig
from trivet.rehearsal.rigs.package import make_package

ENDPOINT = "first"
BAD = 9  # the number of a version that no server becomes ready with
PATIENCE = 60.0  # seconds


@pytest.fixture(scope="session")
def new_name() -> Callable[[], str]:
    numbers = itertools.count()
    return lambda: f"name-{next(numbers)}"


@pytest.fixture(scope="session")
def version_of(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], ModelVersion]:
    """The registered version by a number: the same number gives the same one."""
    known: dict[int, ModelVersion] = {}

    def make(number: int) -> ModelVersion:
        if number not in known:
            folder = tmp_path_factory.mktemp("package") / "package"
            make_package(folder, intercept=number / 10, golden_error=0.1 if number == BAD else 0.0)
            known[number] = rig.platform.models.register("loan", folder, author="ada", tags={})
        return known[number]

    return make


@pytest.fixture(scope="session")
def spec_of(version_of: Callable[[int], ModelVersion]) -> Callable[..., EndpointSpec]:
    """The wanted state in which versions by their numbers share the traffic."""

    def make(*numbers: int, traffic: tuple[int, ...] = (100,), name: str = ENDPOINT, **fields: object) -> EndpointSpec:
        versions = [version_of(number) for number in numbers]
        releases = [
            Release(model=one.name, version=one.version, digest=one.digest, traffic=share)
            for one, share in zip(versions, traffic, strict=True)
        ]
        return EndpointSpec.model_validate({"name": name, "releases": releases, **fields})

    return make


@pytest.fixture(scope="session")
def job(rig: Rig, new_name: Callable[[], str]) -> Callable[..., JobSpec]:
    """A job that runs ``main.py`` with the given text."""

    def make(main: str = "pass", **fields: object) -> JobSpec:
        name = new_name()
        rig.platform.store.put(f"source/{name}.tar.gz", _pack(main))
        given = {"name": name, "source": f"source/{name}.tar.gz", "command": ("python", "main.py")}
        return JobSpec.model_validate({**given, "output": f"outputs/{name}", **fields})

    return make


@pytest.fixture(scope="session")
def ended(rig: Rig) -> Callable[[JobRef], JobState]:
    """Wait for a job's end."""

    def wait(ref: JobRef) -> JobState:
        def probe() -> JobState | None:
            state = rig.platform.jobs.state(ref)
            return None if state is JobState.RUNNING else state

        return wait_for(probe, f"The end of {ref.id}", seconds=PATIENCE, longest=0.2)

    return wait


@pytest.fixture
def empty(rig: Any) -> Iterator[str]:
    """The name of an endpoint that serves nothing, and nothing again after the test."""
    rig.platform.endpoints.delete(ENDPOINT)
    yield ENDPOINT
    rig.fake.clear_faults()
    rig.platform.endpoints.delete(ENDPOINT)


def _pack(main: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("main.py")
        member.size = len(main.encode())
        archive.addfile(member, io.BytesIO(main.encode()))
    return buffer.getvalue()
