"""How many machines serve, and of which kind: what nobody says stays as it is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from trivet.core.errors import ConfigError, NotReady
from trivet.core.platform import Platform
from trivet.core.specs import EndpointStatus
from trivet.rehearsal.rigs.aws import AwsRig

from .console import BAD, Console, SpecOf, native, scaled


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
        own = {f"endpoint/{rig.outputs.endpoints[empty].name}/variant/{variant}" for variant in scaled(rig)}
        mine = [one for one in found["ScalingPolicies"] if one["ResourceId"] in own]  # moto keeps those of gone targets
        return {one["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] for one in mine}

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
