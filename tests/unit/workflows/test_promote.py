"""A version goes from one stack to another: what travels, what is refused, and what a killed call leaves."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from trivet import api
from trivet.core.errors import ConfigError, ExitCode, GateRefused, IntegrityError
from trivet.core.findings import Verdict
from trivet.core.modelpackage import MODEL, package_key
from trivet.core.specs import Approval, ModelVersion
from trivet.governance.approval import Person
from trivet.platforms.local.processes import python_environment
from trivet.platforms.packages import get_package
from trivet.rehearsal.rigs.judged import BEN, judgement
from trivet.rehearsal.rigs.package import make_package
from trivet.workflows import release
from trivet.workflows.bench import workbench
from trivet.workflows.promote import FOLDER
from trivet.workflows.watch import verify_ledger

from .conftest import Two

pytestmark = pytest.mark.slow

Stacks = Callable[..., Two]


def test_the_same_bytes_arrive_with_author_approval_gate_and_evidence(stacks: Stacks, tmp_path: Path) -> None:
    two = stacks()
    version = two.judged()
    done = api.promote("loan/1", "one", "other", root=two.root)
    there = done.version
    assert (there.digest, there.author, there.tags) == (version.digest, version.author, version.tags)
    assert there.approval and version.approval
    assert (there.approval.actor, there.approval.reason) == (version.approval.actor, version.approval.reason)
    assert there.approval.identity.startswith(version.approval.identity)
    assert "as rehearsal/one (key " in there.approval.identity and "not verified here" in there.approval.identity
    assert done.waits == "" and there.aliases == ()
    platform = two.other.platform
    get_package(platform.store, version.digest, tmp_path / "got", platform.outputs.signing.public_key)
    with workbench(two.root, "one") as source, workbench(two.root, "other") as target:
        assert release.read_judged(target, there) == release.read_judged(source, version)
        [entry] = target.ledger.entries("promoted", version.digest)
        known = {one.hash for one in source.ledger.entries()}
        assert [one["kind"] for one in entry.body["ledger"]] == ["registered", "approval"]
        assert [one.kind for one in target.ledger.entries()] == ["promoted", "registered", "approval"]
        assert {one.actor for one in target.ledger.entries()} == {target.actor.name}
        assert {one["hash"] for one in entry.body["ledger"]} <= known
        assert verify_ledger(target).sound
    assert api.deploy("loan/1", "other", root=two.root).releases[0].digest == version.digest


def test_twice_is_once(stacks: Stacks) -> None:
    two = stacks()
    two.judged()
    first = api.promote("loan/1", "one", "other", root=two.root)
    before = list(two.bench("other").ledger.export())
    assert api.promote("loan/1", "one", "other", root=two.root) == first
    assert list(two.bench("other").ledger.export()) == before
    assert len(two.other.platform.models.list("loan")) == 1
    assert not list((two.other.home / FOLDER).iterdir())


@pytest.mark.parametrize("point", ["promote.fetched", "promote.judged", "register.files", "promote.registered"])
def test_a_call_that_was_killed_is_finished_by_the_next(stacks: Stacks, point: str) -> None:
    two = stacks()
    version = two.judged()
    command = [
        sys.executable,
        "-m",
        "trivet",
        "models",
        "promote",
        "loan/1",
        "--from",
        "one",
        "--to",
        "other",
        "--json",
    ]
    environment = python_environment(dict(os.environ))
    killed = subprocess.run(command, cwd=two.root, env=environment | {"TRIVET_FAULT": point}, capture_output=True)
    assert killed.returncode == -9
    done = subprocess.run(command, cwd=two.root, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["version"]["digest"], told["version"]["approval"]["actor"]) == (version.digest, BEN.name)
    assert [one.digest for one in two.other.platform.models.list("loan")] == [version.digest]
    assert len(list(two.bench("other").ledger.entries("promoted"))) == 1
    assert not list((two.other.home / FOLDER).iterdir())


def test_a_package_that_was_tampered_with_is_refused(stacks: Stacks) -> None:
    two = stacks()
    version = two.judged()
    path = two.one.home / "store" / package_key(version.digest) / MODEL
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    with pytest.raises(IntegrityError) as refused:
        api.promote("loan/1", "one", "other", root=two.root)
    assert refused.value.exit_code is ExitCode.CONFIG
    assert two.other.platform.models.list() == []


def test_a_package_that_another_key_signed_is_refused(stacks: Stacks) -> None:
    two = stacks()
    version = two.judged()
    theirs = two.judged("other", number=0)
    assert theirs.digest == version.digest
    prefix = package_key(version.digest)
    mine, other = (rig.home / "store" / prefix / "manifest.sig" for rig in (two.one, two.other))
    mine.chmod(0o644)
    mine.write_bytes(other.read_bytes())
    with pytest.raises(IntegrityError, match="signature"):
        api.promote("loan/1", "one", "other", root=two.root)


def forged_verdict(two: Two, version: ModelVersion) -> None:
    overwrite(two, release.judged_key(version.digest), judgement(Verdict.PASS).canonical())


def forged_evaluation(two: Two, version: ModelVersion) -> None:
    """So that files of another's would be copied over the target's own."""
    judged = judgement(Verdict.INCONCLUSIVE).model_copy(update={"evaluation": "registry/loan/approvals"})
    overwrite(two, release.judged_key(version.digest), judged.canonical())


def forged_approval(two: Two, version: ModelVersion) -> None:
    forged = Approval(actor="eve", status="approved", reason="I say so", identity="none", time=version.created)
    two.one.platform.models.tag(version, approval=forged)


def forged_author(two: Two, version: ModelVersion) -> None:
    """So that who made it may approve it elsewhere."""
    change_tag(two, version, "trivet.author", "bob")


def forged_tags(two: Two, version: ModelVersion) -> None:
    two.one.platform.models.tag(version, tags={"snapshot": "another"})


def forged_ledger(two: Two, version: ModelVersion) -> None:
    database(two).execute("UPDATE entries SET actor = 'eve' WHERE seq = 2").connection.commit()


def erased_decision(two: Two, version: ModelVersion) -> None:
    """Somebody rejected it, and the registry forgot."""
    with workbench(two.root, "one") as bench:
        body = {"digest": version.digest, "status": "rejected", "actor": "ben", "reason": "no good", "identity": "his"}
        bench.ledger.append("approval", "ben", str(version), body)


FORGERIES = {
    forged_verdict: "does not hold the registration",
    forged_evaluation: "does not hold the registration",
    forged_approval: "does not hold the approval",
    forged_author: "does not hold the registration",
    forged_tags: "does not hold the registration",
    forged_ledger: "is not sound",
    erased_decision: "does not hold the approval",
}


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_what_the_ledger_does_not_say_goes_nowhere(stacks: Stacks, forge: Callable[[Two, ModelVersion], None]) -> None:
    two = stacks()
    version = two.judged(verdict=Verdict.INCONCLUSIVE, approver=None)
    forge(two, version)
    with pytest.raises(IntegrityError, match=FORGERIES[forge]):
        api.promote("loan/1", "one", "other", root=two.root)
    assert two.other.platform.models.list() == []
    assert list(two.bench("other").ledger.entries()) == []


def overwrite(two: Two, key: str, data: bytes) -> None:
    path = two.one.home / "store" / key
    path.chmod(0o644)
    path.write_bytes(data)


def database(two: Two) -> sqlite3.Cursor:
    return sqlite3.connect(two.one.home / "database" / "ledger.db").cursor()


def change_tag(two: Two, version: ModelVersion, name: str, value: str) -> None:
    """Behind the registry's back."""
    with sqlite3.connect(two.one.home / "registry" / "registry.db") as registry:
        changed = registry.execute("UPDATE model_version_tags SET value = ? WHERE key = ?", (value, name)).rowcount
    assert changed == 1, version


