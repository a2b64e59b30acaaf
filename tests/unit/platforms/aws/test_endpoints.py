"""Endpoints that fail, hang, are changed by other hands, or are taken back: state tells the truth, apply repairs."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from trivet.core.errors import ConfigError, ForeignRelease, NotReady, Unsupported
from trivet.core.findings import Finding, Level
from trivet.core.platform import Platform
from trivet.core.specs import AwsEndpoint, EndpointNative, EndpointSpec, EndpointStatus, ModelVersion
from trivet.core.waiting import wait_for
from trivet.platforms.aws import hosted
from trivet.rehearsal.rigs.aws import ENDPOINTS, AwsRig
from trivet.workflows.bench import Bench
from trivet.workflows.watch import monitor, status

BAD = 9  # a version that no server becomes ready with
SpecOf = Callable[..., EndpointSpec]
Held = Callable[[], dict[str, list[str]]]
TENSOR = {"shape": [1, 1], "datatype": "FP32", "data": [50.0]}
REQUEST = {"id": "one", "inputs": [{"name": "amount", **TENSOR}, {"name": "income", **TENSOR}]}


def native(**fields: Any) -> EndpointNative:
    return EndpointNative(aws=AwsEndpoint(**fields))


CAREFUL = native(rollout="canary", step=10, bake=timedelta(seconds=60))


class Console:
    """What somebody does by hand, behind Trivet's back."""

    def __init__(self, rig: AwsRig, name: str) -> None:
        self.sagemaker = rig.client("sagemaker")
        self.name = rig.outputs.endpoints[name].name

    def endpoint(self) -> dict[str, Any]:
        return self.sagemaker.describe_endpoint(EndpointName=self.name)

    def config(self) -> dict[str, Any]:
        return self.sagemaker.describe_endpoint_config(EndpointConfigName=self.endpoint()["EndpointConfigName"])

    def settle(self) -> None:
        wait_for(lambda: self.endpoint()["EndpointStatus"] == "InService" or None, "The endpoint", seconds=30)

    def serve(self, model: str) -> None:
        """Another configuration, with one variant of this model."""
        [variant] = self.config()["ProductionVariants"]
        made = [{**variant, "ModelName": model}]
        self.sagemaker.create_endpoint_config(EndpointConfigName="by-hand", ProductionVariants=made)
        self.sagemaker.update_endpoint(EndpointName=self.name, EndpointConfigName="by-hand")
        self.settle()


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


def scaled(rig: AwsRig) -> dict[str, tuple[int, int]]:
    found = rig.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")
    return {
        one["ResourceId"].rpartition("/")[2]: (one["MinCapacity"], one["MaxCapacity"])
        for one in found["ScalableTargets"]
    }


def test_a_release_that_never_becomes_ready_leaves_nothing_behind(
    platform: Platform, spec_of: SpecOf, empty: str, held: Held
) -> None:
    good = platform.endpoints.apply(spec_of(1))
    before = held()
    with pytest.raises(NotReady, match=r"went back to what it served before: .*golden"):
        platform.endpoints.apply(spec_of(BAD))
    assert held() == before
    assert platform.endpoints.state(empty).releases == good.releases


