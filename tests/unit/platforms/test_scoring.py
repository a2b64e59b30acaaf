"""Batch scoring on this machine: what it takes, and where it goes on when it was ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from trivet.core.files import write_atomic
from trivet.core.refs import JobRef
from trivet.core.specs import JobState, Release, ScoringSpec
from trivet.core.waiting import wait_for
from trivet.platforms.local.jobs import JOBS, SCORER
from trivet.platforms.local.processes import python_environment
from trivet.rehearsal.rigs.local import LocalRig, processes_in

CELLS = "".join(f"{10 * number},{7 * (number % 13)}\n" for number in range(100)).encode()
UPLOADED = 80  # MB that obstore has on their way at once, at most: 12 parts of 5 MiB, and some
MANY = 3000  # times that makes 300000 rows, which is many chunks


@pytest.fixture
def spec(rig: LocalRig, stored: Callable[..., Release]) -> ScoringSpec:
    rig.platform.store.put("scoring/a/small.csv", CELLS)
    return ScoringSpec(name="a", release=stored(), input="scoring/a", output="outputs/a")


def ended(rig: LocalRig, ref: JobRef) -> JobState:
    def probe() -> JobState | None:
        state = rig.platform.jobs.state(ref)
        return None if state is JobState.RUNNING else state

    return wait_for(probe, "The end of the job", seconds=120, longest=0.1)


def killed_on_its_way(rig: LocalRig, spec: ScoringSpec, least: int = 1) -> int:
    """Score, and kill what does it once some rows of a file are answered; how many that were."""
    ref = rig.platform.jobs.score(spec)
    checkpoint = rig.home / "jobs" / JOBS / ref.id / "checkpoint.json"
    wait_for(lambda: _rows(checkpoint) >= least or None, "Some rows", seconds=60, longest=0.02)
    for line in processes_in(rig.root):
        if "runner" in line:
            os.kill(int(line.split()[0]), signal.SIGKILL)
    assert ended(rig, ref) is JobState.FAILED
    wait_for(lambda: not processes_in(rig.root) or None, "The end of all of it", seconds=10)
    return _rows(checkpoint)


def _rows(checkpoint: Path) -> int:
    return json.loads(checkpoint.read_text())["rows"] if checkpoint.exists() else 0


def test_a_job_that_was_killed_goes_on_after_its_last_complete_chunk(rig: LocalRig, spec: ScoringSpec) -> None:
    rig.platform.store.put("scoring/a/many.csv", CELLS * MANY)
    rows = killed_on_its_way(rig, spec)
    assert 0 < rows < MANY * 100
    ref = rig.platform.jobs.score(spec)
    assert ended(rig, ref) is JobState.SUCCEEDED
    assert f"scoring/a/many.csv: {rows} rows goes on, 0 with an error" in list(rig.platform.jobs.logs(ref))
    once = rig.platform.store.get("outputs/a/small.csv.out")
    assert rig.platform.store.get("outputs/a/many.csv.out") == once * MANY
    assert not (rig.home / "jobs" / JOBS / "a" / "answers.part").exists()


def test_a_file_that_has_changed_since_is_begun_afresh(rig: LocalRig, spec: ScoringSpec) -> None:
    rig.platform.store.put("scoring/a/many.csv", CELLS * MANY)
    killed_on_its_way(rig, spec)
    rig.platform.store.put("scoring/a/many.csv", CELLS[: len(CELLS) // 2] + b"x" + CELLS * MANY)
    ref = rig.platform.jobs.score(spec)
    assert ended(rig, ref) is JobState.SUCCEEDED
    answers = rig.platform.store.get("outputs/a/many.csv.out")
    assert answers.endswith(rig.platform.store.get("outputs/a/small.csv.out"))
    assert answers.count(b"\n") == MANY * 100 + CELLS[: len(CELLS) // 2].count(b"\n")
    assert answers.count(b'"error"') == 1


def test_files_that_changed_or_went_after_they_were_answered_keep_no_old_answers(
    rig: LocalRig, spec: ScoringSpec
) -> None:
    store = rig.platform.store
    for name in ("a", "b", "c"):
        store.put(f"scoring/a/{name}.csv", CELLS)
    store.put("scoring/a/many.csv", CELLS * MANY)
    killed_on_its_way(rig, spec, least=CELLS.count(b"\n") + 1)  # which only the last file has
    same = store.get("outputs/a/a.csv.out")
    store.put("scoring/a/b.csv", b"1,1\n")
    store.delete("scoring/a/c.csv")
    ref = rig.platform.jobs.score(spec)
    assert ended(rig, ref) is JobState.SUCCEEDED
    assert not any("/a.csv" in line for line in rig.platform.jobs.logs(ref))  # which was not answered again
    assert store.get("outputs/a/a.csv.out") == same
    assert store.get("outputs/a/b.csv.out").count(b"\n") == 1
    assert store.list("outputs/a/c.csv") == []


def test_another_task_under_the_name_of_one_that_failed_keeps_nothing_of_it(
    rig: LocalRig, spec: ScoringSpec, stored: Callable[..., Release]
) -> None:
    rig.platform.store.put("scoring/a/a.csv", CELLS)
    rig.platform.store.put("scoring/a/many.csv", CELLS * MANY)
    ref = rig.platform.jobs.score(spec)
    wait_for(lambda: rig.platform.store.list("outputs/a/") or None, "The first file", seconds=60)
    rig.platform.jobs.cancel(ref)
    rig.platform.store.put("scoring/b/b.csv", CELLS)
    other = spec.model_copy(update={"release": stored(2), "input": "scoring/b"})
    assert ended(rig, rig.platform.jobs.score(other)) is JobState.SUCCEEDED
    assert rig.platform.store.list("outputs/a/") == ["outputs/a/b.csv.out"]
    assert other.release.digest.encode() in rig.platform.store.get("outputs/a/b.csv.out")


def test_a_line_that_is_too_long_fails_the_job_with_its_file(rig: LocalRig, spec: ScoringSpec) -> None:
    rig.platform.store.put("scoring/a/small.csv", CELLS + b"1" * (2 << 20))
    ref = rig.platform.jobs.score(spec)
    assert ended(rig, ref) is JobState.FAILED
    assert "scoring/a/small.csv has a line of more than 1048576 bytes" in "\n".join(rig.platform.jobs.logs(ref))


def test_what_scores_serves_only_what_the_stack_has_signed(rig: LocalRig, spec: ScoringSpec) -> None:
    key = f"packages/{spec.release.digest.removeprefix('sha256:')}/model.onnx"
    write_atomic(rig.home / "store" / key, b"another model")
    ref = rig.platform.jobs.score(spec)
    assert ended(rig, ref) is JobState.FAILED
    assert "model.onnx" in "\n".join(rig.platform.jobs.logs(ref))


def test_the_memory_does_not_grow_with_the_rows(
    rig: LocalRig, spec: ScoringSpec, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    peaks = []
    for times in (200, 10_000):
        rig.platform.store.put("scoring/a/small.csv", CELLS * times)
        peaks.append(peak_megabytes(rig, spec, tmp_path / str(times)))
        assert f"{times * 100} rows done, 0 with an error" in capfd.readouterr().out
    answers = rig.platform.store.get("outputs/a/small.csv.out")
    assert len(answers) > 160e6
    assert peaks[1] - peaks[0] < UPLOADED, peaks


def peak_megabytes(rig: LocalRig, spec: ScoringSpec, folder: Path) -> float:
    """What the job's own process had in the memory at most, run by hand in a folder of its own."""
    folder.mkdir()
    task = rig.platform.jobs._scoring(spec)  # type: ignore[attr-defined]  what it would run
    environment = python_environment(task.environment)
    peak = 0
    with subprocess.Popen([sys.executable, *SCORER[1:]], cwd=folder, env=environment) as process:
        while process.poll() is None:
            peak = max(peak, peak_kilobytes(process.pid))
            time.sleep(0.01)
    assert process.returncode == 0
    return peak / 1024


def peak_kilobytes(pid: int) -> int:
    """Of its own program, which what ``wait4`` says is not: that counts what forked it as well."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
