from __future__ import annotations

from datetime import UTC, datetime

import pytest

from trivet.core.findings import Level
from trivet.core.specs import Approval, EndpointState, EndpointStatus, ModelVersion, Release
from trivet.monitoring.coverage import coverage

NOW = datetime(2026, 11, 26, tzinfo=UTC)
ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


def version(number: int, digest: str, status: str | None) -> ModelVersion:
    approval = status and Approval(actor="grace", status=status, reason="seen", identity="login", time=NOW)
    given = {"name": "loan", "version": number, "digest": digest, "key": "k", "author": "ada", "created": NOW}
    return ModelVersion.model_validate(given | {"approval": approval})


def endpoint(*releases: Release) -> EndpointState:
    return EndpointState(name="loan", status=EndpointStatus.READY, url="http://x", releases=releases)


@pytest.mark.parametrize(
    ("known", "level", "note"),
    [
        (version(1, ONE, "approved"), Level.OK, "an approval covers"),
        (version(1, ONE, None), Level.ALARM, "approved by nobody"),
        (version(1, ONE, "rejected"), Level.ALARM, "rejected by grace"),
        (version(1, TWO, "approved"), Level.ALARM, "not what the registry has"),
        (None, Level.ALARM, "in no registry"),
    ],
)
def test_what_no_approval_covers_alarms_and_says_why(known: ModelVersion | None, level: Level, note: str) -> None:
    found = coverage(endpoint(Release(model="loan", version=1, digest=ONE)), [known], NOW)
    assert (found.level, found.sample) == (level, 1)
    assert note in found.note


def test_one_of_two_releases_without_an_approval_is_enough() -> None:
    split = [Release(model="loan", version=n, digest=d, traffic=50) for n, d in ((1, ONE), (2, TWO))]
    found = coverage(endpoint(*split), [version(1, ONE, "approved"), version(2, TWO, None)], NOW)
    assert (found.level, found.effect, found.sample) == (Level.ALARM, 0.5, 2)
    assert "loan/2" in found.note and "loan/1" not in found.note
