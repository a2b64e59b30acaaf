"""A schedule from the stack to the end of its job: what Scheduler would ask at its time is asked of the fake."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from trivet import api
from trivet.core.errors import NotFound
from trivet.core.outputs import Outputs
from trivet.core.waiting import wait_for

from .conftest import Stack
from .test_aws_stack import program
from .test_stacks import leftovers

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "loan_approval"
SCHEDULES = json.dumps([{"name": "nightly", "at": "cron(30 2 * * ? *)", "timezone": "Europe/Berlin"}])
REFRESH = """
import os
from pathlib import Path

rows = Path(os.environ["TRIVET_INPUT"], "data", "rows.csv").read_text()
Path(os.environ["TRIVET_OUTPUT"], "count.txt").write_text(str(rows.count("a")))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "loan"
    shutil.copytree(EXAMPLE, folder)
    (folder / "refresh.py").write_text(REFRESH)
    return folder


def start(stack: Stack, execution: str) -> dict[str, Any]:
    """Do what Scheduler does at the schedule's time, and wait for the job."""
    [group] = [one["Name"] for one in stack.client("scheduler").list_schedule_groups()["ScheduleGroups"]
               if one["Name"] != "default"]  # fmt: skip
    target = stack.client("scheduler").get_schedule(Name="nightly", GroupName=group)["Target"]
    assert target["Arn"] == "arn:aws:scheduler:::aws-sdk:sagemaker:createTrainingJob"
    request = json.loads(target["Input"].replace("<aws.scheduler.execution-id>", execution))
    sagemaker, name = stack.client("sagemaker"), request["TrainingJobName"]
    sagemaker.create_training_job(**request)

    def ended() -> dict[str, Any] | None:
        found = sagemaker.describe_training_job(TrainingJobName=name)
        return found if found["TrainingJobStatus"] != "InProgress" else None

    return wait_for(ended, name, seconds=60, longest=0.1)


def doctor(stack: str, root: Path) -> str:
    [found] = [one.level for one in api.doctor(stack, root=root) if one.name == "schedule nightly"]
    return found


def test_a_schedule_runs_what_was_said_over_what_is_there_at_its_time(
    stack: Stack, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    stack.up(program(database="off", schedules=SCHEDULES))
    outputs = Outputs.parse(stack.outputs()["trivet"], "The stack's output")
    bucket = outputs.store.removeprefix("s3://")
    s3 = stack.client("s3")

    early = start(stack, "d32c5kddcf5bb8c0")  # before anybody has said what to run
    assert early["TrainingJobStatus"] == "Failed"
    assert "The store has no 'schedules/nightly.json'" in early["FailureReason"]

    assert doctor(outputs.stack, stack.root) == "warn"
    command = ("python", "refresh.py")
    api.schedule(project, "nightly", command, outputs.stack, inputs={"data": "rows"}, root=stack.root)
    assert doctor(outputs.stack, stack.root) == "ok"
    for run, rows in (("d32c5kddcf5bb8c1", "a"), ("d32c5kddcf5bb8c2", "aa")):
        s3.put_object(Bucket=bucket, Key="rows/rows.csv", Body=rows.encode())
        found = start(stack, run)
        assert found["TrainingJobStatus"] == "Completed", found
        assert found["RoleArn"] == outputs.native.trainer_role
    left = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket, Prefix="outputs/")["Contents"]]
    assert left == [f"outputs/nightly/d32c5kddcf5bb8c{run}/count.txt" for run in (1, 2)]
    counts = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in left]
    assert counts == [b"1", b"2"]

    with pytest.raises(NotFound, match="has no schedule 'hourly'; it has: nightly"):
        api.schedule(project, "hourly", command, outputs.stack, root=stack.root)
    with pytest.raises(NotFound, match=r"project loan has no refersh\.py"):
        api.schedule(project, "nightly", ("python", "refersh.py"), outputs.stack, root=stack.root)
    assert stack.up() == {}
    stack.driver.destroy()
    assert leftovers(stack) == ["logs describe_log_groups"]  # SageMaker's own, of all jobs of the region