def test_an_endpoint_that_is_being_made_for_long_is_starting_and_waited_for(
    rig: AwsRig, platform: Platform, spec_of: SpecOf, empty: str, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.endpoints.apply(spec_of(1))
    rig.fake.force("endpoint", console.name, "Creating")
    assert platform.endpoints.state(empty).status is EndpointStatus.STARTING
    with pytest.raises(NotReady, match="serves nothing"):
        platform.endpoints.invoke(empty, REQUEST)
    monkeypatch.setattr(hosted, "SETTLE_SECONDS", 1.0)
    for call in (lambda: platform.endpoints.apply(spec_of(2)), lambda: platform.endpoints.delete(empty)):
        with pytest.raises(NotReady, match="did not come within"):
            call()
    rig.fake.force("endpoint", console.name, "InService")


@pytest.mark.parametrize("status", ["Failed", "OutOfService"])
def test_an_endpoint_that_failed_is_made_again(
    rig: AwsRig, platform: Platform, spec_of: SpecOf, empty: str, console: Console, status: str
) -> None:
    platform.endpoints.apply(spec_of(1))
    rig.fake.force("endpoint", console.name, status, "Insufficient capacity.")
    state = platform.endpoints.state(empty)
    assert (state.status, state.releases) == (EndpointStatus.FAILED, ())
    assert "Insufficient capacity." in state.reason
    assert platform.endpoints.apply(spec_of(1)).status is EndpointStatus.READY


def test_a_paused_endpoint_that_failed_to_resume_is_resumed_by_the_next_call(
    rig: AwsRig, platform: Platform, spec_of: SpecOf, empty: str, console: Console
) -> None:
    platform.endpoints.apply(spec_of(1, maximum_instances=2))
    platform.endpoints.pause(empty)
    rig.fake.set(startup=0.0)
    try:
        with pytest.raises(NotReady, match="Failed"):
            platform.endpoints.resume(empty)
    finally:
        rig.fake.set(startup=60.0)
    assert platform.endpoints.state(empty).status is EndpointStatus.FAILED
    assert platform.endpoints.resume(empty).releases == spec_of(1).releases
    assert scaled(rig) == {empty: (1, 2)}


def test_what_others_deleted_is_said_and_put_right(
    rig: AwsRig, platform: Platform, spec_of: SpecOf, empty: str, console: Console
) -> None:
    good = platform.endpoints.apply(spec_of(1))
    made = console.endpoint()["CreationTime"]
    console.sagemaker.delete_model(ModelName=console.config()["ProductionVariants"][0]["ModelName"])
    with pytest.raises(ForeignRelease, match=r"its model .* was deleted"):
        platform.endpoints.state(empty)
    assert platform.endpoints.apply(spec_of(1)) == good
    rig.fake.switch("config-in-use", False)
    console.sagemaker.delete_endpoint_config(EndpointConfigName=console.endpoint()["EndpointConfigName"])
    with pytest.raises(ForeignRelease, match="was deleted"):
        platform.endpoints.state(empty)
    assert platform.endpoints.apply(spec_of(1)) == good
    assert console.endpoint()["CreationTime"] == made, "it went on serving"
    console.sagemaker.delete_endpoint_config(EndpointConfigName=console.endpoint()["EndpointConfigName"])
    assert platform.endpoints.apply(spec_of(2)).releases == spec_of(2).releases
    console.sagemaker.delete_endpoint(EndpointName=console.name)
    assert platform.endpoints.state(empty).status is EndpointStatus.EMPTY
    assert platform.endpoints.apply(spec_of(2)).releases == spec_of(2).releases


def test_what_others_deployed_is_said_and_put_right(
    platform: Platform, spec_of: SpecOf, empty: str, console: Console
) -> None:
    platform.endpoints.apply(spec_of(1))
    ours = console.sagemaker.describe_model(ModelName=console.config()["ProductionVariants"][0]["ModelName"])
    container = ours["PrimaryContainer"]
    del container["Environment"]["TRIVET_MODEL_VERSION"]
    for kind in ({"PrimaryContainer": container}, {"Containers": [container]}):
        name = f"by-hand-{min(kind).lower()}"
        console.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ours["ExecutionRoleArn"], **kind)
        console.serve(name)
        with pytest.raises(ForeignRelease, match="not made by Trivet"):
            platform.endpoints.state(empty)
        assert platform.endpoints.apply(spec_of(1)).releases == spec_of(1).releases
        console.sagemaker.delete_endpoint_config(EndpointConfigName="by-hand")


def approval_of(bench: Bench, name: str) -> Finding:
    """What is found about the approval of what an endpoint serves."""
    [found] = [one for one in status(bench).findings if (one.monitor, one.subject) == ("approval", name)]
    return found


