"""Every verb in bad weather: one sentence and the right exit code, and the same call again finishes, nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from trivet.core.errors import ConfigError, ExitCode, NotReady, PlatformError, TrivetError
from trivet.core.platform import Platform
from trivet.core.refs import JobRef
from trivet.core.specs import Approval, EndpointStatus, JobState, MetricPoint, ScoringSpec
from trivet.rehearsal.rigs.aws import ENDPOINTS, AwsRig
from trivet.rehearsal.rigs.package import make_package

MANY = 50

FAULTS: dict[str, tuple[dict[str, Any], type[TrivetError], ExitCode, str]] = {
    "expired": ({"code": "ExpiredTokenException"}, ConfigError, ExitCode.CONFIG, "does not accept the credentials"),
    "denied": ({"code": "AccessDeniedException"}, PlatformError, ExitCode.PLATFORM, "not authorized"),
    "throttled": ({"code": "ThrottlingException"}, NotReady, ExitCode.NOT_READY, "Rate exceeded"),
    "unavailable": ({"code": "InternalError", "status": 500}, NotReady, ExitCode.NOT_READY, "Injected"),
    "cut": ({"kind": "cut"}, NotReady, ExitCode.NOT_READY, "cannot be reached"),
}


class Scene(NamedTuple):
    """A verb that is about to be called, the operation of AWS that fails, and what must hold when it was done."""

    call: Callable[[Platform], object]
    service: str
    operation: str
    done: Callable[[Platform, Any], None]


class Stage:
    """What scenes are made of."""

    def __init__(self, rig: AwsRig, request: pytest.FixtureRequest, folder: Path) -> None:
        self.rig = rig
        self.folder = folder
        self.job = request.getfixturevalue("job")
        self.ended = request.getfixturevalue("ended")
        self.spec_of = request.getfixturevalue("spec_of")
        self.version_of = request.getfixturevalue("version_of")
        self.name: str = request.getfixturevalue("new_name")()
        self.sagemaker = rig.client("sagemaker")

    def submit(self) -> Scene:
        spec = self.job()
        ref = JobRef(spec.name)

        def once(platform: Platform, _: object) -> None:
            assert self.ended(ref) is JobState.SUCCEEDED
            platform.jobs.submit(spec)
            found = self.sagemaker.list_training_jobs(NameContains=f"-{spec.name}-")["TrainingJobSummaries"]
            assert len(found) == 1

        return Scene(lambda platform: platform.jobs.submit(spec), "sagemaker", "CreateTrainingJob", once)

    def score(self) -> Scene:
        [release] = self.spec_of(1).releases
        self.rig.platform.store.put(f"scoring/{self.name}/rows.csv", b"1,2\n")
        places = {"input": f"scoring/{self.name}", "output": f"outputs/{self.name}"}
        spec = ScoringSpec(name=self.name, release=release, **places)

        def once(platform: Platform, _: object) -> None:
            assert self.ended(JobRef(spec.name)) is JobState.SUCCEEDED
            platform.jobs.score(spec)
            found = self.sagemaker.list_transform_jobs(NameContains=f"-{spec.name}-")["TransformJobSummaries"]
            assert len(found) == 1

        return Scene(lambda platform: platform.jobs.score(spec), "sagemaker", "CreateTransformJob", once)

    def score_model(self) -> Scene:
        return self.score()._replace(operation="CreateModel")

    def submit_task(self) -> Scene:
        return self.submit()._replace(service="s3", operation="PutObject")

    def job_state(self) -> Scene:
        ref = self.rig.platform.jobs.submit(self.job())
        self.ended(ref)
        return Scene(lambda p: p.jobs.state(ref), "sagemaker", "DescribeTrainingJob", _gives(JobState.SUCCEEDED))

    def job_logs(self) -> Scene:
        ref = self.rig.platform.jobs.submit(self.job("print('said')"))
        self.ended(ref)
        return Scene(lambda p: list(p.jobs.logs(ref)), "logs", "GetLogEvents", _gives(["said"]))

    def cancel(self) -> Scene:
        ref = self.rig.platform.jobs.submit(self.job("import time; time.sleep(600)"))

        def over(_: Platform, __: object) -> None:
            assert self.ended(ref) is JobState.CANCELLED

        return Scene(lambda p: p.jobs.cancel(ref), "sagemaker", "StopTrainingJob", over)

    def register(self) -> Scene:
        package, name = self.folder / self.name, self.name
        make_package(package, intercept=3.5)

        def once(platform: Platform, given: Any) -> None:
            assert [one.digest for one in platform.models.list(name)] == [given.digest]
            group = self.sagemaker.list_model_packages(
                ModelPackageGroupName=self.rig.outputs.models.rpartition("/")[2], MaxResults=100
            )["ModelPackageSummaryList"]
            assert [one["ModelPackageDescription"] for one in group].count(f"{name}/1") == 1

        def call(platform: Platform) -> object:
            return platform.models.register(name, package, author="ada", tags={"a": "1"})

        return Scene(call, "sagemaker", "CreateModelPackage", once)

    def register_files(self) -> Scene:
        return self.register()._replace(service="s3", operation="PutObject")

    def register_signature(self) -> Scene:
        return self.register()._replace(service="kms", operation="Sign")

    def models_list(self) -> Scene:
        version = self.version_of(1)

        def there(_: Platform, given: Any) -> None:
            assert version.digest in [one.digest for one in given]

        return Scene(lambda p: p.models.list("loan"), "sagemaker", "ListModelPackages", there)

    def models_get(self) -> Scene:
        ref = str(self.version_of(1))

        def same(_: Platform, given: Any) -> None:
            assert given.digest == self.version_of(1).digest

        return Scene(lambda p: p.models.get(ref), "sagemaker", "DescribeModelPackage", same)

    def tag(self) -> Scene:
        version = self.version_of(1)
        approval = Approval(
            actor="ada",
            status="approved",
            reason="as\nagreed",
            identity="a test",
            time=datetime(2026, 1, 1, tzinfo=UTC),
        )

        def tagged(platform: Platform, _: object) -> None:
            now = platform.models.get(str(version))
            assert (now.approval, now.tags.get("b"), now.aliases) == (approval, "2", ("champion",))

        def call(platform: Platform) -> object:
            return platform.models.tag(version, tags={"b": "2"}, approval=approval, alias="champion")

        return Scene(call, "sagemaker", "UpdateModelPackage", tagged)

    def apply_model(self) -> Scene:
        self.rig.platform.endpoints.delete(ENDPOINTS[0])
        spec = self.spec_of(1)

        def serves(platform: Platform, given: Any) -> None:
            assert (given.status, given.releases) == (EndpointStatus.READY, spec.releases)
            assert platform.endpoints.apply(spec) == given
            endpoint = self.sagemaker.describe_endpoint(EndpointName=platform.outputs.endpoints[spec.name].name)
            configs = self.sagemaker.list_endpoint_configs(MaxResults=100)["EndpointConfigs"]
            assert [one["EndpointConfigName"] for one in configs] == [endpoint["EndpointConfigName"]]
            assert len(self.sagemaker.list_models(MaxResults=100)["Models"]) == 1

        return Scene(lambda p: p.endpoints.apply(spec), "sagemaker", "CreateModel", serves)

    def apply_config(self) -> Scene:
        return self.apply_model()._replace(operation="CreateEndpointConfig")

    def apply_create(self) -> Scene:
        return self.apply_model()._replace(operation="CreateEndpoint")

    def apply_verify(self) -> Scene:
        return self.apply_model()._replace(service="s3", operation="GetObject")

    def apply_update(self) -> Scene:
        self.rig.platform.endpoints.apply(self.spec_of(1))
        spec = self.spec_of(2)

        def serves(platform: Platform, given: Any) -> None:
            assert (given.status, given.releases) == (EndpointStatus.READY, spec.releases)
            assert platform.endpoints.apply(spec) == given

        return Scene(lambda p: p.endpoints.apply(spec), "sagemaker", "UpdateEndpoint", serves)

    def apply_scaling(self) -> Scene:
        self.rig.platform.endpoints.delete(ENDPOINTS[0])
        spec = self.spec_of(1, maximum_instances=3)

        def scales(platform: Platform, _: object) -> None:
            scaling = self.rig.client("application-autoscaling")
            [target] = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
            assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 3)
            platform.endpoints.delete(spec.name)
            assert scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"] == []

        return Scene(lambda p: p.endpoints.apply(spec), "application-autoscaling", "RegisterScalableTarget", scales)

    def _serving(self, *, paused: bool = False) -> str:
        self.rig.platform.endpoints.apply(self.spec_of(1))
        if paused:
            self.rig.platform.endpoints.pause(ENDPOINTS[0])
        return ENDPOINTS[0]

    def endpoint_state(self) -> Scene:
        name = self._serving()

        def ready(_: Platform, given: Any) -> None:
            assert given.status is EndpointStatus.READY

        return Scene(lambda p: p.endpoints.state(name), "sagemaker", "DescribeEndpoint", ready)

    def endpoint_logs(self) -> Scene:
        name = self._serving()

        def ready(_: Platform, given: Any) -> None:
            assert any("ready" in line for line in given)

        return Scene(lambda p: list(p.endpoints.logs(name)), "logs", "DescribeLogStreams", ready)

    def invoke(self) -> Scene:
        name = self._serving()
        tensor = {"shape": [1, 1], "datatype": "FP32", "data": [50.0]}
        request = {"id": "one", "inputs": [{"name": "amount", **tensor}, {"name": "income", **tensor}]}

        def answered(_: Platform, given: Any) -> None:
            assert given["id"] == "one"

        return Scene(lambda p: p.endpoints.invoke(name, request), "sagemaker", "InvokeEndpoint", answered)

    def delete(self) -> Scene:
        name = self._serving()

        def gone(platform: Platform, _: object) -> None:
            assert platform.endpoints.state(name).status is EndpointStatus.EMPTY
            assert self.sagemaker.list_endpoint_configs()["EndpointConfigs"] == []
            assert self.sagemaker.list_models()["Models"] == []

        return Scene(lambda p: p.endpoints.delete(name), "sagemaker", "DeleteEndpoint", gone)

    def delete_leftovers(self) -> Scene:
        return self.delete()._replace(operation="DeleteModel")

    def pause(self) -> Scene:
        name = self._serving()

        def stopped(platform: Platform, _: object) -> None:
            assert platform.endpoints.state(name).status is EndpointStatus.STOPPED

        return Scene(lambda p: p.endpoints.pause(name), "sagemaker", "DeleteEndpoint", stopped)

    def resume(self) -> Scene:
        name = self._serving(paused=True)

        def ready(platform: Platform, _: object) -> None:
            assert platform.endpoints.state(name).releases == self.spec_of(1).releases

        return Scene(lambda p: p.endpoints.resume(name), "sagemaker", "CreateEndpoint", ready)

    def store_put(self) -> Scene:
        key = f"weather/{self.name}"
        done = _stored(key, b"data")
        return Scene(lambda p: p.store.put(key, b"data"), "s3", "PutObject", done)

    def store_get(self) -> Scene:
        self.rig.platform.store.put(f"weather/{self.name}", b"data")
        return Scene(lambda p: p.store.get(f"weather/{self.name}"), "s3", "GetObject", _gives(b"data"))

    def store_list(self) -> Scene:
        key = f"weather/{self.name}"
        self.rig.platform.store.put(key, b"data")
        return Scene(lambda p: p.store.list(key), "s3", "ListObjectsV2", _gives([key]))

    def metrics_put(self) -> Scene:
        now = datetime.now(UTC)
        one = MetricPoint(name=self.name, value=2.0, time=now)

        def measured(platform: Platform, _: object) -> None:
            found = platform.metrics.query(self.name, now - timedelta(minutes=5))
            assert [point.value for point in found] == [2.0]

        return Scene(lambda p: p.metrics.put([one]), "cloudwatch", "PutMetricData", measured)

    def metrics_query(self) -> Scene:
        now = datetime.now(UTC)
        self.rig.platform.metrics.put([MetricPoint(name=self.name, value=2.0, time=now)])

        def measured(_: Platform, given: Any) -> None:
            assert [point.value for point in given] == [2.0]

        def call(platform: Platform) -> object:
            return platform.metrics.query(self.name, now - timedelta(minutes=5))

        return Scene(call, "cloudwatch", "GetMetricData", measured)

    def identity(self) -> Scene:
        def known(_: Platform, given: Any) -> None:
            assert list(given) is not None

        return Scene(lambda p: p.models.list("nobody"), "sts", "GetCallerIdentity", known)


def _gives(wanted: object) -> Callable[[Platform, Any], None]:
    def check(_: Platform, given: Any) -> None:
        assert given == wanted

    return check


def _stored(key: str, data: bytes) -> Callable[[Platform, Any], None]:
    def check(platform: Platform, _: object) -> None:
        assert platform.store.get(key) == data

    return check


SCENES = sorted(name for name in vars(Stage) if not name.startswith("_"))


@pytest.fixture(scope="module", params=SCENES)
def scene(request: pytest.FixtureRequest, rig: AwsRig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A verb, set up once for all the weather that it goes through."""
    yield getattr(Stage(rig, request, tmp_path_factory.mktemp("scene")), request.param)()
    rig.fake.clear_faults()


