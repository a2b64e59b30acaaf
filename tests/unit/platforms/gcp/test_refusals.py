"""What Google Cloud says no to: what passes is waited for, and what does not is told by its own kind."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from trivet.core.errors import ConfigError, PlatformError
from trivet.core.platform import Platform
from trivet.core.specs import EndpointSpec
from trivet.rehearsal.rigs.gcp import GcpRig
from trivet.rehearsal.rigs.package import make_package

SpecOf = Callable[..., EndpointSpec]
CODES = pytest.mark.parametrize("aborted", [False, True], ids=["FAILED_PRECONDITION", "ABORTED"])


@pytest.fixture
def settings(rig: GcpRig) -> Iterator[Callable[..., None]]:
    """Settings of the fake, for one test."""
    yield rig.fake.set
    rig.fake.set(operation=0.01, machines=100, aborted=False)


@CODES
def test_a_release_waits_for_what_somebody_else_does_to_the_endpoint(
    rig: GcpRig,
    platform: Platform,
    spec_of: SpecOf,
    empty: str,
    settings: Callable[..., None],
    aborted: bool,
) -> None:
    platform.endpoints.apply(spec_of(1))
    at = f"v1/{rig.clients.parent}/endpoints/{rig.outputs.endpoints[empty].name}"
    [there] = rig.clients.get("aiplatform", at)["deployedModels"]
    settings(operation=1.0, aborted=aborted)
    wanted = {"id": there["id"], "model": there["model"], "dedicatedResources": there["dedicatedResources"]}
    wanted["dedicatedResources"]["maxReplicaCount"] = 2
    body = {"deployedModel": wanted, "updateMask": "dedicatedResources.maxReplicaCount"}
    theirs = rig.clients.post("aiplatform", f"{at}:mutateDeployedModel", body)
    settings(operation=0.01)
    state = platform.endpoints.apply(spec_of(1, maximum_instances=4))
    assert state.releases == spec_of(1).releases
    assert rig.clients.get("aiplatform", f"v1/{theirs['name']}")["done"]
    held = platform.endpoints.held(empty)
    assert held is not None
    assert held.maximum_instances == 4


@CODES
def test_two_who_register_a_new_model_at_once_both_have_a_version(
    rig: GcpRig, tmp_path: Path, new_name: Callable[[], str], settings: Callable[..., None], aborted: bool
) -> None:
    name = new_name()
    for number in (1, 2):
        make_package(tmp_path / str(number), intercept=4 + number / 10)
    settings(operation=0.4, aborted=aborted)
    with ThreadPoolExecutor() as pool, rig.reconnect() as one, rig.reconnect() as two:
        calls: list[Any] = [
            pool.submit(platform.models.register, name, tmp_path / str(number), author="ada", tags={})
            for number, platform in ((1, one), (2, two))
        ]
        made = [call.result(60) for call in calls]
    assert sorted(one.version for one in made) == [1, 2]
    assert {one.digest for one in rig.platform.models.list(name)} == {one.digest for one in made}


def test_a_quota_that_is_used_up_is_no_fault_of_the_release(
    platform: Platform, spec_of: SpecOf, empty: str, settings: Callable[..., None]
) -> None:
    settings(machines=0)
    with pytest.raises(PlatformError, match=r"quota metrics exceed quota limits.*IAM & Admin, Quotas"):
        platform.endpoints.apply(spec_of(1))


def test_an_api_that_is_disabled_is_told_from_a_right(rig: GcpRig, platform: Platform, empty: str) -> None:
    said = "Vertex AI API has not been used in project 123456789012 before or it is disabled."
    rig.fake.fault("GetEndpoint", code="PERMISSION_DENIED", message=said, reason="SERVICE_DISABLED")
    with pytest.raises(PlatformError, match="Have the API enabled in the project"):
        platform.endpoints.state(empty)


def test_a_number_that_json_has_not_is_the_caller_s_mistake_and_is_not_tried_again(
    platform: Platform, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tired(_: float) -> None:
        raise AssertionError("it is tried again")

    monkeypatch.setattr(time, "sleep", tired)
    with pytest.raises(ConfigError, match="such as NaN"):
        platform.endpoints.invoke(empty, {"inputs": [math.nan]})
