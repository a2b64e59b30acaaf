"""What costs, protections and leftovers look like on a screen."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from trivet import api
from trivet.cli import stacks as commands
from trivet.core.leftovers import Left
from trivet.infra.costs import estimate
from trivet.infra.holds import Held, holds
from trivet.infra.listing import Listed
from trivet.workflows.stack import StackChange

BUCKET = Listed("aws:s3/bucket:Bucket", "store", {}, protect=True, identity="lending-store")
KEY = Listed("aws:kms/key:Key", "data-key", {"deletionWindowInDays": 7, "enableKeyRotation": True}, identity="1-2")
ODD = Listed("aws:redshift/cluster:Cluster", "warehouse", {})


def words(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """What was printed, each line without the space between its columns."""
    return [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]


def test_a_preview_shows_what_is_known_what_is_not_and_the_total(capsys, monkeypatch):
    found = estimate([BUCKET, KEY, ODD], "eu-central-1", 35)
    change = StackChange(stack="dev", engine="pulumi", changes={"create": 3}, estimate=found)
    monkeypatch.setattr(api, "preview", lambda *_, cost, **__: change if cost else None)
    commands.preview(stack="dev", cost=True)
    lines = words(capsys)
    assert ["KMS", "key", "3", "month", "1.00", "3.00", "always", "2025-06-01"] in lines
    assert ["aws:redshift/cluster:Cluster", "unknown", "unknown", "unknown", "always"] in lines
    assert ["S3", "storage", "0", "GB-month", "0.0245", "0.00", "by", "use", "2025-06-01"] in lines
    assert " ".join(lines[-1]) == (
        "Idle: at least USD 3.00 a month in eu-central-1, list prices without free tiers and taxes; "
        "the ceiling of the environment's defaults is USD 35."
    )


def test_destroy_asks_nobody_when_something_is_protected(capsys, monkeypatch):
    found = holds([BUCKET, KEY])

    def refuse(*_: object, **__: object) -> None:
        raise Held("prod", found)

    monkeypatch.setattr(api, "held", lambda *_: found)
    monkeypatch.setattr(api, "destroy", refuse)
    monkeypatch.setattr(commands.typer, "confirm", lambda *_, **__: pytest.fail("it asked"))
    with pytest.raises(Held):
        commands.destroy(stack="prod")
    text = [" ".join(line) for line in words(capsys)]
    assert any(line.startswith("store protected in Pulumi `trivet up --config protect=false`") for line in text)
    assert any(line.startswith("data-key it is deleted 7 days later") for line in text)


def test_what_is_left_is_told_with_its_day(capsys, monkeypatch):
    key = Left(
        kind="KMS key",
        id="arn:aws:kms:eu-central-1:123456789012:key/1",
        state="pending deletion",
        until=datetime(2026, 12, 3, tzinfo=UTC),
        note="costs nothing",
        release="nothing to do",
    )
    for left, last in (([key], "1 left."), ([], "Nothing is left.")):
        monkeypatch.setattr(api, "audit", lambda *_, left=left, **__: left)
        monkeypatch.setattr(api, "destroy", lambda *_, **__: pytest.fail("it destroyed"))
        commands.destroy(stack="prod", audit=True)
        printed = capsys.readouterr().out
        assert printed.splitlines()[-1] == last
        assert ("pending deletion until 2026-12-03: costs nothing" in printed) == bool(left)
