from __future__ import annotations

from datetime import UTC, datetime

import pytest

from trivet.core.findings import Level
from trivet.core.specs import EndpointState, EndpointStatus, Release
from trivet.monitoring.coverage import Decided, coverage

NOW = datetime(2026, 11, 26, tzinfo=UTC)
ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


def endpoint(*releases: Release) -> EndpointState:
    return EndpointState(name="loan", status=EndpointStatus.READY, url="http://x", releases=releases)


@pytest.mark.parametrize(
    ("decided", "level", "note"),
    [
        ({ONE: Decided("approved", "grace")}, Level.OK, "an approval covers"),
        ({ONE: Decided("rejected", "grace")}, Level.ALARM, "rejected by grace"),
        ({TWO: Decided("approved", "grace")}, Level.ALARM, "approved by nobody"),
        ({}, Level.ALARM, "approved by nobody"),
    ],
)
def test_what_no_approval_covers_alarms_and_says_why(decided: dict[str, Decided], level: Level, note: str) -> None:
    found = coverage(endpoint(Release(model="loan", version=1, digest=ONE)), decided, NOW)
    assert (found.level, found.sample) == (level, 1)
    assert note in found.note


def test_a_shadow_needs_an_approval_too() -> None:
    served, shadow = (Release(model="loan", version=n, digest=d) for n, d in ((1, ONE), (2, TWO)))
    both = endpoint(served).model_copy(update={"shadow": shadow})
    found = coverage(both, {ONE: Decided("approved", "grace")}, NOW)
    assert (found.level, found.effect, found.sample) == (Level.ALARM, 0.5, 2)
    assert "loan/2" in found.note and "loan/1" not in found.note


def test_one_of_two_releases_without_an_approval_is_enough() -> None:
    split = [Release(model="loan", version=n, digest=d, traffic=50) for n, d in ((1, ONE), (2, TWO))]
    found = coverage(endpoint(*split), {ONE: Decided("approved", "grace")}, NOW)
    assert (found.level, found.effect, found.sample) == (Level.ALARM, 0.5, 2)
    assert "loan/2" in found.note and "loan/1" not in found.note