def test_what_others_deployed_alarms_as_that_endpoints_finding_and_hides_no_other(
    rig: AwsRig,
    platform: Platform,
    bench: Bench,
    spec_of: SpecOf,
    version_of: Callable[[int], ModelVersion],
    empty: str,
    console: Console,
) -> None:
    other = ENDPOINTS[1]
    platform.endpoints.apply(spec_of(1))
    platform.endpoints.apply(spec_of(1, name=other))
    bench.note("approval", "loan/1", {"digest": version_of(1).digest, "status": "approved", "actor": "grace"})
    assert approval_of(bench, empty).level is approval_of(bench, other).level is Level.OK

    ours = console.sagemaker.describe_model(ModelName=console.config()["ProductionVariants"][0]["ModelName"])
    container = ours["PrimaryContainer"]
    del container["Environment"]["TRIVET_MODEL_VERSION"]
    console.sagemaker.create_model(
        ModelName="by-hand", ExecutionRoleArn=ours["ExecutionRoleArn"], PrimaryContainer=container
    )
    console.serve("by-hand")
    found = approval_of(bench, empty)
    assert found.level is Level.ALARM and "by-hand that SageMaker serves was not made by Trivet" in found.note
    assert approval_of(bench, other).level is Level.OK
    assert [one.releases for one in status(bench).endpoints if one.name == other] == [spec_of(1).releases]
    platform.endpoints.delete(other)
    assert [one.note for one in monitor(bench)[empty]] == [found.note]
    console.sagemaker.delete_model(ModelName="by-hand")
    assert approval_of(bench, empty).level is Level.ALARM


def test_what_was_deployed_from_the_registry_itself_is_told_by_its_digest(
    rig: AwsRig,
    platform: Platform,
    bench: Bench,
    spec_of: SpecOf,
    version_of: Callable[[int], ModelVersion],
    empty: str,
    console: Console,
) -> None:
    [release] = platform.endpoints.apply(spec_of(1)).releases
    group = rig.outputs.models.rpartition("/")[2]
    summaries = console.sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    package = next(one for one in summaries if one["ModelPackageDescription"] == str(version_of(2)))
    role = console.sagemaker.describe_model(ModelName=console.config()["ProductionVariants"][0]["ModelName"])
    console.sagemaker.create_model(
        ModelName="registered",
        ExecutionRoleArn=role["ExecutionRoleArn"],
        PrimaryContainer={"ModelPackageName": package["ModelPackageArn"]},
    )
    console.serve("registered")
    [served] = platform.endpoints.state(empty).releases
    assert served.digest == version_of(2).digest != release.digest
    found = approval_of(bench, empty)
    assert found.level is Level.ALARM and f"{served.digest[:19]} was approved by nobody" in found.note
    console.sagemaker.delete_model(ModelName="registered")


def test_a_shadow_that_nobody_approved_alarms(
    platform: Platform, bench: Bench, spec_of: SpecOf, version_of: Callable[[int], ModelVersion], empty: str
) -> None:
    bench.note("approval", "loan/1", {"digest": version_of(1).digest, "status": "approved", "actor": "grace"})
    [release] = spec_of(2).releases
    assert platform.endpoints.apply(spec_of(1, shadow=release)).shadow == release
    found = approval_of(bench, empty)
    assert found.level is Level.ALARM and f"{release.digest[:19]} was approved by nobody" in found.note
    assert found.effect == 0.5


def test_traffic_is_split_as_wanted_read_back_and_put_right(
    rig: AwsRig, platform: Platform, spec_of: SpecOf, empty: str, console: Console
) -> None:
    spec = spec_of(1, 2, traffic=(90, 10), minimum_instances=1, maximum_instances=1)
    assert platform.endpoints.apply(spec).releases == spec.releases
    runtime = rig.client("sagemaker-runtime")
    body = json.dumps(REQUEST)
    asked = Counter(
        runtime.invoke_endpoint(EndpointName=console.name, Body=body, ContentType="application/json")[
            "InvokedProductionVariant"
        ]
        for _ in range(50)
    )
    assert 43 <= asked[empty] <= 47
    assert sum(asked.values()) == 50

    variants = [one["VariantName"] for one in console.endpoint()["ProductionVariants"]]
    console.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=console.name,
        DesiredWeightsAndCapacities=[
            {"VariantName": name, "DesiredWeight": 1.0, "DesiredInstanceCount": 3} for name in variants
        ],
    )
    console.settle()
    assert [one.traffic for one in platform.endpoints.state(empty).releases] == [50, 50]
    assert platform.endpoints.apply(spec).releases == spec.releases
    assert [one["DesiredInstanceCount"] for one in console.endpoint()["ProductionVariants"]] == [1, 1]


