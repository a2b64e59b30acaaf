"""Releases on Vertex AI: who takes over, how, what takes it back, and what others do meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.platforms.cases import BAD
from trivet.core.errors import ConfigError, ForeignRelease, NotReady
from trivet.core.platform import Platform
from trivet.core.specs import EndpointNative, EndpointSpec, EndpointStatus, GcpAccelerator, GcpEndpoint, ModelVersion
from trivet.core.waiting import wait_for
from trivet.platforms.gcp.deployed import mixed
from trivet.platforms.gcp.leftovers import KEPT
from trivet.platforms.gcp.rollout import steps
from trivet.platforms.gcp.served import family, served_release
from trivet.rehearsal.rigs.gcp import GcpRig

SpecOf = Callable[..., EndpointSpec]
Deployed = Callable[[], dict[str, int]]


def native(**fields: Any) -> EndpointNative:
    return EndpointNative(gcp=GcpEndpoint(**fields))


def alarm_of(rig: GcpRig, name: str) -> str:
    return rig.platform.outputs.native.alarms[name][0]  # type: ignore[union-attr]  Google Cloud's


@pytest.fixture
def models(rig: GcpRig, empty: str) -> Callable[[], list[str]]:
    """Ids of the models that Vertex AI has for the endpoint."""
    begin = family(rig.outputs.endpoints[empty])

    def look() -> list[str]:
        pages = rig.clients.pages("aiplatform", f"v1/{rig.clients.parent}/models", "models")
        return [name for one in pages if (name := one["name"].rpartition("/")[2]).startswith(begin)]

    return look


@pytest.mark.parametrize(
    ("before", "after", "percent", "wanted"),
    [
        ({"1": 100}, {"2": 100}, 10, {"2": 10, "1": 90}),
        ({"1": 100}, {"2": 100}, 100, {"2": 100}),
        ({"1": 67, "2": 33}, {"3": 100}, 33, {"3": 33, "1": 45, "2": 22}),
        ({"1": 50, "2": 50}, {"1": 50, "3": 50}, 50, {"1": 50, "2": 25, "3": 25}),
    ],
)
def test_a_split_on_its_way_is_whole(
    before: dict[str, int], after: dict[str, int], percent: int, wanted: dict[str, int]
) -> None:
    assert mixed(before, after, percent) == wanted
    assert sum(mixed(before, after, percent).values()) == 100


@pytest.mark.parametrize(
    ("how", "wanted"),
    [
        ({}, [100]),
        ({"rollout": "canary", "step": 5}, [5, 100]),
        ({"rollout": "linear", "step": 30}, [30, 60, 90, 100]),
        ({"rollout": "linear", "step": 50}, [50, 100]),
    ],
)
def test_steps(how: dict[str, Any], wanted: list[int]) -> None:
    assert steps(GcpEndpoint(**how)) == wanted
    assert GcpEndpoint(**how).steps == len(wanted)


def test_a_linear_release_takes_over_step_by_step(
    rig: GcpRig, platform: Platform, spec_of: SpecOf, empty: str, raw: Callable[[], Any]
) -> None:
    platform.endpoints.apply(spec_of(1))
    [old] = [one["id"] for one in raw()["deployedModels"]]
    seen: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.01):
            share = raw().get("trafficSplit", {}).get(old, 0)
            if not seen or seen[-1] != share:
                seen.append(share)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        careful = native(rollout="linear", step=25, bake=timedelta(seconds=0.4))
        state = platform.endpoints.apply(spec_of(2, native=careful))
    finally:
        over.set()
        watcher.join()
    assert state.releases == spec_of(2).releases
    assert seen == sorted(seen, reverse=True)
    assert {75, 50, 25} <= set(seen)


@pytest.mark.parametrize("log", ["", "PERMISSION_DENIED", "UNAVAILABLE"])
def test_an_alarm_takes_a_canary_back(
    rig: GcpRig, platform: Platform, spec_of: SpecOf, empty: str, deployed: Deployed, log: str
) -> None:
    """Also while nobody can read the server's log, which would only say why."""
    if log:
        rig.fake.fault("entries.list", service="logging", code=log, times=60)
    platform.endpoints.apply(spec_of(1))
    before = deployed()
    careful = spec_of(2, native=native(rollout="canary", step=10, bake=timedelta(minutes=10)))
    with ThreadPoolExecutor() as pool:
        release = pool.submit(platform.endpoints.apply, careful)
        wait_for(lambda: sorted(deployed().values()) == [10, 90] or None, "The canary", seconds=30, longest=0.1)
        rig.fake.alert(alarm_of(rig, empty))
        with pytest.raises(NotReady, match=f"went back to what it served before: The alarm {alarm_of(rig, empty)}"):
            release.result(30)
    assert deployed() == before
    state = platform.endpoints.state(empty)
    assert (state.status, state.releases) == (EndpointStatus.READY, spec_of(1).releases)
    assert "alarm" in state.reason