def test_what_a_gate_said_since_counts(stacks: Stacks) -> None:
    two = stacks()
    version = two.judged()
    two.bench("one").note("gate", version.digest, {"verdict": "fail", "reasons": ["by another policy"]})
    with pytest.raises(GateRefused, match="The gate said pass of loan/1 first, and fail since"):
        api.promote("loan/1", "one", "other", root=two.root)


def test_what_was_refused_meanwhile_changes_nothing_about_who_approved(stacks: Stacks) -> None:
    two = stacks()
    version = two.judged()
    with workbench(two.root, "one") as bench, pytest.raises(GateRefused):
        author = Person(version.author, "an account", "I made it")
        release.approve(bench, version, release.read_judged(bench, version), author)
    assert api.promote("loan/1", "one", "other", root=two.root).waits == ""


def test_a_rejected_version_goes_nowhere(stacks: Stacks) -> None:
    two = stacks()
    version = two.judged()
    with workbench(two.root, "one") as bench:
        release.reject(bench, version, BEN)
    with pytest.raises(GateRefused, match="was rejected by ben"):
        api.promote("loan/1", "one", "other", root=two.root)


@pytest.mark.parametrize(
    ("one", "other", "regulated", "actor"),
    [
        ("dev", "prod", "", None),
        ("dev", "dev", "", "policy:dev"),
        ("prod", "dev", "", "ben"),
        ("staging", "prod", "", None),
        ("prod", "prod", "other", None),
        ("dev", "prod", "one", None),
        ("prod", "prod", "one", "ben"),
    ],
)
def test_an_approval_is_worth_no_more_than_where_it_was_given(
    stacks: Stacks, one: str, other: str, regulated: str, actor: str | None
) -> None:
    two = stacks(one, other, regulated)
    if one == "dev" and regulated != "one":
        version = two.judged(approver=None)
        with workbench(two.root, "one") as bench:
            release.approve(bench, version, release.read_judged(bench, version))
    else:
        two.judged()
    done = api.promote("loan/1", "one", "other", root=two.root)
    assert (done.version.approval.actor if done.version.approval else None) == actor
    assert ("is a less strict place" in done.waits) is (actor is None)
    if actor is None:
        with pytest.raises(GateRefused):
            api.deploy("loan/1", "other", root=two.root)