def test_machines_that_autoscaling_added_stay_when_another_release_comes(
    rig: AwsRig, platform: Platform, spec_of: SpecOf, empty: str, console: Console
) -> None:
    platform.endpoints.apply(spec_of(1, maximum_instances=4))
    grown = [{"VariantName": empty, "DesiredInstanceCount": 3}]
    console.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=console.name, DesiredWeightsAndCapacities=grown
    )
    console.settle()
    for spec in (
        spec_of(1, maximum_instances=4),
        spec_of(2, maximum_instances=4),
        spec_of(2, maximum_instances=4, native=native(instance_type="ml.m5.xlarge")),
    ):
        assert platform.endpoints.apply(spec).releases == spec.releases
        [variant] = console.endpoint()["ProductionVariants"]
        assert variant["DesiredInstanceCount"] == 3
        assert scaled(rig) == {empty: (1, 4)}


def test_what_a_release_does_not_say_of_its_machines_stays(
    rig: AwsRig, platform: Platform, spec_of: SpecOf, empty: str, console: Console
) -> None:
    said = {"minimum_instances": 2, "maximum_instances": 4, "native": native(requests_per_instance=50)}
    platform.endpoints.apply(spec_of(1, **said))

    def aims() -> set[float]:
        found = rig.client("application-autoscaling").describe_scaling_policies(ServiceNamespace="sagemaker")
        return {one["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] for one in found["ScalingPolicies"]}

    for spec in (
        spec_of(1),
        spec_of(2),
        spec_of(2, native=native(instance_type="ml.m5.xlarge")),
        spec_of(1, 2, traffic=(90, 10)),
    ):
        assert platform.endpoints.apply(spec).releases == spec.releases
        counts = {one["VariantName"]: one["DesiredInstanceCount"] for one in console.endpoint()["ProductionVariants"]}
        assert scaled(rig) == dict.fromkeys(counts, (2, 4))
        assert set(counts.values()) == {2}
        assert aims() == {50.0}
    assert {one["InstanceType"] for one in console.config()["ProductionVariants"]} == {"ml.m5.xlarge"}
    platform.endpoints.apply(spec_of(1, maximum_instances=3))
    assert scaled(rig) == {empty: (2, 3)}
    assert aims() == {50.0}
    platform.endpoints.pause(empty)
    platform.endpoints.apply(spec_of(2))
    assert scaled(rig) == {empty: (2, 3)}
    platform.endpoints.apply(spec_of(2, minimum_instances=1, maximum_instances=1))
    assert scaled(rig) == {}
    assert [one["DesiredInstanceCount"] for one in console.endpoint()["ProductionVariants"]] == [1]


def test_machines_that_somebody_added_by_hand_stay_where_a_release_does_not_say_how_many(
    platform: Platform, spec_of: SpecOf, empty: str, console: Console
) -> None:
    platform.endpoints.apply(spec_of(1))
    console.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=console.name, DesiredWeightsAndCapacities=[{"VariantName": empty, "DesiredInstanceCount": 3}]
    )
    console.settle()
    for spec in (spec_of(1), spec_of(2)):
        platform.endpoints.apply(spec)
        assert [one["DesiredInstanceCount"] for one in console.endpoint()["ProductionVariants"]] == [3]


def test_an_endpoint_is_given_back_by_what_was_held_of_it(
    rig: AwsRig, platform: Platform, spec_of: SpecOf, empty: str
) -> None:
    assert platform.endpoints.held(empty) is None
    machines = native(instance_type="ml.m5.xlarge", requests_per_instance=50, startup=timedelta(minutes=3))
    split = spec_of(1, 2, traffic=(90, 10), maximum_instances=3, native=machines, records="sampled")
    shadowed = spec_of(1, minimum_instances=2, maximum_instances=2).model_copy(
        update={"shadow": spec_of(2).releases[0]}
    )
    for spec in (split, shadowed):
        platform.endpoints.apply(spec)
        before, scaling = platform.endpoints.held(empty), scaled(rig)
        assert before is not None
        assert (before.releases, before.shadow, before.records) == (spec.releases, spec.shadow, spec.records)
        assert platform.endpoints.state(empty).shadow == spec.shadow
        platform.endpoints.apply(spec_of(3, minimum_instances=1, maximum_instances=5))
        assert scaled(rig) != scaling
        platform.endpoints.apply(before)
        assert platform.endpoints.held(empty) == before
        assert scaled(rig) == scaling


def test_more_machines_than_the_stack_allows_are_refused(platform: Platform, spec_of: SpecOf, empty: str) -> None:
    for said in ({"maximum_instances": 6}, {"minimum_instances": 6}):
        with pytest.raises(ConfigError, match=r"may have 5 instances at most, not 6.*most_instances"):
            platform.endpoints.apply(spec_of(1, **said))
    assert platform.endpoints.state(empty).status is EndpointStatus.EMPTY


def test_a_release_that_was_taken_back_leaves_autoscaling_as_it_was(
    rig: AwsRig, platform: Platform, spec_of: SpecOf, empty: str
) -> None:
    platform.endpoints.apply(spec_of(1, 2, traffic=(60, 40), maximum_instances=3))
    before = scaled(rig)
    assert len(before) == 2
    with pytest.raises(NotReady, match="went back"):
        platform.endpoints.apply(spec_of(BAD, maximum_instances=5))
    assert scaled(rig) == before
    assert [one.traffic for one in platform.endpoints.state(empty).releases] == [60, 40]


def test_a_variant_that_others_scale_without_a_policy_can_be_paused(
    rig: AwsRig, platform: Platform, spec_of: SpecOf, empty: str, console: Console
) -> None:
    platform.endpoints.apply(spec_of(1))
    target = f"endpoint/{console.name}/variant/{empty}"
    rig.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="sagemaker",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        ResourceId=target,
        MinCapacity=1,
        MaxCapacity=2,
    )
    assert platform.endpoints.pause(empty).status is EndpointStatus.STOPPED
    assert platform.endpoints.resume(empty).status is EndpointStatus.READY
    assert scaled(rig) == {empty: (1, 2)}


