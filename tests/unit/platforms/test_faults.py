"""Kill -9 at named points: the next call finishes, and nothing is half there."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from trivet.core.errors import NotFound
from trivet.core.modelpackage import MANIFEST, MODEL, Package
from trivet.core.refs import JobRef
from trivet.core.signing import signer, verify
from trivet.core.specs import EndpointSpec, EndpointStatus, JobSpec, JobState, Release
from trivet.core.waiting import wait_for
from trivet.platforms.local.processes import python_environment
from trivet.platforms.packages import get_package, put_package
from trivet.rehearsal.rigs.local import LocalRig, processes_in
from trivet.rehearsal.rigs.package import make_package

PROGRAM = """
import sys
from pathlib import Path
from trivet.connect import connect
from trivet.core.specs import EndpointSpec, JobSpec

platform, folder, given = connect(root=Path(sys.argv[1])), Path(sys.argv[1], "package"), sys.argv[3]
if sys.argv[2] == "register":
    version = platform.models.register("loan", folder, author="ada", tags={})
    platform.models.tag(version, tags={"a": "1"}, alias="champion")
elif sys.argv[2] == "apply":
    platform.endpoints.apply(EndpointSpec.model_validate_json(given))
else:
    platform.jobs.submit(JobSpec.model_validate_json(given))