@pytest.mark.parametrize("weather", FAULTS)
def test_bad_weather_is_one_sentence(rig: AwsRig, platform: Platform, scene: Scene, weather: str) -> None:
    fault, kind, code, words = FAULTS[weather]
    rig.fake.fault(scene.operation, service=scene.service, times=MANY, **fault)
    with pytest.raises(kind, match=words) as raised:
        scene.call(platform)
    error = raised.value
    assert type(error) is kind
    assert error.exit_code is code
    assert error.__cause__ is not None
    assert "\n" not in error.message
    assert error.message.endswith(".")
    assert error.next_step.endswith(".")


def test_after_bad_weather_the_same_call_finishes_also_when_its_own_answer_is_lost(
    rig: AwsRig, platform: Platform, scene: Scene
) -> None:
    """A short trouble is the SDK's to get over; when it makes a call again that was done, that is no second one."""
    rig.fake.fault(scene.operation, service=scene.service, kind="error", code="ThrottlingException")
    rig.fake.fault(scene.operation, service=scene.service, kind="lost")
    given = scene.call(platform)
    rig.fake.clear_faults()
    scene.done(platform, given)


@pytest.mark.parametrize("weather", FAULTS)
def test_the_doctor_says_what_it_could_not_see(rig: AwsRig, platform: Platform, weather: str) -> None:
    fault = FAULTS[weather][0]
    rig.fake.fault("DescribeKey", service="kms", times=MANY, **fault)
    found = {one.name: one for one in platform.doctor()}
    assert (found["key"].level, found["signing key"].level) == ("unknown", "unknown")
    assert found["store"].level == "ok"
    rig.fake.clear_faults()
    assert {one.name: one for one in platform.doctor()}["key"].level == "ok"


@pytest.mark.parametrize("weather", FAULTS)
def test_without_an_identity_the_doctor_stops_there(rig: AwsRig, platform: Platform, weather: str) -> None:
    fault, _, _, words = FAULTS[weather]
    rig.fake.fault("GetCallerIdentity", times=MANY, **fault)
    [only] = platform.doctor()
    assert (only.name, only.level) == ("identity", "fail")
    assert words in only.note