def test_a_shadow_gets_a_copy_and_no_say(rig: AwsRig, platform: Platform, spec_of: SpecOf, empty: str) -> None:
    both = spec_of(1)
    spec = both.model_copy(update={"shadow": spec_of(2).releases[0]})
    assert platform.endpoints.apply(spec).releases == both.releases
    answer = platform.endpoints.invoke(empty, REQUEST)
    assert answer["model_version"] == str(both.releases[0].version)
    s3 = rig.client("s3")

    def recorded() -> set[str] | None:
        bucket = rig.outputs.records.removeprefix("s3://")
        found = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        texts = [s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read().decode() for one in found]
        versions = {str(one.version) for one in (both.releases[0], spec.shadow) if one}
        seen = {
            version
            for version in versions
            if any(f'"version":"{version}"' in text or f'"version":{version}' in text for text in texts)
        }
        return seen if seen == versions else None

    wait_for(recorded, "The records of both", seconds=20, longest=0.2)


def test_a_shadow_beside_a_split_is_refused_before_anything_is_made(
    rig: AwsRig, platform: Platform, spec_of: SpecOf, empty: str
) -> None:
    spec = spec_of(1, 2, traffic=(60, 40)).model_copy(update={"shadow": spec_of(3).releases[0]})
    rig.fake.forget_calls()
    with pytest.raises(Unsupported, match=r"has no shadow traffic together with traffic split: .* one release"):
        platform.endpoints.apply(spec)
    assert rig.fake.calls() == []
    assert platform.endpoints.state(empty).status is EndpointStatus.EMPTY


def test_the_last_good_configurations_stay_and_no_more(
    platform: Platform, spec_of: SpecOf, empty: str, held: Held, console: Console
) -> None:
    served = []
    for number in (1, 2, BAD, 3, BAD, 4):
        if number == BAD:
            with pytest.raises(NotReady):
                platform.endpoints.apply(spec_of(number))
        else:
            platform.endpoints.apply(spec_of(number))
            served.append(console.endpoint()["EndpointConfigName"])
    now = held()
    assert sorted(now["configs"]) == sorted(served[-3:])
    assert len(now["models"]) == 3


@contextmanager
def alarm(rig: AwsRig, console: Console, word: str) -> Iterator[None]:
    """While the block runs, the first alarm whose name has ``word`` sounds as soon as traffic has begun to move."""
    cloudwatch, over = rig.client("cloudwatch"), threading.Event()

    def sound() -> None:
        while not over.wait(0.05):
            if "PendingDeploymentSummary" in console.endpoint():
                for one in cloudwatch.describe_alarms()["MetricAlarms"]:
                    if word in one["AlarmName"]:
                        cloudwatch.set_alarm_state(AlarmName=one["AlarmName"], StateValue="ALARM", StateReason="a test")
                        return

    thread = threading.Thread(target=sound)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("word", ["-errors", "-2-latency"])