@pytest.mark.parametrize("how", [{}, {"bake": timedelta(minutes=4)}], ids=["no time", "four minutes"])
@pytest.mark.parametrize("rollout", ["canary", "linear"])
def test_steps_that_end_before_an_alarm_can_tell_are_refused(
    platform: Platform,
    spec_of: SpecOf,
    empty: str,
    deployed: Deployed,
    monkeypatch: pytest.MonkeyPatch,
    rollout: str,
    how: dict[str, Any],
) -> None:
    monkeypatch.setattr("trivet.platforms.gcp.rollout.LEAST_BAKE", timedelta(minutes=5))
    with pytest.raises(ConfigError, match=r"alerts open minutes late\. Give bake at least 5 minutes"):
        platform.endpoints.apply(spec_of(1, native=native(rollout=rollout, **how)))
    assert deployed() == {}


def test_an_alarm_that_was_open_before_blocks_no_release_that_mends_it(
    rig: GcpRig, platform: Platform, spec_of: SpecOf, empty: str
) -> None:
    platform.endpoints.apply(spec_of(1))
    rig.fake.alert(alarm_of(rig, empty))
    careful = native(rollout="canary", step=10, bake=timedelta(seconds=0.3))
    assert platform.endpoints.apply(spec_of(2, native=careful)).releases == spec_of(2).releases


def test_an_alarm_of_another_endpoint_takes_nothing_back(
    rig: GcpRig, platform: Platform, spec_of: SpecOf, empty: str, deployed: Deployed
) -> None:
    platform.endpoints.apply(spec_of(1))
    careful = spec_of(2, native=native(rollout="canary", step=10, bake=timedelta(seconds=1)))
    with ThreadPoolExecutor() as pool:
        release = pool.submit(platform.endpoints.apply, careful)
        wait_for(lambda: len(deployed()) == 2 or None, "The canary", seconds=30, longest=0.1)
        rig.fake.alert(alarm_of(rig, "second"))
        assert release.result(30).releases == careful.releases


def test_a_release_that_cannot_serve_costs_no_request(
    rig: GcpRig, platform: Platform, spec_of: SpecOf, empty: str, deployed: Deployed
) -> None:
    platform.endpoints.apply(spec_of(1))
    before = deployed()
    with pytest.raises(NotReady, match="golden"):
        platform.endpoints.apply(spec_of(BAD, native=native(rollout="canary", bake=timedelta(minutes=1))))
    assert deployed() == before


def test_a_deployment_goes_on_while_nobody_can_ask_how_it_stands(
    rig: GcpRig, platform: Platform, spec_of: SpecOf, empty: str, deployed: Deployed
) -> None:
    spec = spec_of(1)
    rig.fake.set(operation=1.5)
    try:
        rig.fake.fault("GetOperation", code="UNAVAILABLE", times=60, resource="*/endpoints/*")
        assert platform.endpoints.apply(spec).releases == spec.releases
    finally:
        rig.fake.set(operation=0.01)
    assert list(deployed().values()) == [100]


def test_what_is_deployed_for_nothing_is_told_and_goes_with_the_next_release(
    rig: GcpRig, platform: Platform, spec_of: SpecOf, empty: str, raw: Callable[[], Any], deployed: Deployed
) -> None:
    platform.endpoints.apply(spec_of(1))
    assert platform.endpoints.state(empty).reason == ""
    [there] = raw()["deployedModels"]
    again = {"model": there["model"], "dedicatedResources": there["dedicatedResources"], "displayName": "forgotten"}
    path = f"v1/{rig.clients.parent}/endpoints/{rig.outputs.endpoints[empty].name}:deployModel"
    rig.clients.ended(rig.clients.post("aiplatform", path, {"deployedModel": again}), "A release")
    assert "forgotten is deployed, charged, and serves nothing" in platform.endpoints.state(empty).reason
    platform.endpoints.apply(spec_of(1))
    assert platform.endpoints.state(empty).reason == ""
    assert list(deployed().values()) == [100]


