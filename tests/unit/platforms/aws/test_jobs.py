"""Jobs that die, are stopped, are interrupted or are cancelled, and what they may cost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import psutil
import pytest

from trivet.clouds import awsprices
from trivet.core.errors import ConfigError, NotFound, PlatformError
from trivet.core.platform import Platform
from trivet.core.refs import JobRef
from trivet.core.specs import AwsJob, AwsScoring, JobNative, JobSpec, JobState
from trivet.core.waiting import wait_for
from trivet.platforms.aws.requests import runtime_limit
from trivet.rehearsal.rigs.aws import REGION, AwsRig

Make = Callable[..., JobSpec]
Ended = Callable[[JobRef], JobState]

LEAVE = "import os, pathlib; output = pathlib.Path(os.environ['TRIVET_OUTPUT']); "
POLITE = f"""
import signal, sys, time
{LEAVE}
(output / "half").write_text("half")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("up", flush=True)
time.sleep(600)
"""
CHILD = """
import os, subprocess, sys, time
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(611)"
subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
print("up", flush=True)
time.sleep(612)
"""
COUNTING = f"""
import os, pathlib, time
{LEAVE}
kept = pathlib.Path(os.environ["TRIVET_CHECKPOINTS"], "step")
step = int(kept.read_text()) if kept.exists() else 0
print("from", step, flush=True)
(output / f"from-{{step}}").write_text("")
kept.write_text("7")
time.sleep(0 if step else 600)
"""


def says(platform: Platform, ref: JobRef, words: str) -> None:
    wait_for(lambda: words in list(platform.jobs.logs(ref)) or None, words, seconds=30, longest=0.2)


def described(rig: AwsRig, ref: JobRef, attempt: int = 1) -> dict[str, object]:
    name = f"{rig.outputs.native.prefix}-{ref.id}-{attempt}"  # type: ignore[union-attr]  it is aws
    return rig.client("sagemaker").describe_training_job(TrainingJobName=name)


def test_a_job_that_dies_says_why_and_may_be_run_again(
    rig: AwsRig, platform: Platform, job: Make, ended: Ended
) -> None:
    spec = job("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    ref = platform.jobs.submit(spec)
    assert ended(ref) is JobState.FAILED
    assert "SIGKILL" in str(described(rig, ref)["FailureReason"])
    *_, last = platform.jobs.logs(ref)
    assert last.startswith("SageMaker: ") and "SIGKILL" in last
    platform.jobs.submit(spec.model_copy(update={"command": ("python", "-c", "print('again')")}))
    assert ended(ref) is JobState.SUCCEEDED
    assert list(platform.jobs.logs(ref)) == ["again"]


def test_what_a_job_left_when_it_was_cancelled_is_no_result(platform: Platform, job: Make, ended: Ended) -> None:
    spec = job(POLITE)
    ref = platform.jobs.submit(spec)
    says(platform, ref, "up")
    platform.jobs.cancel(ref)
    assert ended(ref) is JobState.CANCELLED
    assert platform.store.list(f"{spec.output}/") == []


def test_a_job_whose_time_is_over_has_failed_and_left_nothing(platform: Platform, job: Make, ended: Ended) -> None:
    spec = job(POLITE, timeout=timedelta(seconds=3))
    assert ended(platform.jobs.submit(spec)) is JobState.FAILED
    assert platform.store.list(f"{spec.output}/") == []


def test_a_cancelled_job_leaves_no_process(rig: AwsRig, platform: Platform, job: Make, ended: Ended) -> None:
    others = set(rig.fake.processes())  # an endpoint that another test left there
    ref = platform.jobs.submit(job(CHILD))
    says(platform, ref, "up")
    its = [psutil.Process(pid) for pid in rig.fake.processes() if pid not in others]
    assert sum("time.sleep(611)" in " ".join(one.cmdline()) for one in its) == 1
    platform.jobs.cancel(ref)
    assert ended(ref) is JobState.CANCELLED
    assert psutil.wait_procs(its, timeout=10)[1] == []


def test_a_spot_job_that_is_interrupted_goes_on_from_its_checkpoints(
    rig: AwsRig, platform: Platform, job: Make, ended: Ended
) -> None:
    spec = job(COUNTING, native=JobNative(aws=AwsJob(spot=True)))
    ref = platform.jobs.submit(spec)
    says(platform, ref, "from 0")
    wait_for(lambda: platform.store.list(f"checkpoints/{spec.name}/") or None, "The checkpoint", seconds=20)
    rig.fake.interrupt(str(described(rig, ref)["TrainingJobName"]))
    assert ended(ref) is JobState.SUCCEEDED
    log = list(platform.jobs.logs(ref))
    assert [line for line in log if line.startswith("from")] == ["from 0", "from 7"]
    assert "its machine was taken away" in log[1]
    assert platform.store.list(f"{spec.output}/") == [f"{spec.output}/from-7"]


def test_every_channel_is_a_folder_of_its_own(platform: Platform, job: Make, ended: Ended) -> None:
    for channel, data in (("one", b"1"), ("two", b"2"), ("three.3", b"3")):
        platform.store.put(f"channels/{channel}/data", data)
    main = (
        "import os, pathlib\nfor one in sorted(pathlib.Path(os.environ['TRIVET_INPUT']).iterdir()):"
        " print(one.name, (one / 'data').read_text())"
    )
    spec = job(main, inputs={name: f"channels/{name}" for name in ("one", "two", "three.3")})
    ref = platform.jobs.submit(spec)
    assert ended(ref) is JobState.SUCCEEDED
    assert list(platform.jobs.logs(ref)) == ["one 1", "three.3 3", "two 2"]


def test_a_channel_without_data_is_refused_at_once(platform: Platform, job: Make) -> None:
    spec = job(inputs={"data": "channels/nothing"})
    with pytest.raises(ConfigError, match="No S3 objects"):
        platform.jobs.submit(spec)
    with pytest.raises(NotFound):
        platform.jobs.state(JobRef(spec.name))


def test_a_job_that_loses_its_source_fails_and_says_so(
    rig: AwsRig, platform: Platform, job: Make, ended: Ended
) -> None:
    spec = job()
    platform.store.delete(spec.source)
    ref = platform.jobs.submit(spec)
    assert ended(ref) is JobState.FAILED
    assert spec.source in str(described(rig, ref)["FailureReason"])


def test_a_job_is_known_as_soon_as_submit_returns_however_late_aws_knows_it(
    rig: AwsRig, platform: Platform, job: Make, ended: Ended
) -> None:
    rig.fake.lag("TrainingJob", 5)
    spec = job()
    ref = platform.jobs.submit(spec)
    assert platform.jobs.state(ref) in (JobState.RUNNING, JobState.SUCCEEDED)
    assert platform.jobs.submit(spec) == ref
    assert ended(ref) is JobState.SUCCEEDED
    with pytest.raises(rig.client("sagemaker").exceptions.ClientError):
        described(rig, ref, attempt=2)


def test_a_role_that_is_new_is_waited_for(rig: AwsRig, platform: Platform, job: Make, ended: Ended) -> None:
    message = "Could not assume role arn:aws:iam::123456789012:role/new"
    rig.fake.fault("CreateTrainingJob", code="ValidationException", message=message, times=2)
    assert ended(platform.jobs.submit(job())) is JobState.SUCCEEDED


def test_a_quota_is_a_sentence_that_says_what_to_ask_for(rig: AwsRig, platform: Platform, job: Make) -> None:
    message = "The account-level service limit 'ml.m5.large for training job usage' is 0 Instances"
    rig.fake.fault("CreateTrainingJob", code="ResourceLimitExceeded", message=message, times=50)
    with pytest.raises(PlatformError, match="Service Quotas"):
        platform.jobs.submit(job())


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("most", "instances", "seconds"), [(None, 1, 3600), (0.5, 1, 1800), (0.5, 4, 450), (100.0, 1, 3600)]
)
def test_a_limit_of_cost_is_a_limit_of_time(
    monkeypatch: pytest.MonkeyPatch, most: float | None, instances: int, seconds: int
) -> None:
    monkeypatch.setattr(awsprices, "hourly", lambda *_: Decimal(1))
    assert runtime_limit(AwsJob(most_cost=most, instances=instances), HOUR, REGION) == seconds
    assert runtime_limit(AwsScoring(most_cost=most, instances=instances), HOUR, REGION) == seconds


def test_a_limit_of_cost_that_cannot_be_kept_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awsprices, "hourly", lambda *_: None)
    with pytest.raises(ConfigError, match="not known"):
        runtime_limit(AwsJob(most_cost=1.0), HOUR, REGION)
    monkeypatch.setattr(awsprices, "hourly", lambda *_: Decimal(1000))
    with pytest.raises(ConfigError, match="no second"):
        runtime_limit(AwsJob(most_cost=0.01), HOUR, REGION)


def test_a_job_that_has_cost_what_it_may_is_ended(
    monkeypatch: pytest.MonkeyPatch, platform: Platform, job: Make, ended: Ended
) -> None:
    monkeypatch.setattr(awsprices, "hourly", lambda *_: Decimal(3600))
    spec = job("import time; time.sleep(600)", native=JobNative(aws=AwsJob(most_cost=2.0)))
    assert ended(platform.jobs.submit(spec)) is JobState.FAILED
