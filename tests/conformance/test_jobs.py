from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from trivet.core.errors import ConfigError, NotFound, PlatformError
from trivet.core.platform import Platform
from trivet.core.refs import JobRef
from trivet.core.specs import JobSpec, JobState
from trivet.core.waiting import wait_for
from trivet.rehearsal.rigs import Rig

Make = Callable[..., JobSpec]
Ended = Callable[[JobRef], JobState]

COPY = """
import os, pathlib
source = pathlib.Path(os.environ["TRIVET_INPUT"], "data", "deep", "numbers.txt")
target = pathlib.Path(os.environ["TRIVET_OUTPUT"], "deep", "sum.txt")
target.parent.mkdir()
target.write_text(str(sum(map(int, source.read_text().split()))))
print("added")
"""
SLEEP = "import time\nprint('asleep', flush=True)\ntime.sleep(600)"


def test_a_job_turns_inputs_into_outputs(platform: Platform, job: Make, ended: Ended) -> None:
    platform.store.put("numbers/deep/numbers.txt", b"1 2 3")
    spec = job(COPY, inputs={"data": "numbers"})
    ref = platform.jobs.submit(spec)
    assert ended(ref) is JobState.SUCCEEDED
    assert platform.store.get(f"{spec.output}/deep/sum.txt") == b"6"
    assert "added" in list(platform.jobs.logs(ref))


def test_submit_does_not_wait_and_gives_the_job_that_runs(platform: Platform, job: Make, ended: Ended) -> None:
    spec = job(SLEEP)
    ref = platform.jobs.submit(spec)
    assert platform.jobs.state(ref) is JobState.RUNNING
    assert platform.jobs.submit(spec) == ref
    platform.jobs.cancel(ref)
    assert ended(ref) is JobState.CANCELLED


def test_a_job_that_has_succeeded_is_not_run_again(platform: Platform, job: Make, ended: Ended) -> None:
    spec = job("import os, time; open(os.environ['TRIVET_OUTPUT'] + '/time', 'w').write(str(time.time_ns()))")
    assert ended(platform.jobs.submit(spec)) is JobState.SUCCEEDED
    first = platform.store.get(f"{spec.output}/time")
    assert ended(platform.jobs.submit(spec)) is JobState.SUCCEEDED
    assert platform.store.get(f"{spec.output}/time") == first


def test_a_job_that_failed_says_why_and_may_be_run_again(platform: Platform, job: Make, ended: Ended) -> None:
    spec = job("raise SystemExit('no such luck')")
    ref = platform.jobs.submit(spec)
    assert ended(ref) is JobState.FAILED
    assert "no such luck" in "\n".join(platform.jobs.logs(ref))
    assert list(platform.store.list(f"{spec.output}/")) == []
    again = spec.model_copy(update={"command": ("python", "-c", "print('better')")})
    assert ended(platform.jobs.submit(again)) is JobState.SUCCEEDED
    assert list(platform.jobs.logs(ref)) == ["better"]


def test_a_job_has_its_environment_and_reproducible_settings(platform: Platform, job: Make, ended: Ended) -> None:
    names = ("MINE", "PYTHONHASHSEED", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    ref = platform.jobs.submit(job(f"import os; print(*(os.environ[n] for n in {names}))", environment={"MINE": "yes"}))
    assert ended(ref) is JobState.SUCCEEDED
    assert list(platform.jobs.logs(ref)) == ["yes 0 1 1"]


def test_a_job_can_import_trivet(platform: Platform, job: Make, ended: Ended) -> None:
    assert ended(platform.jobs.submit(job("import trivet.core.specs"))) is JobState.SUCCEEDED


def test_a_job_that_takes_too_long_fails(platform: Platform, job: Make, ended: Ended) -> None:
    ref = platform.jobs.submit(job(SLEEP, timeout=timedelta(seconds=1)))
    assert ended(ref) is JobState.FAILED


def test_cancel_ends_everything_that_the_job_started_and_is_idempotent(rig: Rig, job: Make, ended: Ended) -> None:
    platform = rig.platform
    child = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"
    ref = platform.jobs.submit(job(f"{child}\nprint('started', flush=True)\ntime.sleep(600)"))
    wait_for(lambda: "started" in list(platform.jobs.logs(ref)) or None, "The child", seconds=rig.patience)
    platform.jobs.cancel(ref)
    platform.jobs.cancel(ref)
    assert ended(ref) is JobState.CANCELLED


@pytest.mark.parametrize("verb", ["state", "logs", "cancel"])
def test_an_unknown_job_is_not_found(platform: Platform, verb: str) -> None:
    with pytest.raises(NotFound, match="never"):
        list(getattr(platform.jobs, verb)(JobRef("never-submitted")) or [])


def test_a_state_that_is_not_known_raises(rig: Rig, job: Make, ended: Ended) -> None:
    ref = rig.platform.jobs.submit(job("pass"))
    ended(ref)
    rig.force_job_state(ref, "levitating")
    with pytest.raises(PlatformError, match="levitating"):
        rig.platform.jobs.state(ref)


@pytest.mark.parametrize(
    "fields",
    [
        {"output": "../outside"},
        {"source": "/absolute"},
        {"inputs": {"data": "a//b"}},
        {"inputs": {"../data": "a"}},
        {"inputs": {"a/b": "a"}},
    ],
    ids=str,
)
def test_places_that_are_no_keys_are_refused_at_once(platform: Platform, job: Make, fields: dict[str, object]) -> None:
    spec = job("pass", **fields)
    with pytest.raises(ConfigError):
        platform.jobs.submit(spec)
    with pytest.raises(NotFound):
        platform.jobs.state(JobRef(spec.name))


def test_a_source_that_is_missing_or_broken_fails_the_job(platform: Platform, job: Make, ended: Ended) -> None:
    for source in (None, b"no archive"):
        spec = job("pass")
        if source is None:
            platform.store.delete(spec.source)
        else:
            platform.store.put(spec.source, source)
        assert ended(platform.jobs.submit(spec)) is JobState.FAILED
