from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from trivet.core.errors import Locked, NotFound
from trivet.core.locks import lock
from trivet.core.refs import JobRef
from trivet.core.specs import JobNative, JobSpec, JobState, LocalJob, WorkflowSpec
from trivet.core.waiting import wait_for
from trivet.platforms.local import jobs
from trivet.platforms.local.runner import Cancellation, Cancelled
from trivet.platforms.local.workflows import LocalWorkflows
from trivet.rehearsal.rigs.local import LocalRig, processes_in

Run = Callable[..., JobRef]
SLEEP = "import time; time.sleep(600)"


@pytest.fixture
def run(rig: LocalRig, packed: Callable[[dict[str, str]], bytes]) -> Run:
    """Submit a job of one line of Python."""

    def submit(code: str, **fields: object) -> JobRef:
        rig.platform.store.put("source.tar.gz", packed({"main.py": code}))
        given = {"name": "job", "source": "source.tar.gz", "command": ("python", "main.py"), "output": "outputs/job"}
        return rig.platform.jobs.submit(JobSpec.model_validate({**given, **fields}))

    return submit


def ended(rig: LocalRig, ref: JobRef) -> JobState:
    def probe() -> JobState | None:
        state = rig.platform.jobs.state(ref)
        return None if state is JobState.RUNNING else state

    return wait_for(probe, "The end of the job", seconds=60, longest=0.1)


