"""Deploy as the command line does: what nobody says stays, a share and a shadow are given beside what serves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from trivet.core.errors import ConfigError, NotReady
from trivet.core.project import ServingOptions
from trivet.core.specs import AwsEndpoint, EndpointNative, EndpointState, Instances, ModelVersion
from trivet.rehearsal.rigs.aws import AwsRig
from trivet.rehearsal.rigs.judged import judgement, register_judged
from trivet.rehearsal.rigs.package import make_package
from trivet.workflows import everywhere
from trivet.workflows.bench import Bench
from trivet.workflows.deployment import ALONE, Deployment
from trivet.workflows.release import deploy as execute

Judge = Callable[..., ModelVersion]


@pytest.fixture
def judged(bench: Bench, tmp_path: Path) -> Judge:
    """A version that a gate has judged and somebody has approved, with what its project says of serving."""

    def make(number: int, serving: ServingOptions | None = None, *, broken: bool = False) -> ModelVersion:
        folder = tmp_path / f"package-{number}"
        if not folder.exists():
            make_package(folder, intercept=7 + number / 10, golden_error=0.1 if broken else 0.0)
        said = judgement().model_copy(update={"serving": serving or ServingOptions()})
        return register_judged(bench, folder, judged=said)

    return make


def deploy(bench: Bench, version: ModelVersion, how: Deployment = ALONE, *, keeps_split: bool = False) -> EndpointState:
    """As the command line does: the version as the registry now has it."""
    return execute(bench, bench.platform.models.get(str(version)), how=how, keeps_split=keeps_split)


def scaled(rig: AwsRig) -> set[tuple[int, int]]:
    found = rig.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")
    return {(one["MinCapacity"], one["MaxCapacity"]) for one in found["ScalableTargets"]}


def variants(rig: AwsRig, name: str) -> list[tuple[str, float]]:
    """The kinds of machines, and the shares."""
    sagemaker = rig.client("sagemaker")
    there = sagemaker.describe_endpoint(EndpointName=rig.outputs.endpoints[name].name)
    config = sagemaker.describe_endpoint_config(EndpointConfigName=there["EndpointConfigName"])
    return [(one["InstanceType"], one["InitialVariantWeight"]) for one in config["ProductionVariants"]]


def test_a_project_says_how_it_is_served_and_a_plain_deploy_resets_nothing(
    rig: AwsRig, bench: Bench, judged: Judge, empty: str
) -> None:
    large = EndpointNative(aws=AwsEndpoint(instance_type="ml.m5.xlarge"))
    deploy(bench, judged(1, ServingOptions(minimum_instances=2, maximum_instances=4, native=large)))
    assert (scaled(rig), variants(rig, empty)) == ({(2, 4)}, [("ml.m5.xlarge", 100.0)])
    deploy(bench, judged(2))
    assert (scaled(rig), variants(rig, empty)) == ({(2, 4)}, [("ml.m5.xlarge", 100.0)])
    said = Deployment(
        instances=Instances(minimum_instances=1, maximum_instances=3),
        native={"instance_type": "ml.c5.large", "requests_per_instance": "70", "bake": "PT1M", "rollout": "canary"},
    )
    deploy(bench, judged(2), how=said)
    assert (scaled(rig), variants(rig, empty)) == ({(1, 3)}, [("ml.c5.large", 100.0)])
    with pytest.raises(ConfigError, match="instance_typ"):
        deploy(bench, judged(2), how=Deployment(native={"instance_typ": "ml.c5.large"}))
    with pytest.raises(ConfigError, match="at most, not 9"):
        deploy(bench, judged(2), how=Deployment(instances=Instances(minimum_instances=9, maximum_instances=9)))


def test_a_canary_gets_its_share_and_no_alias_until_it_has_all(
    rig: AwsRig, bench: Bench, judged: Judge, empty: str
) -> None:
    one, two, three = (judged(number) for number in (1, 2, 3))
    with pytest.raises(ConfigError, match="Nothing else serves"):
        deploy(bench, one, how=Deployment(traffic=10))
    deploy(bench, one, how=Deployment(instances=Instances(minimum_instances=1, maximum_instances=2)))
    for share in (10, 50):
        state = deploy(bench, two, how=Deployment(traffic=share))
        assert [(each.version, each.traffic) for each in state.releases] == [
            (one.version, 100 - share),
            (two.version, share),
        ]
        assert scaled(rig) == {(1, 2)}
    assert champion(bench) == str(one)
    with pytest.raises(ConfigError, match=rf"has {one} and {two} already"):
        deploy(bench, three, how=Deployment(traffic=10))
    for version in (one, two):  # a run that was finished and is asked for again
        again = deploy(bench, version, keeps_split=True)
        assert [each.traffic for each in again.releases] == [50, 50]
    assert champion(bench) == str(one)
    assert [each.traffic for each in deploy(bench, two).releases] == [100]
    assert champion(bench) == str(two)
    told = [(entry.body["model"], entry.body["traffic"]) for entry in bench.ledger.entries("release", empty)]
    assert told == [(str(one), 100), (str(two), 10), (str(two), 50), (str(one), 50), (str(two), 50), (str(two), 100)]


def test_a_shadow_serves_nobody_and_becomes_a_canary(bench: Bench, judged: Judge, empty: str) -> None:
    one, two, three = (judged(number) for number in (1, 2, 3))
    deploy(bench, one)
    state = deploy(bench, two, how=Deployment(shadow=True))
    assert [each.version for each in state.releases] == [one.version]
    assert state.shadow
    assert state.shadow.digest == two.digest
    assert champion(bench) == str(one)
    assert [entry.body.get("shadow") for entry in bench.ledger.entries("release", empty)] == [None, True]
    assert deploy(bench, one, keeps_split=True).shadow == state.shadow
    for how in (Deployment(shadow=True), Deployment(traffic=10)):
        with pytest.raises(ConfigError, match=rf"has {one} and {two} already"):
            deploy(bench, three, how=how)
    split = deploy(bench, two, how=Deployment(traffic=10))
    assert (split.shadow, [each.traffic for each in split.releases]) == (None, [90, 10])


def test_what_could_not_be_done_everywhere_gives_back_split_and_scaling(
    rig: AwsRig, bench: Bench, judged: Judge, empty: str
) -> None:
    one, two, bad = judged(1), judged(2), judged(4, broken=True)
    deploy(bench, one, how=Deployment(instances=Instances(minimum_instances=2, maximum_instances=4)))
    deploy(bench, two, how=Deployment(traffic=20))
    held = bench.platform.endpoints.held(empty)
    said = Deployment(instances=Instances(minimum_instances=1, maximum_instances=1), native={"startup": "PT2M"})
    with pytest.raises(NotReady, match="Every stack serves what it served before"):
        everywhere.deploy_everywhere([bench], str(bad), how=said)
    assert bench.platform.endpoints.held(empty) == held
    assert scaled(rig) == {(2, 4)}


def champion(bench: Bench) -> str:
    return str(bench.platform.models.get("loan@champion"))
