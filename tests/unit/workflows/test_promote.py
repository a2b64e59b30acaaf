"""A version goes from one stack to another: what travels, what is refused, and what a killed call leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from trivet import api
from trivet.core.errors import ConfigError, ExitCode, GateRefused, IntegrityError
from trivet.core.findings import Verdict
from trivet.core.modelpackage import MODEL, package_key
from trivet.core.specs import Approval
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

Stacks = Callable[..., Two]


def test_the_same_bytes_arrive_with_author_approval_gate_and_evidence(stacks: Stacks, tmp_path: Path) -> None:
    two = stacks()
    version = two.judged()
    done = api.promote("loan/1", "one", "other", root=two.root)
    there = done.version
    assert (there.digest, there.author, there.tags) == (version.digest, version.author, version.tags)
    assert there.approval and version.approval
    assert (there.approval.actor, there.approval.reason) == (version.approval.actor, version.approval.reason)
    assert "approved loan/1 in rehearsal/one" in there.approval.identity
    assert done.waits == "" and there.aliases == ()
    platform = two.other.platform
    get_package(platform.store, version.digest, tmp_path / "got", platform.outputs.signing.public_key)
    with workbench(two.root, "one") as source, workbench(two.root, "other") as target:
        assert release.read_judged(target, there) == release.read_judged(source, version)
        [entry] = target.ledger.entries("promoted")
        known = {one.hash for one in source.ledger.entries()}
        assert [one["kind"] for one in entry.body["ledger"]] == ["gate", "approval"]
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


def test_a_verdict_that_the_ledger_does_not_know_is_refused(stacks: Stacks) -> None:
    two = stacks()
    version = two.judged(verdict=Verdict.INCONCLUSIVE)
    path = two.one.home / "store" / release.judged_key(version.digest)
    path.chmod(0o644)
    path.write_bytes(judgement(Verdict.PASS).canonical())
    with pytest.raises(IntegrityError, match="does not hold the verdict"):
        api.promote("loan/1", "one", "other", root=two.root)
    assert two.other.platform.models.list() == []


def test_an_approval_that_the_ledger_does_not_know_is_refused(stacks: Stacks) -> None:
    two = stacks()
    version = two.judged(approver=None)
    forged = Approval(actor="eve", status="approved", reason="I say so", identity="none", time=version.created)
    two.one.platform.models.tag(version, approval=forged)
    with pytest.raises(IntegrityError, match="does not hold the approval"):
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
    ("one", "other", "actor"),
    [("dev", "prod", None), ("dev", "dev", "policy:dev"), ("prod", "dev", "ben"), ("staging", "prod", None)],
)
def test_an_approval_is_worth_no_more_than_where_it_was_given(
    stacks: Stacks, one: str, other: str, actor: str | None
) -> None:
    two = stacks(one, other)
    if one == "dev":
        version = two.judged(approver=None)
        with workbench(two.root, "one") as bench:
            release.approve(bench, version, release.read_judged(bench, version))
    else:
        two.judged()
    done = api.promote("loan/1", "one", "other", root=two.root)
    assert (done.version.approval.actor if done.version.approval else None) == actor
    assert ("waits for a person" in done.waits) is (actor is None)
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


def test_a_model_that_no_gate_judged_arrives_unapproved_under_its_new_name(stacks: Stacks, tmp_path: Path) -> None:
    two = stacks()
    make_package(tmp_path / "package")
    api.register(tmp_path / "package", "one", name="loan", root=two.root)
    done = api.promote("loan", "one", "other", name="credit", root=two.root)
    assert (str(done.version), done.version.approval, done.waits) == ("credit/1", None, "No gate has judged it.")


def test_the_evaluation_goes_along(stacks: Stacks) -> None:
    two = stacks()
    version = two.judged()
    judged = judgement(Verdict.PASS).model_copy(update={"evaluation": "outputs/train-1/evaluation"})
    path = two.one.home / "store" / release.judged_key(version.digest)
    path.chmod(0o644)
    path.write_bytes(judged.canonical())
    two.one.platform.store.put("outputs/train-1/evaluation/evaluation.json", b"{}")
    two.one.platform.store.put("outputs/train-1/package/other", b"not this")
    api.promote("loan/1", "one", "other", root=two.root)
    assert two.other.platform.store.list("outputs/") == ["outputs/train-1/evaluation/evaluation.json"]


def test_a_stack_is_not_its_own_target(stacks: Stacks) -> None:
    two = stacks()
    two.judged()
    with pytest.raises(ConfigError, match="one is where the model is"):
        api.promote("loan/1", "one", "one", root=two.root)
