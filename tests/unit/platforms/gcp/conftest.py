"""Google Cloud in bad weather: one rig for all, quick where Google's own client would wait, and fair weather again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.platforms.cases import empty, ended, job, new_name, spec_of, version_of
from trivet.core.platform import Platform
from trivet.platforms.gcp import clients, ensuring, rollout, session
from trivet.platforms.gcp.labels import labels_of
from trivet.platforms.gcp.session import GcpPlatform
from trivet.rehearsal.fakes.gcp import LOCATION, PROJECT
from trivet.rehearsal.rigs.gcp import PREFIX, STACK, GcpRig

__all__ = ["empty", "ended", "job", "new_name", "spec_of", "version_of"]

OURS = ("GOOGLE_", "GCE_", "CLOUDSDK_", "STORAGE_EMULATOR_HOST")


@pytest.fixture(scope="session")
def quick() -> Iterator[None]:
    """The user's own Google Cloud out of the way, and clients that give up after some tries without long pauses."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(OURS)]:
            patch.delenv(name)
        for name, value in (("FIRST", 0.01), ("LONGEST", 0.02), ("GIVE_UP", 0.3)):
            patch.setattr(clients, name, value)
        backoff = {"init_backoff": timedelta(milliseconds=5), "max_backoff": timedelta(milliseconds=10), "base": 2}
        patch.setattr(
            session, "RETRIES", {"max_retries": 2, "retry_timeout": timedelta(seconds=10), "backoff": backoff}
        )
        for module in (clients, ensuring):
            patch.setattr(module, "LONGEST_PAUSE", 0.1)
        patch.setattr(rollout, "POLL_S", 0.05)
        patch.setattr(rollout, "LEAST_BAKE", timedelta(seconds=0.1))
        yield


@pytest.fixture(scope="session")
def rig(quick: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcpRig]:
    with GcpRig(tmp_path_factory.mktemp("gcp")) as ready:
        ready.fake.set(operation=0.01)
        yield ready


@pytest.fixture(autouse=True)
def fair(rig: GcpRig) -> Iterator[None]:
    """Whatever a test did to the weather ends with it, and so do its alarms."""
    yield
    rig.fake.clear_faults()
    for names in rig.platform.outputs.native.alarms.values():  # type: ignore[union-attr]  Google Cloud's
        for name in names:
            rig.fake.alert(name, "CLOSED")


@pytest.fixture
def platform(rig: GcpRig) -> Iterator[Platform]:
    """A platform of the test's own, as another process would have it."""
    with rig.reconnect() as ready:
        yield ready


@pytest.fixture
def stack(rig: GcpRig, new_name: Callable[[], str]) -> Iterator[Callable[..., GcpPlatform]]:
    """Another stack in the same project, or this one in another life: with a store of its own, without endpoints."""
    made: list[GcpPlatform] = []

    def make(*, name: str = STACK, prefix: str = PREFIX) -> GcpPlatform:
        bucket = f"{prefix}-{new_name()}-store"
        body = {"name": bucket, "location": LOCATION, "labels": labels_of("rehearsal", name, "dev", {})}
        rig.clients.post("storage", "storage/v1/b", body, project=PROJECT)
        native = rig.outputs.native.model_copy(update={"prefix": prefix})
        changed = {"stack": name, "store": f"gs://{bucket}", "native": native, "endpoints": {}}
        made.append(GcpPlatform(rig.outputs.model_copy(update=changed), rig.reconnect().clients))
        return made[-1]

    yield make
    for one in made:
        if one.outputs.stack != STACK:
            one.clear()
        one.close()


@pytest.fixture
def deployed(rig: GcpRig, empty: str) -> Callable[[], dict[str, int]]:
    """What Vertex AI has deployed on the first endpoint, by the number of the version: its share."""

    def look() -> dict[str, int]:
        shell = rig.outputs.endpoints[empty].name
        there = rig.clients.get("aiplatform", f"v1/{rig.clients.parent}/endpoints/{shell}")
        split = there.get("trafficSplit", {})
        return {one["displayName"]: split.get(one["id"], 0) for one in there.get("deployedModels", [])}

    return look


@pytest.fixture
def raw(rig: GcpRig, empty: str) -> Callable[[], Any]:
    """What Vertex AI says of the first endpoint."""
    shell = rig.outputs.endpoints[empty].name
    return lambda: rig.clients.get("aiplatform", f"v1/{rig.clients.parent}/endpoints/{shell}")
