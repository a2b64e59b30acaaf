"""Endpoints that fail, hang or are taken back: state tells the truth, apply repairs."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from trivet.core.errors import ConfigError, NotReady, Unsupported
from trivet.core.platform import Platform
from trivet.core.specs import EndpointStatus
from trivet.core.waiting import wait_for
from trivet.platforms.aws import hosted
from trivet.rehearsal.rigs.aws import AwsRig

from .console import BAD, CAREFUL, REQUEST, Console, Held, SpecOf, scaled


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
