"""A file in, a file of answers out: the verb of a user."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trivet import api
from trivet.core.errors import ConfigError, ExitCode, GateRefused, JobFailed, NotFound
from trivet.core.files import write_atomic
from trivet.core.layout import OUTPUTS_FILE
from trivet.core.outputs import Outputs
from trivet.core.refs import JobRef
from trivet.core.specs import Approval, JobState, ModelVersion
from trivet.core.waiting import wait_for
from trivet.governance.ledger import Entry
from trivet.platforms.local.processes import python_environment
from trivet.rehearsal.rigs.local import LocalRig
from trivet.rehearsal.rigs.package import make_package, score
from trivet.workflows import score as workflow
from trivet.workflows.actors import current_actor
from trivet.workflows.bench import workbench
from trivet.workflows.watch import verify_ledger

pytestmark = pytest.mark.slow

TABLE = 'who,income,amount\nann,50,100\nbob,much,100\n"c\nd",80,20\neve,1,2,3\n'


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRig]:
    with LocalRig(tmp_path_factory.mktemp("project")) as ready:
        make_package(ready.root / "package", intercept=0.5)
        ready.platform.models.register("loan", ready.root / "package", author="ada", tags={})
        yield ready


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text(TABLE)
    return path


def approved(rig: LocalRig, status: str, intercept: float) -> ModelVersion:
    folder = rig.root / f"package-{intercept}"
    make_package(folder, intercept=intercept)
    version = rig.platform.models.register("loan", folder, author="ada", tags={})
    approval = Approval(actor="bob", status=status, reason="so it is", identity="a test", time=datetime.now(UTC))
    return rig.platform.models.tag(version, approval=approval)


def test_each_row_of_a_table_has_its_answer_in_its_place(rig: LocalRig, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    scored = api.score("loan/1", table, out, root=rig.root)
    assert (scored.model, scored.rows, scored.errors) == ("loan/1", 4, 2)
    ann, bob, third, eve = map(json.loads, out.read_text().splitlines())
    assert ann["score"] == pytest.approx(score({"amount": 100, "income": 50}, 0.5), abs=1e-6)
    assert third["score"] == pytest.approx(score({"amount": 20, "income": 80}, 0.5), abs=1e-6)
    assert (ann["model_version"], ann["package"]) == ("1", scored.digest)
    assert "numbers only" in bob["error"]
    assert "beyond the last column" in eve["error"]


def test_answers_may_be_a_table_and_the_same_file_can_be_scored_again(
    rig: LocalRig, table: Path, tmp_path: Path
) -> None:
    lines, answers = tmp_path / "out.jsonl", tmp_path / "out.csv"
    first = api.score("loan/1", table, lines, root=rig.root)
    assert api.score("loan/1", table, answers, root=rig.root).job != first.job
    with answers.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["decision"] for row in rows] == ["approve", "", "approve", ""]
    assert [json.loads(line).get("error", "") for line in lines.read_text().splitlines()] == [
        row["error"] for row in rows
    ]


def test_neither_rows_nor_answers_stay_in_the_store(rig: LocalRig, table: Path, tmp_path: Path) -> None:
    before = stored(rig)
    job = api.score("loan/1", table, tmp_path / "out.csv", root=rig.root).job
    assert stored(rig) == before
    assert not (rig.home / "jobs" / "jobs" / job / "package").exists()


def test_a_package_under_another_name_gives_answers_of_that_name(rig: LocalRig, table: Path, tmp_path: Path) -> None:
    other = rig.platform.models.register("credit", rig.root / "package", author="ada", tags={})
    assert other.digest == rig.platform.models.get("loan/1").digest
    with pytest.raises(subprocess.CalledProcessError):  # what it leaves, the other must not take for its own
        scored_until(rig, "score.written", "loan/1", table, tmp_path / "out.jsonl")
    for version in (str(other), "loan/1"):
        api.score(version, table, tmp_path / "out.jsonl", root=rig.root)
        first = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
        assert f"{first['model_name']}/{first['model_version']}" == version


def test_a_call_that_was_killed_is_finished_by_the_next_and_on_the_ledger_once(
    rig: LocalRig, table: Path, tmp_path: Path
) -> None:
    before, noted = stored(rig), len(scorings(rig))
    with pytest.raises(subprocess.CalledProcessError):
        scored_until(rig, "score.written", "loan/1", table, tmp_path / "out.jsonl")
    assert len(stored(rig) - before) == 2
    scored = api.score("loan/1", table, tmp_path / "out.jsonl", root=rig.root)
    assert stored(rig) == before
    [entry] = scorings(rig)[noted:]
    assert (entry.actor, entry.subject, entry.body["job"]) == (current_actor().name, "loan/1", scored.job)
    assert (entry.body["digest"], entry.body["count"], entry.body["errors"]) == (scored.digest, 4, 2)
    assert str(entry.body["rows"]).startswith("sha256:")
    with workbench(rig.root, "local") as bench:
        assert verify_ledger(bench).sound


def test_a_file_is_scored_again_when_somebody_took_its_answers_away(rig: LocalRig, table: Path, tmp_path: Path) -> None:
    before = stored(rig)
    with pytest.raises(subprocess.CalledProcessError):
        scored_until(rig, "score.written", "loan/1", table, tmp_path / "out.jsonl")
    [answers] = [key for key in stored(rig) - before if key.startswith("outputs/")]
    rig.platform.store.delete(answers)
    assert api.score("loan/1", table, tmp_path / "out.csv", root=rig.root).rows == 4
    assert stored(rig) == before


def test_a_job_that_does_not_end_in_its_time_is_cancelled(
    rig: LocalRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rows.csv").write_text("amount,income\n" + "100,51\n" * 20_000)
    before = stored(rig)
    with monkeypatch.context() as patch, pytest.raises(JobFailed, match="not ended after 0 minutes and was cancelled"):
        patch.setattr(workflow, "GRACE", timedelta(hours=-1))
        api.score("loan/1", tmp_path / "rows.csv", tmp_path / "out.csv", root=rig.root)
    [key] = stored(rig) - before
    job = key.split("/")[1]
    assert rig.platform.jobs.state(JobRef(job)) is JobState.CANCELLED
    assert api.score("loan/1", tmp_path / "rows.csv", tmp_path / "out.csv", root=rig.root).job == job
    assert stored(rig) == before


def stored(rig: LocalRig) -> set[str]:
    """What a scoring may leave."""
    return {key for prefix in ("scoring/", "outputs/") for key in rig.platform.store.list(prefix)}


def scorings(rig: LocalRig) -> list[Entry]:
    with workbench(rig.root, "local") as bench:
        return list(bench.ledger.entries("scoring"))


def scored_until(rig: LocalRig, point: str, model: str, source: Path, out: Path) -> None:
    """Score in a process that dies at a point."""
    arguments = ["score", model, "--input", str(source), "--output", str(out)]
    environment = python_environment(dict(os.environ)) | {"TRIVET_FAULT": point}
    command = [sys.executable, "-m", "trivet", *arguments]
    subprocess.run(command, cwd=rig.root, env=environment, capture_output=True, check=True)


def test_lines_that_are_no_rows_are_answered_too(rig: LocalRig, tmp_path: Path) -> None:
    source, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    source.write_text(
        '{"amount": 1, "income": 2, "who": 3}\n\n[1, 2]\n{"amount"\n{"amount": 1, "amount": 2, "income": 2}\n'
    )
    assert api.score("loan/1", source, out, root=rig.root).errors == 2
    first, second, *wrong = map(json.loads, out.read_text().splitlines())
    assert first == second
    assert ["no JSON" in wrong[0]["error"], "twice" in wrong[1]["error"]] == [True, True]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("rows.csv", "", "lacks amount, income"),
        ("rows.csv", "amount,income\n", "rows.csv has no rows"),
        ("rows.csv", "amount\n1\n", "lacks income"),
        ("rows.jsonl", "amount,income\n", "no JSON"),
        ("rows.jsonl", '{"amount": 1}', "lacks income"),
        ("rows.jsonl", "7", "neither an object nor an array"),
        ("rows.parquet", "PAR1", "rows.parquet cannot be read"),
        ("rows.csv", "amount,income,amount\n1,2,3\n", "Line 1 names amount twice"),
        ("rows.jsonl", '{"amount": 1, "income": 2}\n' + "[" * 200_000, "Line 2 is nested too deeply"),
        ("rows.jsonl", '{"amount": 1, "income": 2}\n' + "1" * (1 << 20), "Line 2 has more than 1048575 bytes"),
    ],
)
def test_a_file_that_cannot_be_scored_is_refused_before_anything_is_started(
    rig: LocalRig, tmp_path: Path, name: str, text: str, sentence: str
) -> None:
    (tmp_path / name).write_text(text)
    before, there = set((rig.home / "jobs").rglob("task.json")), stored(rig)
    with pytest.raises(ConfigError, match=sentence):
        api.score("loan/1", tmp_path / name, tmp_path / "out.csv", root=rig.root)
    assert set((rig.home / "jobs").rglob("task.json")) == before
    assert stored(rig) == there
    assert {path.name for path in tmp_path.iterdir()} == {name}


def test_an_unknown_model_option_or_place_is_named(rig: LocalRig, table: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="loan/99"):
        api.score("loan/99", table, tmp_path / "out.csv", root=rig.root)
    with pytest.raises(ConfigError, match="instance_type"):
        api.score("loan/1", table, tmp_path / "out.csv", root=rig.root, native={"instance_type": "ml.m5.large"})
    with pytest.raises(ConfigError, match=r"out\.txt"):
        api.score("loan/1", table, tmp_path / "out.txt", root=rig.root)
    for verb in (api.predict_file, lambda *files, **where: api.score("loan/1", *files, **where)):
        with pytest.raises(ConfigError, match="would replace the rows"):
            verb(table, table, root=rig.root)
    assert table.read_text() == TABLE


def test_only_an_approved_version_scores_where_approval_counts(rig: LocalRig, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    rejected, good = approved(rig, "rejected", 0.7), approved(rig, "approved", 0.8)
    with pytest.raises(GateRefused, match="rejected"):
        api.score(str(rejected), table, out, root=rig.root)
    outputs = Outputs.read(rig.home / OUTPUTS_FILE).model_copy(update={"environment": "prod"})
    prod = tmp_path / "prod.json"
    write_atomic(prod, outputs.model_dump_json())
    with pytest.raises(GateRefused, match="loan/1 is not approved, which prod asks for"):
        api.score("loan/1", table, out, root=rig.root, outputs=prod)
    assert api.score(str(good), table, out, root=rig.root, outputs=prod).model == str(good)


def test_a_job_that_fails_says_why_and_leaves_no_answers(rig: LocalRig, tmp_path: Path) -> None:
    make_package(rig.root / "wrong", golden_error=0.1)
    wrong = rig.platform.models.register("loan", rig.root / "wrong", author="ada", tags={})
    (tmp_path / "rows.csv").write_text("amount,income\n1,2\n")
    with pytest.raises(JobFailed, match="its golden request with another score"):
        api.score(str(wrong), tmp_path / "rows.csv", tmp_path / "out.csv", root=rig.root)
    assert not (tmp_path / "out.csv").exists()


def test_an_interrupted_command_cancels_its_job_and_goes_on_when_it_is_called_again(
    rig: LocalRig, tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text("amount,income\n" + "100,50\n" * 150_000)
    arguments = ["score", "loan/1", "--input", str(tmp_path / "rows.csv"), "--output", str(tmp_path / "out.jsonl")]
    command = [sys.executable, "-m", "trivet", *arguments]
    environment = python_environment(dict(os.environ))
    process = subprocess.Popen(command, cwd=rig.root, env=environment, stderr=subprocess.PIPE, text=True)
    jobs = rig.home / "jobs" / "jobs"
    [checkpoint] = wait_for(lambda: unfinished(jobs) or None, "Some rows", seconds=60, longest=0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED, said
    ref = JobRef(checkpoint.parent.name)
    assert rig.platform.jobs.state(ref) is JobState.CANCELLED
    done = subprocess.run([*command, "--json"], cwd=rig.root, env=environment, capture_output=True, text=True)
    assert done.returncode == ExitCode.OK, done.stderr
    assert json.loads(done.stdout)["rows"] == 150_000
    assert any("goes on" in line for line in rig.platform.jobs.logs(ref))
    assert len(set((tmp_path / "out.jsonl").read_text().splitlines())) == 1


def unfinished(jobs: Path) -> list[Path]:
    """Checkpoints of jobs that are in the middle of a file."""
    return [path for path in jobs.glob("*/checkpoint.json") if json.loads(path.read_text())["rows"]]