"""


def none_left(rig: LocalRig) -> None:
    """Processes that have been told to end, or are about to, have ended."""
    wait_for(lambda: not processes_in(rig.root) or None, "The end of every process", seconds=10)


def call(rig: LocalRig, verb: str, given: str = "", fault: str = "") -> int:
    environment = python_environment(os.environ) | {"TRIVET_FAULT": fault}
    command = [sys.executable, "-c", PROGRAM, str(rig.root), verb, given]
    return subprocess.run(command, env=environment, capture_output=True, timeout=120).returncode


@pytest.mark.slow
def test_register_is_finished_by_the_next_call(rig: LocalRig, tmp_path: Path) -> None:
    digest = make_package(rig.root / "package")
    points = ("files", "stored", "database", "named", "created")
    for point in (*(f"register.{name}" for name in points), "tag.tagged"):
        assert call(rig, "register", fault=point) == -signal.SIGKILL, point
        assert [one.digest for one in rig.platform.models.list()] in ([], [digest]), point
    assert call(rig, "register") == 0
    [version] = rig.platform.models.list()
    assert (version.version, version.digest, version.aliases, version.tags) == (1, digest, ("champion",), {"a": "1"})
    public = rig.platform.outputs.signing.public_key
    verify(get_package(rig.platform.store, digest, tmp_path / "fetched", public), public)
    assert {path.name for path in (rig.home / "registry").iterdir()} == {"registry.db", "registry.lock"}
    with closing(sqlite3.connect(rig.home / "registry" / "registry.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("point", ["folder.fetched", "apply.wanted", "apply.woken"])
def test_apply_is_finished_by_the_next_call(rig: LocalRig, stored: Callable[..., Release], point: str) -> None:
    before, after = (EndpointSpec(name="first", releases=(stored(version),)) for version in (1, 2))
    rig.platform.endpoints.apply(before)
    assert call(rig, "apply", after.model_dump_json(), point) == -signal.SIGKILL
    assert rig.platform.endpoints.state("first").status in (EndpointStatus.READY, EndpointStatus.STARTING)
    state = rig.platform.endpoints.apply(after)
    assert (state.status, state.releases) == (EndpointStatus.READY, after.releases)
    assert len(processes_in(rig.root)) == 2
    folder = rig.home / "endpoints" / "first" / "packages"
    assert [path.name for path in folder.iterdir()] == [after.releases[0].digest.removeprefix("sha256:")]


def test_ctrl_c_in_the_middle_of_apply_is_finished_by_the_next_call(
    rig: LocalRig, stored: Callable[..., Release]
) -> None:
    spec = EndpointSpec(name="first", releases=(stored(),))
    command = [sys.executable, "-c", PROGRAM, str(rig.root), "apply", spec.model_dump_json()]
    with subprocess.Popen(command, env=python_environment(os.environ), stderr=subprocess.PIPE) as process:
        wanted = rig.home / "endpoints" / "first" / "wanted.json"
        wait_for(lambda: wanted.exists() or None, "The wish", seconds=30)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert b"KeyboardInterrupt" in told
    assert rig.platform.endpoints.apply(spec).status is EndpointStatus.READY
    assert len(processes_in(rig.root)) == 2


def test_a_supervisor_that_is_killed_while_it_changes_servers_leaves_no_orphan(
    rig: LocalRig, stored: Callable[..., Release]
) -> None:
    spec = EndpointSpec(name="first", releases=(stored(),))
    assert call(rig, "apply", spec.model_dump_json(), "supervisor.promoted") == 1
    none_left(rig)
    assert rig.platform.endpoints.state("first").status is EndpointStatus.STOPPED
    assert rig.platform.endpoints.apply(spec).status is EndpointStatus.READY
    assert len(processes_in(rig.root)) == 2


@pytest.mark.parametrize("point", ["task.written", "job.prepared", "job.ran", "job.stored"])
def test_submit_is_finished_by_the_next_call(
    rig: LocalRig, packed: Callable[[dict[str, str]], bytes], point: str
) -> None:
    store, jobs = rig.platform.store, rig.platform.jobs
    main = "import os, uuid; open(os.path.join(os.environ['TRIVET_OUTPUT'], uuid.uuid4().hex), 'w')"
    store.put("source.tar.gz", packed({"main.py": main}))
    spec = JobSpec(name="job", source="source.tar.gz", command=("python", "main.py"), output="outputs/job")
    code = call(rig, "submit", spec.model_dump_json(), point)
    if point == "task.written":
        assert code == -signal.SIGKILL
    else:
        assert code == 0
        assert _ended(rig) is JobState.FAILED
    jobs.submit(spec)
    assert _ended(rig) is JobState.SUCCEEDED
    assert len(store.list("outputs/job/")) == 1, "what the killed attempt had stored is gone"
    none_left(rig)


def test_what_a_killed_runner_leaves_running_is_ended_by_the_next_submit(
    rig: LocalRig, packed: Callable[[dict[str, str]], bytes]
) -> None:
    """The kernel ends the runner's child, but not what that child had started."""
    child = "import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"
    rig.platform.store.put("source.tar.gz", packed({"main.py": f"{child}\nprint('up', flush=True)\ntime.sleep(600)"}))
    spec = JobSpec(name="job", source="source.tar.gz", command=("python", "main.py"), output="outputs/job")
    ref = rig.platform.jobs.submit(spec)
    wait_for(lambda: "up" in list(rig.platform.jobs.logs(ref)) or None, "The child", seconds=30)
    [runner] = [line for line in processes_in(rig.root) if "runner" in line]
    os.kill(int(runner.split()[0]), signal.SIGKILL)
    assert _ended(rig) is JobState.FAILED
    rig.platform.jobs.submit(spec.model_copy(update={"command": ("python", "-c", "pass")}))
    assert _ended(rig) is JobState.SUCCEEDED
    none_left(rig)


def test_a_package_that_was_half_stored_is_made_whole(rig: LocalRig, tmp_path: Path) -> None:
    digest = make_package(tmp_path / "package")
    package, key = Package(tmp_path / "package"), (rig.home / "keys" / "signing.pem").read_bytes()
    prefix = put_package(rig.platform.store, package, signer(key))
    rig.platform.store.delete(f"{prefix}/{MANIFEST}")
    rig.platform.store.put(f"{prefix}/{MODEL}", b"torn")
    public = rig.platform.outputs.signing.public_key
    with pytest.raises(NotFound):
        get_package(rig.platform.store, digest, tmp_path / "fetched", public)
    put_package(rig.platform.store, package, signer(key))
    assert get_package(rig.platform.store, digest, tmp_path / "fetched", public).digest == digest


def _ended(rig: LocalRig) -> JobState:
    def probe() -> JobState | None:
        state = rig.platform.jobs.state(JobRef("job"))
        return None if state is JobState.RUNNING else state

    return wait_for(probe, "The end of the job", seconds=60, longest=0.1)
