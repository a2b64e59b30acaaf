"""Watching a stack whose records and ledger lie in a cloud: served, watched, sealed, verified, seen from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from trivet.core.errors import IntegrityError
from trivet.core.findings import Level
from trivet.core.inference import request_of
from trivet.core.layout import OUTPUTS_FILE, PROJECT_FILE
from trivet.core.modelpackage import PROFILE, FeatureProfile, Package, Profile, seal
from trivet.core.platform import Login
from trivet.core.specs import EndpointSpec, Release
from trivet.governance.approval import Person
from trivet.monitoring import capture
from trivet.platforms.local.session import LocalPlatform
from trivet.rehearsal import postgresql
from trivet.rehearsal.rigs.local import LocalRig
from trivet.rehearsal.rigs.package import GOLDEN_ROWS, INPUTS, make_package, serving_of
from trivet.rehearsal.s3 import S3
from trivet.workflows.bench import Bench, workbench
from trivet.workflows.release import reject
from trivet.workflows.watch import last_findings, monitor, status, verify_ledger
from trivet.workflows.watch import seal as seal_records

NUMBERS = count()
USER, TOKEN = "trivet", "a token"
BINS = {"edges": (1.0,), "counts": (10, 10), "missing": 0}


class Stack:
    """A stack of this machine whose outputs name a bucket and a database, as those of a cloud do."""

    def __init__(self, rig: LocalRig, s3: S3, bucket: str, ledger: str) -> None:
        self.rig = rig
        self.s3 = s3
        self.bucket = bucket
        outputs = rig.platform.outputs.model_copy(update={"records": f"s3://{bucket}", "ledger": ledger})
        self.outputs = rig.home / OUTPUTS_FILE
        self.outputs.write_text(outputs.model_dump_json())
        rig.platform = rig.reconnect()

    def serve(self, package: Path) -> None:
        version = self.rig.platform.models.register("loan", package, author="ada", tags={})
        release = Release(model="loan", version=version.version, digest=version.digest)
        self.rig.platform.endpoints.apply(EndpointSpec(name="first", releases=(release,), records="complete"))

    def ask(self, request_id: str) -> None:
        request = request_of([dict(GOLDEN_ROWS[0])], serving_of("loan", 0.5), request_id)
        self.rig.platform.endpoints.invoke("first", request)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with S3() as s3:
        yield s3


@pytest.fixture(scope="module")
def database() -> Iterator[postgresql.Server]:
    with postgresql.running() as server:
        server.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{TOKEN}'")
        yield server


@pytest.fixture(params=["store", "database"])
def stack(request: pytest.FixtureRequest, s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    bucket = s3.make_bucket()
    ledger = f"s3://{bucket}/ledger"
    if request.param == "database":
        server: postgresql.Server = request.getfixturevalue("database")
        name = f"stack_{next(NUMBERS)}"
        server.execute(f"CREATE DATABASE {name} OWNER {USER}")
        ledger = server.url(database=name)
        monkeypatch.setattr(LocalPlatform, "database_login", lambda _: Login(USER, lambda: TOKEN))
    rig = LocalRig(tmp_path / "project")
    yield Stack(rig, s3, bucket, ledger)
    rig.close()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    make_package(folder)
    features = tuple(FeatureProfile(name=name, **BINS) for name in INPUTS)
    profile = Profile(rows=20, features=features, score=FeatureProfile(name="score", **BINS))
    (folder / PROFILE).write_bytes(profile.canonical())
    seal(folder)
    return folder


@pytest.fixture
def bench(stack: Stack) -> Iterator[Bench]:
    with workbench(stack.rig.root, "local") as bench:
        yield bench


def test_what_was_served_is_watched_sealed_and_verified(
    stack: Stack, bench: Bench, package: Path, tmp_path: Path
) -> None:
    stack.serve(package)
    for number in range(3):
        stack.ask(f"r{number}")
    outcomes = tmp_path / "outcomes.csv"
    outcomes.write_text("id,label\nr1,approve\n")

    found = monitor(bench, outcomes)

    [covered, alive, *drift] = found["first"]
    assert (covered.monitor, covered.level) == ("approval", Level.ALARM)
    assert (alive.monitor, alive.level, alive.sample) == ("records", Level.OK, 1)
    assert {finding.sample for finding in drift} == {3}
    assert found["second"] == []
    assert [prediction.id for prediction, _ in capture.labelled(bench.records, "first")] == ["r1"]
    verified = verify_ledger(bench)
    objects = stack.s3.objects(stack.bucket)
    assert verified.segments == sum(key.startswith(("predictions/", "labels/")) for key in objects) >= 2
    assert verified.entries == verified.anchored == 2
    [brought] = bench.ledger.entries("labels")
    assert (brought.subject, brought.body["rows"]) == ("outcomes.csv", 1)
    [sealed] = bench.ledger.entries("records")
    assert (brought.body["segment"], brought.body["digest"]) in {
        (one["name"], one["digest"]) for one in sealed.body["segments"]
    }
    monitor(bench)
    assert verify_ledger(bench).entries == 2  # nothing was recorded since
    assert not any(path.is_file() for path in (stack.rig.home / "records").rglob("*"))
    assert status(bench).ledger.startswith("2 entries")


def test_what_is_served_without_an_approval_alarms_until_somebody_approves_it(
    stack: Stack, bench: Bench, package: Path
) -> None:
    def told() -> tuple[Level, str]:
        [found] = [one for one in status(bench).findings if one.monitor == "approval"]
        return found.level, found.note

    stack.serve(package)
    assert told() == (Level.ALARM, f"loan/1 {Package(package).digest[:19]} was approved by nobody")
    version = bench.platform.models.get("loan/1")
    version = reject(bench, version, Person("grace", "login", "as seen"))
    assert told()[0] is Level.ALARM
    body = {"digest": version.digest, "status": "refused", "reason": "the policy"}
    bench.note("approval", str(version), body)
    assert told() == (Level.ALARM, f"loan/1 {version.digest[:19]} was rejected by grace")
    bench.note("approval", str(version), {"digest": version.digest, "status": "approved", "actor": "grace"})
    assert told()[0] is Level.OK
    monitor(bench)
    assert told()[0] is Level.OK


def test_records_that_were_changed_or_removed_are_named(stack: Stack, bench: Bench, package: Path) -> None:
    stack.serve(package)
    stack.ask("r0")
    seal_records(bench)
    [(key, data)] = stack.s3.objects(stack.bucket, "predictions/").items()
    bench.records.write(key, data.replace(b"r0", b"r9"))
    with pytest.raises(IntegrityError, match=f"{key} were changed"):
        verify_ledger(bench)
    bench.records.write(key, data)
    verify_ledger(bench)
    bench.records.write(key, data[:10])
    with pytest.raises(IntegrityError, match=f"{key} are missing or shorter"):
        verify_ledger(bench)


def test_somebody_on_another_machine_sees_findings_and_ledger(
    stack: Stack, bench: Bench, package: Path, tmp_path: Path
) -> None:
    stack.serve(package)
    stack.ask("r0")
    found = monitor(bench)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / ".trivet" / "local").mkdir(parents=True)
    (elsewhere / PROJECT_FILE).write_text("name: rehearsal\nruntime: python\n")
    with workbench(elsewhere, outputs=stack.outputs) as other:
        assert last_findings(other) == tuple(found["first"])
        assert other.ledger.head() == bench.ledger.head() is not None
        other.note("run", "loan", {"from": "elsewhere"})
    assert [entry.kind for entry in bench.ledger.entries()] == ["records", "run"]


def test_a_store_s_findings_that_nobody_wrote_are_told(bench: Bench) -> None:
    assert last_findings(bench) == ()
    bench.records.write("findings/latest.json", b"{}")
    with pytest.raises(IntegrityError, match="not what a monitor wrote"):
        last_findings(bench)