def test_machines_and_bounds_stay_where_nothing_is_said(
    platform: Platform, spec_of: SpecOf, empty: str, raw: Callable[[], Any]
) -> None:
    accelerator = GcpAccelerator(kind="NVIDIA_TESLA_T4", count=2)
    chosen = native(machine_type="n1-standard-8", accelerator=accelerator, cpu_target=40)
    platform.endpoints.apply(spec_of(1, minimum_instances=2, maximum_instances=4, native=chosen))
    for other in (spec_of(2), spec_of(1, 2, traffic=(70, 30))):
        platform.endpoints.apply(other)
        for one in raw()["deployedModels"]:
            resources = one["dedicatedResources"]
            assert resources["machineSpec"] == {
                "machineType": "n1-standard-8",
                "acceleratorType": "NVIDIA_TESLA_T4",
                "acceleratorCount": 2,
            }
            assert (resources["minReplicaCount"], resources["maxReplicaCount"]) == (2, 4)
            assert [one["target"] for one in resources["autoscalingMetricSpecs"]] == [40]


def test_other_bounds_change_what_is_deployed_and_deploy_nothing(
    rig: GcpRig, platform: Platform, spec_of: SpecOf, empty: str, raw: Callable[[], Any]
) -> None:
    platform.endpoints.apply(spec_of(1))
    [before] = raw()["deployedModels"]
    rig.fake.forget_calls()
    platform.endpoints.apply(spec_of(1, maximum_instances=3))
    [after] = raw()["deployedModels"]
    assert after["id"] == before["id"]
    assert after["dedicatedResources"]["maxReplicaCount"] == 3
    operations = [one["operation"] for one in rig.fake.calls()]
    assert "MutateDeployedModel" in operations
    assert not {"DeployModel", "UpdateEndpoint"} & set(operations)
    held = platform.endpoints.held(empty)
    assert held is not None
    assert (held.minimum_instances, held.maximum_instances, held.native.gcp.cpu_target) == (1, 3, 60)
    rig.fake.forget_calls()
    platform.endpoints.apply(held)
    assert not {"DeployModel", "UpdateEndpoint", "MutateDeployedModel", "UploadModel"} & {
        one["operation"] for one in rig.fake.calls()
    }


def test_a_release_that_fails_leaves_the_bounds_of_what_serves(
    platform: Platform, spec_of: SpecOf, empty: str, raw: Callable[[], Any]
) -> None:
    platform.endpoints.apply(spec_of(1))
    before = raw()["deployedModels"]
    with pytest.raises(NotReady, match="golden"):
        platform.endpoints.apply(spec_of(1, BAD, traffic=(50, 50), minimum_instances=2, maximum_instances=4))
    assert raw()["deployedModels"] == before


def test_a_release_named_twice_is_refused(platform: Platform, spec_of: SpecOf, empty: str) -> None:
    with pytest.raises(ConfigError, match="named twice"):
        platform.endpoints.apply(spec_of(1, 1, traffic=(50, 50)))
    assert platform.endpoints.state(empty).status is EndpointStatus.EMPTY


def test_the_last_models_stay_and_deleting_leaves_none(
    platform: Platform, spec_of: SpecOf, empty: str, models: Callable[[], list[str]]
) -> None:
    for number in range(1, KEPT + 4):
        platform.endpoints.apply(spec_of(number))
    assert len(models()) == KEPT + 1
    platform.endpoints.delete(empty)
    assert models() == []


@pytest.fixture
def by_hand(rig: GcpRig, empty: str) -> Callable[[str], None]:
    """Deploy a model on the endpoint with all of the traffic, as somebody does by hand."""

    def deploy(model: str) -> None:
        endpoint = f"v1/{rig.clients.parent}/endpoints/{rig.outputs.endpoints[empty].name}"
        resources = {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1}
        body = {"deployedModel": {"model": model, "dedicatedResources": resources}, "trafficSplit": {"0": 100}}
        rig.clients.ended(rig.clients.post("aiplatform", f"{endpoint}:deployModel", body), "A release")

    return deploy


def uploaded(rig: GcpRig, version: ModelVersion, environment: dict[str, str]) -> str:
    """A model that somebody uploaded by hand, by its name."""
    body = {
        "displayName": "by hand",
        "artifactUri": f"{rig.outputs.store}/{version.key}",
        "containerSpec": {
            "imageUri": f"{rig.outputs.native.images}/serving:by-hand",  # type: ignore[union-attr]
            "args": ["serve"],
            "env": [{"name": name, "value": value} for name, value in environment.items()],
        },
    }
    made = rig.clients.post("aiplatform", f"v1/{rig.clients.parent}/models:upload", {"model": body})
    return str(rig.clients.ended(made, "A model")["model"])


