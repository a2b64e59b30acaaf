"""Several who work on one endpoint at once: nobody's traffic is overwritten, and who came too late is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest

from trivet.core.errors import Locked, NotReady
from trivet.core.platform import Platform
from trivet.core.specs import EndpointNative, EndpointSpec, GcpEndpoint
from trivet.core.waiting import wait_for
from trivet.platforms.gcp.session import GcpPlatform
from trivet.rehearsal.rigs.gcp import GcpRig

SpecOf = Callable[..., EndpointSpec]
Deployed = Callable[[], dict[str, int]]


def test_two_who_apply_the_same_at_once_both_get_it(
    rig: GcpRig, spec_of: SpecOf, empty: str, deployed: Deployed
) -> None:
    spec = spec_of(1)
    with ThreadPoolExecutor() as pool, rig.reconnect() as one, rig.reconnect() as two:
        both = list(pool.map(lambda platform: platform.endpoints.apply(spec).releases, (one, two)))
    assert both == [spec.releases, spec.releases]
    assert list(deployed().values()) == [100]


def test_of_two_who_apply_different_releases_one_serves_and_the_other_is_told(
    rig: GcpRig, spec_of: SpecOf, empty: str, deployed: Deployed
) -> None:
    specs = (spec_of(1), spec_of(2))
    together = threading.Barrier(2)

    def apply(platform: Platform, spec: EndpointSpec) -> object:
        together.wait()
        try:
            return platform.endpoints.apply(spec).releases
        except (Locked, NotReady) as error:
            return error

    with ThreadPoolExecutor() as pool, rig.reconnect() as one, rig.reconnect() as two:
        told = list(pool.map(apply, (one, two), specs))
        served = one.endpoints.state(empty).releases
    assert served in [spec.releases for spec in specs]
    assert served in told
    assert list(deployed().values()) == [100]


def test_who_changes_the_traffic_between_two_steps_is_not_overruled(
    rig: GcpRig, platform: Platform, spec_of: SpecOf, empty: str, raw: Callable[[], Any], deployed: Deployed
) -> None:
    platform.endpoints.apply(spec_of(1))
    linear = GcpEndpoint(rollout="linear", step=50, bake=timedelta(seconds=3))
    careful = spec_of(2, native=EndpointNative(gcp=linear))
    with ThreadPoolExecutor() as pool:
        release = pool.submit(platform.endpoints.apply, careful)
        wait_for(lambda: sorted(deployed().values()) == [50, 50] or None, "The step", seconds=30, longest=0.1)
        there = raw()
        old, new = (one["id"] for one in there["deployedModels"])
        path = f"v1/{rig.clients.parent}/endpoints/{rig.outputs.endpoints[empty].name}"
        by_hand = {"name": there["name"], "etag": there["etag"], "trafficSplit": {old: 99, new: 1}}
        rig.clients.patch("aiplatform", path, by_hand, "trafficSplit")
        with pytest.raises(Locked, match="Another release took over"):
            release.result(60)
    assert sorted(deployed().values()) == [1, 99]


@pytest.mark.parametrize(("changed", "told"), [({"description": "mine"}, ""), ({"trafficSplit": {}}, "took over")])
def test_a_change_between_the_look_and_the_split_is_not_overwritten(
    rig: GcpRig,
    spec_of: SpecOf,
    empty: str,
    raw: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, Any],
    told: str,
) -> None:
    """Of the traffic it stops the release; of anything else it does not."""
    rig.platform.endpoints.apply(spec_of(1))
    name, came = raw()["name"], []
    with GcpPlatform(rig.outputs, rig.reconnect().clients) as platform:  # type: ignore[attr-defined]
        clients = platform.clients
        patch = clients.patch

        def raced(service: str, path: str, body: dict[str, Any], mask: str) -> Any:
            if not came:
                came.append(path)
                rig.clients.patch(service, path, {"name": name, **changed}, ",".join(changed))
            return patch(service, path, body, mask)

        monkeypatch.setattr(clients, "patch", raced)
        with pytest.raises(Locked, match=told) if told else nullcontext():
            platform.endpoints.apply(spec_of(2))
    there = raw()
    assert {key: there.get(key, {}) for key in changed} == changed
    [serves] = spec_of(1 if told else 2).releases
    assert [one["displayName"] for one in there["deployedModels"]] == [f"loan/{serves.version}"]
