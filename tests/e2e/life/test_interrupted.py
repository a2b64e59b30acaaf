"""Kill -9 at every named point, Ctrl-C and a second writer: the next call finishes, and what is there is whole.

One stack lives through all of it, in the order of the tests.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from trivet.core.waiting import wait_for

pytestmark = pytest.mark.slow

KILLED = -signal.SIGKILL
FAILED, INTERRUPTED, LOCKED, NOT_READY = 8, 130, 6, 9

UP = ("engine.saved", "engine.put:2", *(f"engine.creating.{when}:{n}" for n in (1, 3) for when in ("begun", "done")))
DESTROY = tuple(f"engine.deleting.{when}:{n}" for n in (1, 3) for when in ("begun", "done"))

# In the order in which a first run passes them. job.ran kills the job, and the command tells of it.
TRAIN = {
    "run.snapshot": KILLED,
    "task.written": KILLED,
    "job.ran": FAILED,
    "run.submitted": KILLED,
    "ledger-committed": KILLED,
    "run.judged-candidate": KILLED,
}
REGISTER = {
    "run.judged": KILLED,
    "register.files": KILLED,
    "register.stored": KILLED,
    "register.database": KILLED,
    "register.named": KILLED,
    "register.created": KILLED,
    "run.registered": KILLED,
    "ledger-committed": KILLED,  # of the approval
    "run.approved": KILLED,
}
DEPLOY = {
    "deploy.begun": KILLED,
    "folder.fetched": KILLED,
    "apply.wanted": KILLED,
    "apply.woken": KILLED,
    "supervisor.promoted": NOT_READY,
    "deploy.applied": KILLED,
    "tag.tagged": KILLED,
}


@pytest.fixture(scope="module")
def project(checkout) -> Path:
    """The example with one candidate: it is trained several times."""
    folder = checkout.root / "examples" / "loan_approval"
    settings = yaml.safe_load((folder / "trivet.yaml").read_text())
    (folder / "trivet.yaml").write_text(yaml.safe_dump({**settings, "variants": {}}))
    return folder


def databases(home: Path) -> list[Path]:
    """Every database below a folder in which a job may still work: what it removes meanwhile is none."""
    return [Path(folder, name) for folder, _, names in os.walk(home) for name in names if name.endswith(".db")]


def whole(checkout) -> None:
    """Databases that can be read, a ledger that an auditor calls sound, and no version but the one."""
    for path in databases(checkout.home()):
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",), path
    assert set(checkout.versions()) <= {"loan/1"}
    ledger, anchors = checkout.home() / "database" / "ledger.db", checkout.home() / "store" / "ledger" / "anchors"
    if anchors.exists():
        command = (sys.executable, "-I", "tools/verify_ledger.py", ledger, anchors)
        ran = subprocess.run(command, cwd=checkout.root, capture_output=True, text=True)
        assert ran.stdout.startswith("sound: "), ran


def dies(checkout, point: str, code: int, *command: object) -> None:
    """Call with the fault at ``point``, which must be reached."""
    ran = checkout.trivet(*command, expect=None, TRIVET_FAULT=point)
    assert ran.code == code, (point, ran)
    assert "Traceback" not in ran.stderr


@contextmanager
def standing_still(checkout, lock: Path, *command: object) -> Iterator[subprocess.Popen[str]]:
    """A command that has taken its lock and stands still for the block; after it, it goes on to its end."""
    process = checkout.start(*command)

    def has_it() -> bool | None:
        try:
            return json.loads(lock.read_text())["pid"] == process.pid or None
        except (OSError, ValueError):
            return None

    wait_for(has_it, f"The lock of {command}", seconds=60, longest=0.02)
    process.send_signal(signal.SIGSTOP)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told


def test_up_finishes_whatever_it_died_at(checkout, project) -> None:
    for point in UP:
        dies(checkout, point, KILLED, "up", project)
    last = checkout.trivet("up", project, "--json").json
    assert last["changes"].keys() <= {"create", "same"}
    assert checkout.trivet("up", project, "--json").json["changes"].keys() == {"same"}
    assert list(last["outputs"]["endpoints"]) == ["loan"]


def test_a_second_up_is_told_who_is_at_it(checkout, project) -> None:
    lock = checkout.root / ".trivet/.pulumi/stacks/trivet/local.lock"
    with standing_still(checkout, lock, "up", project) as first:
        ran = checkout.trivet("up", project, expect=LOCKED)
    assert f"process {first.pid} " in ran.stderr


def test_after_ctrl_c_destroy_ends_what_still_runs(checkout, project) -> None:
    process = checkout.start("run", project)
    wait_for(lambda: checkout.jobs() or None, "The job", seconds=60)
    [job] = checkout.jobs()
    state = checkout.home() / "jobs" / "jobs" / job / "state.json"
    wait_for(lambda: state.exists() or None, "The job's process", seconds=60)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED, told
    assert told.splitlines()[-1] == "Interrupted; the same command goes on from here."
    checkout.trivet("destroy", "--yes")
    assert checkout.processes() == []
    assert not checkout.home().exists()
    checkout.trivet("up", project)


def test_run_finishes_whatever_it_died_at(checkout, project) -> None:
    for point, code in {**TRAIN, **REGISTER}.items():
        assert checkout.versions() == {} or point in REGISTER
        dies(checkout, point, code, "run", project)
        whole(checkout)
    assert checkout.versions().keys() == {"loan/1"}
    assert len(checkout.jobs()) == 1


def test_deploy_finishes_whatever_it_died_at(checkout, project) -> None:
    for point, code in DEPLOY.items():
        checkout.end()  # no server runs, as after a reboot
        dies(checkout, point, code, "deploy", "loan/1")
        whole(checkout)
    checkout.trivet("deploy", "loan/1")


def test_a_second_run_is_told_who_is_at_it(checkout, project) -> None:
    with standing_still(checkout, checkout.home() / "locks" / "run-loan.lock", "run", project) as first:
        ran = checkout.trivet("run", project, expect=LOCKED)
    assert f"model loan is locked by process {first.pid} " in ran.stderr


def test_in_the_end_there_is_one_of_each(checkout, project) -> None:
    report = checkout.trivet("run", project, "--json").json
    assert report["outcome"] == "released"
    assert checkout.champion() == "loan/1"
    assert len(checkout.jobs()) == 1
    assert httpx.get(f"{report['endpoint']['url']}/v2/models/loan/ready").status_code == 200
    kinds = [entry["kind"] for entry in checkout.ledger()]
    assert sorted(set(kinds)) == ["approval", "dataset", "gate", "registered", "release", "run"]
    assert len(kinds) == 6
    supervisors = [one for one in checkout.processes() if "trivet.platforms.local.supervisor" in one.info["cmdline"]]
    assert len(supervisors) == 1
    checkout.trivet("ledger", "verify")


def test_destroy_finishes_whatever_it_died_at(checkout, project) -> None:
    for point in DESTROY:
        dies(checkout, point, KILLED, "destroy", "--yes")
    checkout.trivet("destroy", "--yes")
    assert checkout.processes() == []
    assert not checkout.home().exists()
    assert checkout.trivet("status", expect=NOT_READY).stderr.startswith("Error: The stack local has no outputs yet.")