@pytest.fixture
def foreign(
    rig: GcpRig, empty: str, version_of: Callable[[int], ModelVersion], by_hand: Callable[[str], None]
) -> Iterator[str]:
    """A model that somebody uploaded by hand, and deployed on the endpoint with all of the traffic."""
    name = uploaded(rig, version_of(1), {"TRIVET_SIGNED": "false"})
    by_hand(name)
    yield name
    rig.platform.endpoints.delete(empty)
    rig.clients.ended(rig.clients.delete("aiplatform", f"v1/{name}"), "A model")


def test_a_version_of_the_registry_that_was_deployed_by_hand_is_no_release(
    rig: GcpRig,
    platform: Platform,
    spec_of: SpecOf,
    empty: str,
    version_of: Callable[[int], ModelVersion],
    by_hand: Callable[[str], None],
) -> None:
    alias = f"trivet-{version_of(1).version}"
    pages = rig.clients.pages("aiplatform", f"v1/{rig.clients.parent}/models", "models")
    [model] = [
        one["name"].partition("@")[0]
        for one in pages
        if one.get("labels", {}).get("trivet-model") == "loan" and "trivet-endpoint" not in one["labels"]
    ]
    by_hand(f"{model}@{alias}")
    for look in (platform.endpoints.state, platform.endpoints.held):
        with pytest.raises(ForeignRelease, match="was not made by Trivet"):
            look(empty)
    assert platform.endpoints.apply(spec_of(2)).releases == spec_of(2).releases


def test_a_package_of_another_store_is_no_release_of_the_stack_s(
    version_of: Callable[[int], ModelVersion],
) -> None:
    version = version_of(1)
    environment = {"TRIVET_MODEL_NAME": version.name, "TRIVET_MODEL_VERSION": str(version.version)}
    env = [{"name": name, "value": value} for name, value in {**environment, "TRIVET_RECORDS_MODE": "off"}.items()]
    model = {"artifactUri": f"gs://ours/{version.key}", "containerSpec": {"imageUri": "serving:1", "env": env}}
    assert served_release(model, "gs://ours").digest == version.digest
    for bad in (
        {"artifactUri": f"gs://theirs/{version.key}"},
        {"containerSpec": {"env": env}},
        {"containerSpec": {"imageUri": "serving:1", "env": env[:2]}},
    ):
        with pytest.raises(ForeignRelease):
            served_release({**model, **bad}, "gs://ours")


def test_what_others_have_deployed_is_told_and_can_be_deployed_over(
    platform: Platform, spec_of: SpecOf, empty: str, foreign: str, deployed: Deployed
) -> None:
    with pytest.raises(ForeignRelease, match="was not made by Trivet"):
        platform.endpoints.state(empty)
    with pytest.raises(ForeignRelease):
        platform.endpoints.held(empty)
    assert platform.endpoints.apply(spec_of(2)).releases == spec_of(2).releases
    assert list(deployed().values()) == [100]


def test_shares_that_somebody_changed_are_read_back_and_set_right(
    rig: GcpRig, platform: Platform, spec_of: SpecOf, empty: str, raw: Callable[[], Any]
) -> None:
    spec = spec_of(1, 2, traffic=(60, 40))
    platform.endpoints.apply(spec)
    there = raw()
    turned = {one: 100 - share for one, share in there["trafficSplit"].items()}
    path = f"v1/{rig.clients.parent}/endpoints/{there['name'].rpartition('/')[2]}"
    rig.clients.patch("aiplatform", path, {"name": there["name"], "trafficSplit": turned}, "trafficSplit")
    assert [one.traffic for one in platform.endpoints.state(empty).releases] == [40, 60]
    assert platform.endpoints.apply(spec).releases == spec.releases


def test_a_pause_keeps_shares_and_machines(platform: Platform, spec_of: SpecOf, empty: str, deployed: Deployed) -> None:
    chosen = native(machine_type="n1-standard-4")
    spec = spec_of(1, 2, traffic=(70, 30), maximum_instances=3, native=chosen)
    platform.endpoints.apply(spec)
    before = platform.endpoints.held(empty)
    assert platform.endpoints.pause(empty).status is EndpointStatus.STOPPED
    assert deployed() == {}
    assert platform.endpoints.resume(empty).releases == spec.releases
    assert platform.endpoints.held(empty) == before


def test_a_release_over_a_pause_takes_its_machines(platform: Platform, spec_of: SpecOf, empty: str) -> None:
    platform.endpoints.apply(spec_of(1, maximum_instances=3, native=native(machine_type="n1-standard-4")))
    platform.endpoints.pause(empty)
    platform.endpoints.apply(spec_of(2))
    held = platform.endpoints.held(empty)
    assert held is not None
    assert (held.maximum_instances, held.native.gcp.machine_type) == (3, "n1-standard-4")
