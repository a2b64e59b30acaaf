"""A training runs for as long, and on such machines, as ``trivet.yaml`` says."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from trivet import api
from trivet.core.errors import JobFailed
from trivet.core.specs import AwsJob, JobNative
from trivet.rehearsal.rigs.local import LocalRig
from trivet.workflows import run

EXAMPLE = Path(__file__).parents[3] / "examples" / "loan_approval"


def test_a_training_is_asked_for_as_the_project_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "loan_approval"
    shutil.copytree(EXAMPLE, project)
    settings = yaml.safe_load((project / "trivet.yaml").read_text()) | {
        "endpoint": "first",
        "training": {"timeout": "PT2H", "native": {"aws": {"spot": True, "most_cost": 2}}},
    }
    (project / "trivet.yaml").write_text(yaml.safe_dump(settings))
    asked: dict[str, Any] = {}

    def submit(*_: object, **options: Any) -> None:
        asked.update(options)
        raise JobFailed("Enough.")

    monkeypatch.setattr(run, "submit", submit)
    with LocalRig(tmp_path, "one", "dev"), pytest.raises(JobFailed, match="Enough"):
        api.train(project, "one", root=tmp_path)
    assert (asked["timeout"], asked["native"]) == (
        timedelta(hours=2),
        JobNative(aws=AwsJob(spot=True, most_cost=2)),
    )