def test_a_job_inherits_no_secret_and_no_setting_of_the_shell(
    rig: LocalRig, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("PYTHONHASHSEED", "77")
    monkeypatch.setenv("OMP_NUM_THREADS", "77")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    ref = run("import json, os; print(json.dumps(dict(os.environ)))")
    assert ended(rig, ref) is JobState.SUCCEEDED
    [line] = rig.platform.jobs.logs(ref)
    environment = json.loads(line)
    assert "hunter2" not in line
    assert "77" not in environment.values()
    assert environment["TZ"] == "UTC"


def test_a_job_does_not_end_with_its_starters_session(rig: LocalRig, run: Run) -> None:
    ref = run("import os; print(os.getsid(0), os.getppid(), flush=True)")
    assert ended(rig, ref) is JobState.SUCCEEDED
    session, parent = map(int, next(iter(rig.platform.jobs.logs(ref))).split())
    assert session != os.getsid(0)
    assert parent != os.getpid()


def test_a_job_may_be_nice(rig: LocalRig, run: Run) -> None:
    ref = run("import os; print(os.nice(0))", native=JobNative(local=LocalJob(nice=7)))
    assert ended(rig, ref) is JobState.SUCCEEDED
    assert list(rig.platform.jobs.logs(ref)) == [str(os.nice(0) + 7)]


def test_what_a_job_leaves_running_ends_with_it(rig: LocalRig, run: Run) -> None:
    ref = run("import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])")
    assert ended(rig, ref) is JobState.SUCCEEDED
    wait_for(lambda: not processes_in(rig.root) or None, "The end", seconds=10)


def test_a_job_that_was_killed_by_a_signal_names_it(rig: LocalRig, run: Run) -> None:
    ref = run("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert ended(rig, ref) is JobState.FAILED
    assert "SIGSEGV" in "\n".join(rig.platform.jobs.logs(ref))


@pytest.mark.slow
def test_a_deaf_job_is_cancelled_all_the_same(rig: LocalRig, run: Run) -> None:
    ref = run(f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); {SLEEP}")
    wait_for(lambda: "up" in list(rig.platform.jobs.logs(ref)) or None, "The job", seconds=30)
    [command] = [line.split()[0] for line in processes_in(rig.root) if "main.py" in line]
    process = psutil.Process(int(command))
    rig.platform.jobs.cancel(ref)
    assert not process.is_running()
    assert ended(rig, ref) is JobState.CANCELLED


def test_a_runner_that_dies_has_failed(rig: LocalRig, run: Run) -> None:
    ref = run("import time; print('up', flush=True); time.sleep(600)")
    wait_for(lambda: "up" in list(rig.platform.jobs.logs(ref)) or None, "The job", seconds=30)
    [runner] = [line.split()[0] for line in processes_in(rig.root) if "runner" in line]
    os.kill(int(runner), signal.SIGKILL)
    assert ended(rig, ref) is JobState.FAILED
    wait_for(lambda: not processes_in(rig.root) or None, "The end of its child", seconds=10)


def test_a_link_among_the_outputs_fails_the_job(rig: LocalRig, run: Run) -> None:
    ref = run("import os; os.symlink('/etc/passwd', os.environ['TRIVET_OUTPUT'] + '/stolen')")
    assert ended(rig, ref) is JobState.FAILED
    assert "stolen is a link" in "\n".join(rig.platform.jobs.logs(ref))
    assert list(rig.platform.store.list("outputs")) == []


def test_a_missing_input_fails_the_job_with_its_name(rig: LocalRig, run: Run) -> None:
    ref = run("pass", inputs={"data": "no/such/folder"})
    assert ended(rig, ref) is JobState.FAILED
    assert "no/such/folder" in "\n".join(rig.platform.jobs.logs(ref))


def test_a_program_that_does_not_exist_is_named(rig: LocalRig, run: Run) -> None:
    ref = run("pass", command=("no-such-program",))
    assert ended(rig, ref) is JobState.FAILED
    assert "no-such-program cannot be run" in "\n".join(rig.platform.jobs.logs(ref))


def test_a_job_that_is_being_started_is_locked(rig: LocalRig, run: Run) -> None:
    folder = rig.home / "jobs" / jobs.JOBS / "job"
    with lock(folder / "start.lock", "job"), pytest.raises(Locked, match=rf"process {os.getpid()} "):
        run("pass")


def test_stop_ends_every_job_and_run_of_the_stack(rig: LocalRig, run: Run) -> None:
    ref = run("import time; time.sleep(600)")
    workflow = rig.platform.workflows.apply(WorkflowSpec(name="sleep", command=("python", "-c", SLEEP)))
    rig.platform.workflows.run(workflow)
    jobs.stop(rig.home / "jobs")
    assert rig.platform.jobs.state(ref) is JobState.CANCELLED
    assert [one.state for one in rig.platform.workflows.state(workflow)] == [JobState.CANCELLED]
    assert processes_in(rig.root) == []


def test_a_workflow_runs_in_the_projects_folder_with_trivet_on_its_path(rig: LocalRig) -> None:
    code = "import os, shutil; assert os.path.exists('Pulumi.yaml'); print(os.getcwd())"
    ref = rig.platform.workflows.apply(WorkflowSpec(name="where", command=("python", "-c", code)))
    run = rig.platform.workflows.run(ref)

    def succeeded() -> bool | None:
        return rig.platform.workflows.state(ref)[0].state is JobState.SUCCEEDED or None

    wait_for(succeeded, "The end of the run", seconds=60)
    log = rig.home / "jobs" / jobs.WORKFLOWS / "where" / "runs" / run.id / "log.txt"
    assert log.read_text().strip() == str(rig.root)


def test_a_workflow_is_due_when_its_period_has_passed(rig: LocalRig) -> None:
    workflows = rig.platform.workflows
    assert isinstance(workflows, LocalWorkflows)
    daily = workflows.apply(WorkflowSpec(name="daily", command=("true",), every=timedelta(days=1)))
    by_hand = workflows.apply(WorkflowSpec(name="by-hand", command=("true",)))
    assert workflows.due(daily, datetime.now(UTC))
    assert not workflows.due(by_hand, datetime.now(UTC))
    workflows.run(daily)
    assert not workflows.due(daily, datetime.now(UTC))
    assert workflows.due(daily, datetime.now(UTC) + timedelta(days=1))
    with pytest.raises(NotFound):
        workflows.due(type(daily)("nobody"), datetime.now(UTC))


@pytest.fixture
def cancellation() -> Iterator[Cancellation]:
    before = signal.getsignal(signal.SIGTERM)
    yield Cancellation()
    signal.signal(signal.SIGTERM, before)


def test_a_cancellation_interrupts_the_work(cancellation: Cancellation) -> None:
    with pytest.raises(Cancelled), cancellation:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.sigtimedwait([], 1)


def test_one_that_came_before_the_work_keeps_it_from_beginning(cancellation: Cancellation) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Cancelled), cancellation:
        pytest.fail("the work began")


def test_one_that_comes_after_the_work_changes_nothing(cancellation: Cancellation) -> None:
    with cancellation:
        pass
    os.kill(os.getpid(), signal.SIGTERM)
