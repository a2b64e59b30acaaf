"""Our own store on Blob Storage of this fake meets the demands that every cloud's store is held to."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import pytest

from trivet.platforms.store import ObjectStore

from ....conformance import test_store as demands  # noqa: TID252  tests are no package that has a name
from .conftest import CONTAINER, Subscription

# Each demand becomes a test of this module, and is collected here with the platform below.
WANTED = {name: test for name, test in vars(demands).items() if inspect.isfunction(test) and name.startswith("test_")}
globals().update(WANTED)


@pytest.fixture
def platform(azure: Subscription) -> SimpleNamespace:
    """All that the demands ask of a platform."""
    return SimpleNamespace(store=ObjectStore(f"{azure.url}/{CONTAINER}/a/prefix"))


def test_all_demands_are_made_here():
    assert len(WANTED) >= 8
    assert all(test.__module__ != __name__ for test in WANTED.values())


def test_the_store_is_in_the_container_and_nowhere_else(platform: SimpleNamespace, azure: Subscription):
    platform.store.put("key", b"value")
    assert azure.names() == ["a/prefix/key"]
    assert azure.container.download_blob("a/prefix/key").readall() == b"value"


def test_the_short_address_finds_the_account_in_the_environment(azure: Subscription, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", azure.fake.account)
    ObjectStore(f"az://{CONTAINER}").put("key", b"value")
    assert azure.names() == ["key"]


def test_with_preconditions_off_the_race_has_more_than_one_winner(platform: SimpleNamespace, azure: Subscription):
    """The control: it is this constraint that lets one win."""
    azure.fake.switch("preconditions", False)
    assert platform.store.create("key", b"one") and platform.store.create("key", b"two")
