"""Jobs on Vertex AI: attempts, interruptions, checkpoints, what a container is told, and what its cloud said."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from trivet.core.errors import JobFailed, NotFound
from trivet.core.platform import Platform
from trivet.core.refs import JobRef
from trivet.core.specs import GcpJob, JobNative, JobSpec, JobState, ScoringSpec
from trivet.core.waiting import wait_for
from trivet.platforms.gcp.attempts import runs
from trivet.platforms.gcp.labels import whose
from trivet.platforms.gcp.session import GcpPlatform
from trivet.rehearsal.rigs.gcp import STACK, GcpRig

Job = Callable[..., JobSpec]
Stack = Callable[..., Platform]
Ended = Callable[[JobRef], JobState]
RESUMING = """
import os, pathlib, time
mark = pathlib.Path(os.environ["TRIVET_CHECKPOINTS"], "mark")
if mark.exists():
    pathlib.Path(os.environ["TRIVET_OUTPUT"], "found").write_text(mark.read_text())
else:
    mark.write_text("kept")
    print("kept", flush=True)
    time.sleep(600)
"""


def described(rig: GcpRig, ref: JobRef) -> Any:
    return described_by(rig.platform, ref)


def described_by(platform: Platform, ref: JobRef) -> Any:
    jobs: Any = platform.jobs
    return jobs.newest(ref).described


def test_an_interrupted_job_begins_again_with_what_it_kept(
    rig: GcpRig, platform: Platform, job: Job, ended: Ended
) -> None:
    spec = job(RESUMING, native=JobNative(gcp=GcpJob(spot=True)))
    ref = platform.jobs.submit(spec)
    wait_for(lambda: "kept" in list(platform.jobs.logs(ref)) or None, "The checkpoint", seconds=30, longest=0.1)
    rig.fake.interrupt(described(rig, ref)["name"].rpartition("/")[2])
    assert ended(ref) is JobState.SUCCEEDED
    assert platform.store.get(f"{spec.output}/found") == b"kept"


def test_the_request_says_all_that_was_chosen(rig: GcpRig, platform: Platform, job: Job, ended: Ended) -> None:
    chosen = {"kind": "NVIDIA_TESLA_T4", "count": 2}
    machines = GcpJob.model_validate(
        {"machine_type": "n1-standard-8", "accelerator": chosen, "disk_gb": 200, "spot": True, "patience": "PT2H"}
    )
    ref = platform.jobs.submit(job(native=JobNative(gcp=machines), timeout=timedelta(minutes=3)))
    assert ended(ref) is JobState.SUCCEEDED
    found, native = described(rig, ref), rig.outputs.native
    [pool] = found["jobSpec"]["workerPoolSpecs"]
    assert pool["machineSpec"] == {
        "machineType": "n1-standard-8",
        "acceleratorType": "NVIDIA_TESLA_T4",
        "acceleratorCount": 2,
    }
    assert pool["diskSpec"]["bootDiskSizeGb"] == 200
    assert found["jobSpec"]["scheduling"] == {"timeout": "180s", "strategy": "SPOT"}
    assert found["jobSpec"]["serviceAccount"] == native.trainer  # type: ignore[union-attr]  Google Cloud's
    assert found["encryptionSpec"]["kmsKeyName"] == native.key  # type: ignore[union-attr]
    assert found["labels"].items() >= {"trivet-stack": "gcp-rehearsal", "cost-centre": "7"}.items()


def test_a_job_that_no_spare_machine_comes_for_is_ended_when_its_patience_is(
    rig: GcpRig, platform: Platform, job: Job, ended: Ended
) -> None:
    rig.fake.set(queued=600.0)
    try:
        hasty = GcpJob(spot=True, patience=timedelta(seconds=1))
        ref = platform.jobs.submit(job(native=JobNative(gcp=hasty)))
        patient = platform.jobs.submit(job(native=JobNative(gcp=GcpJob(spot=True))))
        assert ended(ref) is JobState.FAILED
    finally:
        rig.fake.set(queued=0.0)
    assert list(platform.jobs.logs(ref)) == ["Vertex AI: It waited longer than its 1 s for spare machines."]
    assert described(rig, ref)["state"] == "JOB_STATE_CANCELLED"
    assert platform.jobs.state(patient) is JobState.RUNNING
    platform.jobs.cancel(patient)
    assert ended(patient) is JobState.CANCELLED


def test_two_who_submit_the_same_at_once_start_one_job_that_counts(rig: GcpRig, job: Job, ended: Ended) -> None:
    spec = job("print('ran')")
    with ThreadPoolExecutor() as pool, rig.reconnect() as one, rig.reconnect() as two:
        assert list(pool.map(lambda platform: platform.jobs.submit(spec), (one, two))) == [JobRef(spec.name)] * 2
    assert ended(JobRef(spec.name)) is JobState.SUCCEEDED
    assert list(rig.platform.jobs.logs(JobRef(spec.name))) == ["ran"]


def test_of_two_who_look_before_either_creates_one_job_runs_and_none_after_it_is_cancelled(
    rig: GcpRig, job: Job, ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, together = job("import time; time.sleep(600)"), threading.Barrier(2, timeout=60)

    def running() -> list[str]:
        path = f"v1/{rig.clients.parent}/customJobs"
        found = rig.clients.pages("aiplatform", path, "customJobs", filter=whose("rehearsal", STACK))
        return [one["name"] for one in found if f"-{spec.name}-" in one["displayName"] and runs(one)]

    def submit(platform: GcpPlatform) -> JobRef:
        post = platform.clients.post

        def met(service: str, path: str, *given: Any, **more: Any) -> Any:
            if path.endswith("/customJobs"):
                together.wait()
            return post(service, path, *given, **more)

        monkeypatch.setattr(platform.clients, "post", met)
        return platform.jobs.submit(spec)

    with ThreadPoolExecutor() as pool, rig.reconnect() as one, rig.reconnect() as two:
        assert list(pool.map(submit, (one, two))) == [JobRef(spec.name)] * 2  # type: ignore[arg-type]  Google Cloud's
    assert running() == [described(rig, JobRef(spec.name))["name"]]
    rig.platform.jobs.cancel(JobRef(spec.name))
    assert running() == []
    assert ended(JobRef(spec.name)) is JobState.CANCELLED


def test_who_was_killed_beside_another_leaves_no_job_that_runs_on(rig: GcpRig, platform: Platform, job: Job) -> None:
    """Its job bears the word of the attempt, and nobody has written it: the next call of either verb ends it."""
    ref = platform.jobs.submit(spec := job("import time; time.sleep(600)"))
    mine = described(rig, ref)
    body = {key: mine[key] for key in ("displayName", "jobSpec", "labels", "encryptionSpec")}
    for call in (lambda: platform.jobs.submit(spec), lambda: platform.jobs.cancel(ref)):
        twin = rig.clients.post("aiplatform", f"v1/{rig.clients.parent}/customJobs", body)["name"]
        call()
        assert not runs(rig.clients.get("aiplatform", f"v1/{twin}"))
    assert not runs(described(rig, ref))


def over(platform: Platform, ref: JobRef) -> JobState | None:
    state = platform.jobs.state(ref)
    return None if state is JobState.RUNNING else state


def with_source(platform: Platform, other: Platform, spec: JobSpec) -> Platform:
    platform.store.put(spec.source, other.store.get(spec.source))
    return platform


def test_a_job_of_an_earlier_life_of_the_stack_is_none_of_this_one(
    platform: Platform, job: Job, ended: Ended, stack: Stack
) -> None:
    spec = job("print('ran')")
    ref = platform.jobs.submit(spec)
    assert ended(ref) is JobState.SUCCEEDED
    again = with_source(stack(), platform, spec)
    again.jobs.submit(spec)
    assert wait_for(lambda: over(again, ref), "The job", seconds=60, longest=0.2) is JobState.SUCCEEDED
    assert list(again.jobs.logs(ref)) == ["ran"]
    assert described_by(again, ref)["name"] != described_by(platform, ref)["name"]


def test_names_that_say_the_same_with_their_stacks_prefixes_are_two_jobs(
    rig: GcpRig, job: Job, stack: Stack, new_name: Callable[[], str]
) -> None:
    spec, name = job("print('ran')"), new_name()
    one, two = (with_source(stack(name=each, prefix=each), rig.platform, spec) for each in ("loan", "loan-dev"))
    first = one.jobs.submit(spec.model_copy(update={"name": f"dev-{name}"}))
    second = two.jobs.submit(spec.model_copy(update={"name": name}))
    assert described_by(one, first)["name"] != described_by(two, second)["name"]
    for platform, ref in ((one, first), (two, second)):
        state = wait_for(lambda p=platform, r=ref: over(p, r), "The job", seconds=60, longest=0.2)
        assert state is JobState.SUCCEEDED
        assert list(platform.jobs.logs(ref)) == ["ran"]


def test_the_log_has_a_job_s_lines_as_they_were_written(platform: Platform, job: Job, ended: Ended) -> None:
    said = ['{"level": "error", "message": "one"}', "two", "{}"]
    ref = platform.jobs.submit(job(f"print(*{said!r}, sep='\\n')"))
    assert ended(ref) is JobState.SUCCEEDED
    assert list(platform.jobs.logs(ref)) == said


def test_a_job_that_somebody_deleted_has_failed_and_may_be_run_again(
    rig: GcpRig, platform: Platform, job: Job, ended: Ended
) -> None:
    spec = job()
    ref = platform.jobs.submit(spec)
    assert ended(ref) is JobState.SUCCEEDED
    rig.clients.ended(rig.clients.delete("aiplatform", f"v1/{described(rig, ref)['name']}"), "A job")
    assert platform.jobs.state(ref) is JobState.FAILED
    assert list(platform.jobs.logs(ref)) == ["Vertex AI: Somebody deleted it."]
    assert platform.jobs.submit(spec) == ref
    assert ended(ref) is JobState.SUCCEEDED


def test_a_failed_job_tells_its_own_reason_and_vertex_ai_s(platform: Platform, job: Job, ended: Ended) -> None:
    ref = platform.jobs.submit(job("raise SystemExit(3)"))
    assert ended(ref) is JobState.FAILED
    *_, ours, theirs = platform.jobs.logs(ref)
    assert ours == str(JobFailed("The command ended with exit code 3.", "Its log says why."))
    assert theirs.startswith("Vertex AI: The replica workerpool0-0 exited with a non-zero status of")


def test_a_job_of_another_stack_is_not_found(rig: GcpRig, platform: Platform) -> None:
    with pytest.raises(NotFound, match="never submitted"):
        platform.jobs.state(JobRef("nobody-s"))


def test_scoring_goes_on_after_the_last_whole_file_on_another_machine(
    rig: GcpRig, platform: Platform, spec_of: Callable[..., Any], ended: Ended, new_name: Callable[[], str]
) -> None:
    name, [release] = new_name(), spec_of(1).releases
    platform.store.put(f"scoring/{name}/a.csv", b"1,2\n")
    platform.store.put(f"scoring/{name}/b.csv", b"1,2\n" * 600_000)
    spec = ScoringSpec(name=name, release=release, input=f"scoring/{name}", output=f"outputs/{name}")
    ref = platform.jobs.score(spec)
    done = f"scoring/{name}/a.csv: 1 rows done, 0 with an error"
    wait_for(lambda: done in list(platform.jobs.logs(ref)) or None, "The first file", seconds=60, longest=0.05)
    platform.store.put(f"scoring/{name}/b.csv", b"1,2\n")
    rig.fake.interrupt(described(rig, ref)["name"].rpartition("/")[2])
    assert ended(ref) is JobState.SUCCEEDED
    assert list(platform.jobs.logs(ref)).count(done) == 1
    assert len(platform.store.get(f"outputs/{name}/b.csv.out").splitlines()) == 1
