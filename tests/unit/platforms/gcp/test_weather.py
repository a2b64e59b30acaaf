"""Every verb in bad weather: one sentence and the right exit code, and the same call again finishes, nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from google.api_core.exceptions import GoogleAPICallError

from tests.unit.platforms.cases import ENDPOINT
from trivet.core.errors import ConfigError, ExitCode, NotReady, PlatformError, TrivetError
from trivet.core.platform import Platform
from trivet.core.refs import JobRef
from trivet.core.specs import Approval, EndpointStatus, JobState, MetricPoint, ScoringSpec
from trivet.platforms.gcp.labels import whose
from trivet.rehearsal.rigs.gcp import STACK, GcpRig
from trivet.rehearsal.rigs.package import make_package

MANY = 100_000  # more than can be tried in the time there is: how often that is, a quick machine says
FAULTS: dict[str, tuple[dict[str, Any], type[TrivetError], ExitCode, str]] = {
    "expired": ({"code": "UNAUTHENTICATED"}, ConfigError, ExitCode.CONFIG, "credentials"),
    "denied": ({"code": "PERMISSION_DENIED"}, PlatformError, ExitCode.PLATFORM, "denie"),
    "throttled": ({"code": "RESOURCE_EXHAUSTED"}, NotReady, ExitCode.NOT_READY, "Quota exceeded"),
    "unavailable": ({"code": "UNAVAILABLE"}, NotReady, ExitCode.NOT_READY, "currently unavailable"),
    "cut": ({"kind": "cut"}, NotReady, ExitCode.NOT_READY, "cannot be reached"),
}


class Scene(NamedTuple):
    """A verb that is about to be called, the operation that fails, and what must hold when it was done."""

    call: Callable[[Platform], object]
    service: str
    operation: str
    done: Callable[[Platform, Any], None]


class Stage:
    """What scenes are made of."""

    def __init__(self, rig: GcpRig, request: pytest.FixtureRequest, folder: Path) -> None:
        self.rig = rig
        self.folder = folder
        self.job = request.getfixturevalue("job")
        self.ended = request.getfixturevalue("ended")
        self.spec_of = request.getfixturevalue("spec_of")
        self.name: str = request.getfixturevalue("new_name")()

    def jobs(self, name: str) -> list[str]:
        """The custom jobs of one of our jobs."""
        pages = self.rig.clients.pages(
            "aiplatform",
            f"v1/{self.rig.clients.parent}/customJobs",
            "customJobs",
            filter=whose("rehearsal", STACK),
        )
        return [one["name"] for one in pages if f"-{name}-" in one["displayName"]]

    def submit(self) -> Scene:
        spec = self.job()
        ref = JobRef(spec.name)

        def once(platform: Platform, _: object) -> None:
            assert self.ended(ref) is JobState.SUCCEEDED
            platform.jobs.submit(spec)
            assert len(self.jobs(spec.name)) == 1

        return Scene(lambda platform: platform.jobs.submit(spec), "aiplatform", "CreateCustomJob", once)

    def submit_task(self) -> Scene:
        return self.submit()._replace(service="storage", operation="objects.insert")

    def submit_search(self) -> Scene:
        return self.submit()._replace(operation="ListCustomJobs")

    def score(self) -> Scene:
        [release] = self.spec_of(1).releases
        self.rig.platform.store.put(f"scoring/{self.name}/rows.csv", b"1,2\n")
        places = {"input": f"scoring/{self.name}", "output": f"outputs/{self.name}"}
        spec = ScoringSpec(name=self.name, release=release, **places)

        def once(platform: Platform, _: object) -> None:
            assert self.ended(JobRef(spec.name)) is JobState.SUCCEEDED
            platform.jobs.score(spec)
            assert len(self.jobs(spec.name)) == 1

        return Scene(lambda platform: platform.jobs.score(spec), "aiplatform", "CreateCustomJob", once)

    def job_state(self) -> Scene:
        ref = self.rig.platform.jobs.submit(self.job())
        self.ended(ref)
        return Scene(lambda p: p.jobs.state(ref), "aiplatform", "GetCustomJob", _gives(JobState.SUCCEEDED))

    def job_logs(self) -> Scene:
        ref = self.rig.platform.jobs.submit(self.job("print('said')"))
        self.ended(ref)
        return Scene(lambda p: list(p.jobs.logs(ref)), "logging", "entries.list", _gives(["said"]))

    def cancel(self) -> Scene:
        ref = self.rig.platform.jobs.submit(self.job("import time; time.sleep(600)"))

        def over(_: Platform, __: object) -> None:
            assert self.ended(ref) is JobState.CANCELLED

        return Scene(lambda p: p.jobs.cancel(ref), "aiplatform", "CancelCustomJob", over)

    def register(self) -> Scene:
        package, name = self.folder / self.name, self.name
        digest = make_package(package, intercept=3.5)

        def once(platform: Platform, given: Any) -> None:
            assert [one.digest for one in platform.models.list(name)] == [digest]
            assert platform.models.get(f"{name}/1") == given

        def call(platform: Platform) -> object:
            return platform.models.register(name, package, author="ada", tags={"a": "1"})

        return Scene(call, "aiplatform", "UploadModel", once)

    def register_files(self) -> Scene:
        return self.register()._replace(service="storage", operation="objects.insert")

    def register_signature(self) -> Scene:
        return self.register()._replace(service="cloudkms", operation="AsymmetricSign")

    def register_wait(self) -> Scene:
        return self.register()._replace(operation="GetOperation")

    def _version(self) -> Any:
        package = self.folder / "tagged"
        make_package(package, intercept=3.6)
        return self.rig.platform.models.register(self.name, package, author="ada", tags={})

    def approve(self) -> Scene:
        version = self._version()
        time = datetime(2026, 1, 1, tzinfo=UTC)
        approval = Approval(actor="ben", status="approved", reason="good", identity="test", time=time)

        def approved(platform: Platform, _: object) -> None:
            assert platform.models.get(str(version)).approval == approval

        call: Callable[[Platform], object] = lambda p: p.models.tag(version, approval=approval)  # noqa: E731
        return Scene(call, "aiplatform", "UpdateModel", approved)

    def alias(self) -> Scene:
        version = self._version()

        def pointed(platform: Platform, _: object) -> None:
            assert platform.models.get(f"{self.name}@champion").version == 1

        call: Callable[[Platform], object] = lambda p: p.models.tag(version, alias="champion")  # noqa: E731
        return Scene(call, "aiplatform", "MergeVersionAliases", pointed)

    def list_models(self) -> Scene:
        version = self._version()
        return Scene(lambda p: list(p.models.list(self.name)), "aiplatform", "ListModelVersions", _gives([version]))

    def _endpoint(self, operation: str) -> Scene:
        self.rig.platform.endpoints.delete(ENDPOINT)
        spec = self.spec_of(1)

        def serves(platform: Platform, _: object) -> None:
            state = platform.endpoints.state(ENDPOINT)
            assert (state.status, state.releases) == (EndpointStatus.READY, spec.releases)
            platform.endpoints.delete(ENDPOINT)

        return Scene(lambda p: p.endpoints.apply(spec), "aiplatform", operation, serves)

    def apply_model(self) -> Scene:
        return self._endpoint("UploadModel")

    def apply_deploy(self) -> Scene:
        return self._endpoint("DeployModel")

    def apply_traffic(self) -> Scene:
        return self._endpoint("UpdateEndpoint")

    def apply_look(self) -> Scene:
        return self._endpoint("GetEndpoint")

    def apply_off(self) -> Scene:
        scene = self._endpoint("UndeployModel")
        self.rig.platform.endpoints.apply(self.spec_of(2))
        return scene

    def delete(self) -> Scene:
        self.rig.platform.endpoints.apply(self.spec_of(1))

        def gone(platform: Platform, _: object) -> None:
            assert platform.endpoints.state(ENDPOINT).status is EndpointStatus.EMPTY

        return Scene(lambda p: p.endpoints.delete(ENDPOINT), "aiplatform", "UndeployModel", gone)

    def pause(self) -> Scene:
        self.rig.platform.endpoints.apply(self.spec_of(1))

        def off(platform: Platform, _: object) -> None:
            assert platform.endpoints.state(ENDPOINT).status is EndpointStatus.STOPPED
            path = f"v1/{self.rig.clients.parent}/endpoints/{self.rig.outputs.endpoints[ENDPOINT].name}"
            assert "deployedModels" not in self.rig.clients.get("aiplatform", path)
            platform.endpoints.delete(ENDPOINT)

        return Scene(lambda p: p.endpoints.pause(ENDPOINT), "aiplatform", "UndeployModel", off)

    def resume(self) -> Scene:
        scene = self._endpoint("DeployModel")
        scene.call(self.rig.platform)
        self.rig.platform.endpoints.pause(ENDPOINT)
        return scene._replace(call=lambda p: p.endpoints.resume(ENDPOINT))

    def put_metrics(self) -> Scene:
        time = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=5)
        points = [
            MetricPoint(name=self.name, value=number, time=time, dimensions={"n": str(number)}) for number in (1, 2)
        ]

        def there(platform: Platform, _: object) -> None:
            assert {one.value for one in platform.metrics.query(self.name, time)} == {1, 2}

        return Scene(lambda p: p.metrics.put(points), "monitoring", "CreateTimeSeries", there)

    def query_metrics(self) -> Scene:
        time = datetime.now(UTC) - timedelta(minutes=5)
        return Scene(lambda p: list(p.metrics.query(self.name, time)), "monitoring", "ListTimeSeries", _gives([]))


def _gives(wanted: object) -> Callable[[Platform, Any], None]:
    def done(_: Platform, given: Any) -> None:
        assert given == wanted

    return done


SCENES = [name for name, one in vars(Stage).items() if not name.startswith("_") and name != "jobs" and callable(one)]


@pytest.fixture
def scene(rig: GcpRig, request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    return getattr(Stage(rig, request, tmp_path), request.param)()


# Whoever cannot ask what became of an upload looks whether the version is there: that is no error at all.
STORMS = [name for name in SCENES if name != "register_wait"]


@pytest.mark.parametrize("weather", FAULTS)
@pytest.mark.parametrize("scene", STORMS, indirect=True)
def test_a_storm_is_one_error_and_the_same_call_finishes(
    rig: GcpRig, platform: Platform, scene: Scene, weather: str
) -> None:
    fault, kind, code, words = FAULTS[weather]
    rig.fake.fault(scene.operation, service=scene.service, times=MANY, **fault)
    with pytest.raises(TrivetError) as storm:
        scene.call(platform)
    assert isinstance(storm.value, kind) and storm.value.exit_code == code, storm.value
    assert words in str(storm.value)
    assert storm.value.__cause__ is not None
    if scene.service != "storage" and weather not in ("cut", "expired"):
        assert isinstance(storm.value.__cause__, GoogleAPICallError)
    rig.fake.clear_faults()
    scene.done(platform, scene.call(platform))


@pytest.mark.parametrize("kind", ["error", "cut", "lost"])
@pytest.mark.parametrize("scene", SCENES, indirect=True)
def test_one_call_that_fails_or_whose_answer_is_lost_is_not_noticed(
    rig: GcpRig, platform: Platform, scene: Scene, kind: str
) -> None:
    rig.fake.fault(scene.operation, service=scene.service, kind=kind)
    scene.done(platform, scene.call(platform))