def test_what_was_decided_there_before_stands(stacks: Stacks) -> None:
    two = stacks()
    two.judged()
    theirs = two.judged("other", approver=None, number=0)
    with workbench(two.root, "other") as bench:
        release.reject(bench, theirs, BEN)
    done = api.promote("loan/1", "one", "other", root=two.root)
    assert done.version.approval and done.version.approval.status == "rejected"
    assert "rejected by ben" in done.waits


def test_another_name_does_not_get_round_a_rejection(stacks: Stacks) -> None:
    two = stacks()
    two.judged()
    theirs = two.judged("other", approver=None, number=0)
    with workbench(two.root, "other") as bench:
        release.reject(bench, theirs, BEN)
    done = api.promote("loan/1", "one", "other", name="credit", root=two.root)
    assert (str(done.version), done.version.approval) == ("credit/1", None)
    assert "rejected there, as loan/1" in done.waits


def test_what_the_targets_gate_said_stands(stacks: Stacks) -> None:
    two = stacks()
    two.judged()
    two.judged("other", verdict=Verdict.INCONCLUSIVE, approver=None, number=0)
    done = api.promote("loan/1", "one", "other", root=two.root)
    assert release.read_judged(two.bench("other"), done.version).gate.verdict is Verdict.INCONCLUSIVE


def test_a_model_that_no_gate_judged_arrives_unapproved_under_its_new_name(stacks: Stacks, tmp_path: Path) -> None:
    two = stacks()
    make_package(tmp_path / "package")
    api.register(tmp_path / "package", "one", name="loan", root=two.root)
    done = api.promote("loan", "one", "other", name="credit", root=two.root)
    assert (str(done.version), done.version.approval) == ("credit/1", None)
    assert "No gate has judged credit/1" in done.waits
    with pytest.raises(ConfigError, match="names a version, not a model"):
        api.promote("loan", "one", "other", name="credit/1", root=two.root)


def test_the_evaluation_goes_along_and_nothing_else_and_overwrites_nothing(stacks: Stacks) -> None:
    two = stacks()
    two.judged(evaluation="outputs/train-1/evaluation")
    mine, theirs = two.one.platform.store, two.other.platform.store
    for name in ("evaluation.json", "scores.parquet", "other"):
        mine.put(f"outputs/train-1/evaluation/{name}", b"mine")
    theirs.put("outputs/train-1/evaluation/scores.parquet", b"theirs")
    api.promote("loan/1", "one", "other", root=two.root)
    there = {key.rpartition("/")[2]: theirs.get(key) for key in theirs.list("outputs/")}
    assert there == {"evaluation.json": b"mine", "scores.parquet": b"theirs"}


@pytest.mark.parametrize("prefix", ["registry/loan/approvals", "ledger", "judged", "packages/x"])
def test_an_evaluation_is_what_a_job_left(stacks: Stacks, prefix: str) -> None:
    two = stacks()
    two.judged(evaluation=prefix)
    two.one.platform.store.put(f"{prefix}/evaluation.json", b"{}")
    api.promote("loan/1", "one", "other", root=two.root)
    assert f"{prefix}/evaluation.json" not in two.other.platform.store.list("")


def test_a_named_stack_is_meant_whatever_the_environment_says(stacks: Stacks, monkeypatch: pytest.MonkeyPatch) -> None:
    two = stacks()
    two.judged()
    monkeypatch.setenv("TRIVET_OUTPUTS", str(two.other.home / "outputs.json"))
    assert api.promote("loan/1", "one", "other", root=two.root).stack == "other"
    monkeypatch.setenv("TRIVET_HOME", str(two.root / ".trivet"))
    with pytest.raises(ConfigError, match="TRIVET_HOME"):
        api.promote("loan/1", "one", "other", source_root=two.root, root=two.root)


def test_it_goes_there_and_back(stacks: Stacks) -> None:
    two = stacks()
    version = two.judged()
    api.promote("loan/1", "one", "other", name="credit", root=two.root)
    back = api.promote("credit/1", "other", "one", root=two.root).version
    assert (str(back), back.digest, back.author) == ("credit/1", version.digest, version.author)
    assert back.approval and back.approval.actor == BEN.name


def test_a_stack_is_not_its_own_target(stacks: Stacks) -> None:
    two = stacks()
    two.judged()
    with pytest.raises(ConfigError, match="one is where the model is"):
        api.promote("loan/1", "one", "one", root=two.root)
