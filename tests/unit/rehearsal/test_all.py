"""All rehearsals: each is told, whatever becomes of the others, and the first error is the command's."""

from __future__ import annotations

from pathlib import Path

import pytest

from trivet.cli.output import Progress
from trivet.core.errors import PlatformError
from trivet.rehearsal import life, stages


class Broken(stages.Stage):
    """A cloud whose fake does not start."""

    title = "a cloud that is down"

    def __init__(self, folder: Path) -> None:
        raise PlatformError(f"{folder.name} did not start.")

    environment = config = property(lambda self: {})  # type: ignore[assignment]
    operations = left = close = lambda self: {}  # type: ignore[assignment]


def test_one_that_fails_hides_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(life, "STAGES", {"first": "", "second": ""})
    monkeypatch.setattr(life, "stage_of", lambda _: Broken)
    told: list[str] = []
    outcomes, error = life.rehearse_all(Progress(True), tmp_path, told.append)
    assert [(one.cloud, one.report, one.error) for one in outcomes] == [
        ("first", None, "first did not start."),
        ("second", None, "second did not start."),
    ]
    assert isinstance(error, PlatformError) and error.message == "first did not start." and len(told) == 2
