"""Our own store on ``gs://`` of this fake meets the demands that every cloud's store is held to."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import pytest

from trivet.platforms.store import ObjectStore

from ....conformance import test_store as demands  # noqa: TID252  tests are no package that has a name
from .conftest import BUCKET, Project

# Each demand becomes a test of this module, and is collected here with the platform below.
WANTED = {name: test for name, test in vars(demands).items() if inspect.isfunction(test) and name.startswith("test_")}
globals().update(WANTED)


@pytest.fixture
def platform(gcp: Project) -> SimpleNamespace:
    """All that the demands ask of a platform."""
    return SimpleNamespace(store=ObjectStore(f"gs://{BUCKET}/a/prefix"))


def test_all_demands_are_made_here():
    assert len(WANTED) >= 8
    assert all(test.__module__ != __name__ for test in WANTED.values())


def test_the_store_is_in_the_bucket_and_nowhere_else(platform: SimpleNamespace, gcp: Project):
    platform.store.put("key", b"value")
    assert gcp.names() == ["a/prefix/key"] and gcp.get("a/prefix/key") == b"value"
    assert {call["operation"] for call in gcp.fake.calls()} >= {"objects.insert", "objects.list", "objects.get"}


def test_with_preconditions_off_the_race_has_more_than_one_winner(platform: SimpleNamespace, gcp: Project):
    """The control: it is this constraint that lets one win."""
    gcp.fake.switch("preconditions", False)
    assert platform.store.create("key", b"one") and platform.store.create("key", b"two")