def test_an_alarm_about_the_new_machines_takes_a_release_back(
    rig: AwsRig, platform: Platform, spec_of: SpecOf, empty: str, held: Held, console: Console, word: str
) -> None:
    good = platform.endpoints.apply(spec_of(1))
    before = held()
    rig.fake.set(speed=6.0)
    try:
        with alarm(rig, console, word), pytest.raises(NotReady, match=r"went back .*alarm"):
            platform.endpoints.apply(spec_of(1, 2, traffic=(90, 10), native=CAREFUL))
    finally:
        rig.fake.set(speed=600.0)
    assert platform.endpoints.state(empty).releases == good.releases
    assert held() == before
    assert rig.client("cloudwatch").describe_alarms()["MetricAlarms"] == []


def test_alarms_are_about_the_new_configuration_alone_and_an_old_one_blocks_nothing(
    rig: AwsRig, platform: Platform, spec_of: SpecOf, empty: str, console: Console
) -> None:
    cloudwatch = rig.client("cloudwatch")
    platform.endpoints.apply(spec_of(1))
    platform.endpoints.apply(spec_of(2, native=CAREFUL))
    for one in cloudwatch.describe_alarms()["MetricAlarms"]:
        cloudwatch.set_alarm_state(AlarmName=one["AlarmName"], StateValue="ALARM", StateReason="a test")
    assert platform.endpoints.apply(spec_of(3, native=CAREFUL)).releases == spec_of(3).releases
    config = console.endpoint()["EndpointConfigName"]
    new = [one for one in cloudwatch.describe_alarms()["MetricAlarms"] if one["AlarmName"].startswith(config)]
    assert len(new) == 2
    for one in new:
        dimensions = {each["Name"]: each["Value"] for each in one["Dimensions"]}
        assert dimensions == {"EndpointName": console.name, "VariantName": empty, "EndpointConfigName": config}
    deployed = console.endpoint()["LastDeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]
    assert sorted(one["AlarmName"] for one in deployed) == sorted(one["AlarmName"] for one in new)


def test_an_endpoint_that_went_back_without_a_word_is_no_success(
    rig: AwsRig, platform: Platform, spec_of: SpecOf, empty: str, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosted, "PROPAGATION_SECONDS", 1.0)
    good = platform.endpoints.apply(spec_of(1))
    rig.fake.force("endpoint", console.name, "InService")
    with pytest.raises(NotReady, match="went back to what it served before: SageMaker gives no reason"):
        platform.endpoints.apply(spec_of(BAD))
    assert platform.endpoints.state(empty).releases == good.releases


def test_what_aws_says_late_is_waited_for(
    rig: AwsRig, platform: Platform, spec_of: SpecOf, empty: str, held: Held
) -> None:
    for kind in ("Model", "EndpointConfig", "Endpoint"):
        rig.fake.lag(kind, 4)
    for number in (1, 2):
        assert platform.endpoints.apply(spec_of(number)).releases == spec_of(number).releases
    assert platform.endpoints.pause(empty).status is EndpointStatus.STOPPED
    assert platform.endpoints.resume(empty).releases == spec_of(2).releases
    with pytest.raises(NotReady, match="golden"):
        platform.endpoints.apply(spec_of(BAD))
    assert {kind: len(names) for kind, names in held().items()} == {"models": 2, "configs": 2, "endpoints": 1}


def test_a_request_is_as_large_as_sagemaker_takes_and_no_larger(rig: AwsRig, platform: Platform, empty: str) -> None:
    small = len('{"a": ""}')
    rig.fake.forget_calls()
    with pytest.raises(ConfigError, match="6291457 bytes"):
        platform.endpoints.invoke(empty, {"a": "x" * (6_291_457 - small)})
    assert not [one for one in rig.fake.calls() if one["operation"] == "InvokeEndpoint"]
    with pytest.raises(NotReady):
        platform.endpoints.invoke(empty, {"a": "x" * (6_291_456 - small)})
    assert [one for one in rig.fake.calls() if one["operation"] == "InvokeEndpoint"]
