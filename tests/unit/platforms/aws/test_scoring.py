"""Batch scoring as SageMaker is asked for it: what it may reach, what it may cost, and what of it is left."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.platforms.cases import BAD
from trivet.clouds import awsprices
from trivet.core.archive import unpack
from trivet.core.errors import ConfigError, JobFailed, NotReady, PlatformError
from trivet.core.modelpackage import MODEL, Package
from trivet.core.platform import Platform
from trivet.core.refs import JobRef
from trivet.core.specs import AwsScoring, EndpointSpec, JobState, ModelVersion, ScoringNative, ScoringSpec
from trivet.platforms.aws.logs import error_in
from trivet.platforms.packed import pack, packed_key
from trivet.rehearsal.rigs.aws import AwsRig
from trivet.workflows.bench import Bench
from trivet.workflows.score import score

Ended = Callable[[JobRef], JobState]
Make = Callable[..., ScoringSpec]


@pytest.fixture
def scoring(platform: Platform, spec_of: Callable[..., EndpointSpec], new_name: Callable[[], str]) -> Make:
    """A job that scores one file, by a version of that number."""

    def make(number: int = 1, rows: int = 1, **fields: object) -> ScoringSpec:
        name, [release] = new_name(), spec_of(number).releases
        platform.store.put(f"scoring/{name}/rows.csv", b"100,50\n" * rows)
        given = {"name": name, "release": release, "input": f"scoring/{name}", "output": f"outputs/{name}"}
        return ScoringSpec.model_validate({**given, **fields})

    return make


def described(rig: AwsRig, spec: ScoringSpec, attempt: int = 1) -> dict[str, Any]:
    native: Any = rig.outputs.native
    return rig.client("sagemaker").describe_transform_job(TransformJobName=f"{native.prefix}-{spec.name}-{attempt}")


def test_the_container_is_cut_off_and_all_is_encrypted_with_the_stacks_key(
    rig: AwsRig, platform: Platform, scoring: Make, ended: Ended
) -> None:
    spec = scoring()
    assert ended(platform.jobs.score(spec)) is JobState.SUCCEEDED
    native: Any = rig.outputs.native
    job = described(rig, spec)
    model = rig.client("sagemaker").describe_model(ModelName=job["ModelName"])
    assert model["EnableNetworkIsolation"] is True
    assert model["ExecutionRoleArn"] == native.trainer_role
    assert job["TransformOutput"]["KmsKeyId"] == job["TransformResources"]["VolumeKmsKeyId"] == native.key
    tags = rig.client("sagemaker").list_tags(ResourceArn=job["TransformJobArn"])["Tags"]
    assert {"Key": "trivet:stack", "Value": rig.outputs.stack} in tags
    assert any('"ready"' in line for line in platform.jobs.logs(JobRef(spec.name)))


def test_answers_are_joined_as_they_are_and_a_request_is_not_repeated_for_ever(
    rig: AwsRig, platform: Platform, scoring: Make, ended: Ended
) -> None:
    spec, rows = scoring(), 1200
    platform.store.put(f"{spec.input}/rows.csv", (b"100." + b"0" * 1000 + b",50\n") * rows)  # in two requests
    assert ended(platform.jobs.score(spec)) is JobState.SUCCEEDED
    job = described(rig, spec)
    assert job["TransformOutput"]["AssembleWith"] == "None"
    again = job["ModelClientConfig"]
    assert again["InvocationsTimeoutInSeconds"] * (1 + again["InvocationsMaxRetries"]) <= 1200
    answers = platform.store.get(f"{spec.output}/rows.csv.out")
    assert answers.count(b"\n") == answers.count(b"}\n") == rows


def test_jobs_of_one_release_share_their_model(rig: AwsRig, platform: Platform, scoring: Make, ended: Ended) -> None:
    specs = [scoring(), scoring(), scoring(2)]
    for spec in specs:
        assert ended(platform.jobs.score(spec)) is JobState.SUCCEEDED
    one, same, other = (described(rig, spec)["ModelName"] for spec in specs)
    assert one == same != other


def test_the_package_is_packed_once_and_the_server_checks_what_it_unpacked(
    rig: AwsRig, platform: Platform, scoring: Make, ended: Ended, tmp_path: Path
) -> None:
    first, second = scoring(5), scoring(5)
    assert ended(platform.jobs.score(first)) is JobState.SUCCEEDED
    model = rig.client("sagemaker").describe_model(ModelName=described(rig, first)["ModelName"])
    container = model["PrimaryContainer"]
    key = packed_key(first.release.digest)
    assert container["ModelDataUrl"] == f"{rig.outputs.store}/{key}" and "ModelDataSource" not in container
    assert platform.store.list(f"packed/{first.release.digest.removeprefix('sha256:')}") == [key]
    rig.fake.forget_calls()
    assert ended(platform.jobs.score(second)) is JobState.SUCCEEDED
    assert not [one for one in rig.fake.calls() if one["operation"] == "PutObject" and one["resource"].endswith(key)]
    # Whoever can write to the store cannot have another model answer: what is packed is signed, file by file.
    unpack(platform.store.get(key), tmp_path / "package")
    other = platform.store.get(f"packages/{scoring(6).release.digest.removeprefix('sha256:')}/{MODEL}")
    (tmp_path / "package" / MODEL).write_bytes(other)
    pack(Package(tmp_path / "package"), tmp_path / "archive")
    platform.store.put(key, tmp_path / "archive")
    third = scoring(5)
    assert ended(ref := platform.jobs.score(third)) is JobState.FAILED
    assert MODEL in [*platform.jobs.logs(ref)][-1]
    platform.store.delete(key)
    again = scoring(5)
    assert ended(platform.jobs.score(again)) is JobState.SUCCEEDED


def test_a_job_that_has_cost_what_it_may_is_ended(
    monkeypatch: pytest.MonkeyPatch, platform: Platform, scoring: Make, ended: Ended
) -> None:
    monkeypatch.setattr(awsprices, "hourly", lambda *_: Decimal(3600))
    spec = scoring(rows=400_000, native=ScoringNative(aws=AwsScoring(most_cost=1.0)))
    ref = platform.jobs.score(spec)
    assert ended(ref) is JobState.FAILED
    assert "longer than its 1 s" in "".join(platform.jobs.logs(ref))


def test_a_cost_that_cannot_be_limited_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, rig: AwsRig, platform: Platform, scoring: Make
) -> None:
    monkeypatch.setattr(awsprices, "hourly", lambda *_: None)
    spec = scoring(native=ScoringNative(aws=AwsScoring(most_cost=1.0)))
    with pytest.raises(ConfigError, match="not known"):
        platform.jobs.score(spec)
    with pytest.raises(rig.client("sagemaker").exceptions.ClientError):
        described(rig, spec)


def test_a_model_that_does_not_become_ready_fails_the_job_and_its_log_says_why(
    platform: Platform, scoring: Make, ended: Ended
) -> None:
    spec = scoring(BAD)
    ref = platform.jobs.score(spec)
    assert ended(ref) is JobState.FAILED
    *_, last = platform.jobs.logs(ref)
    assert last.startswith("SageMaker: ") and "The server: " in last and "golden" in last
    again = scoring(1)
    assert platform.jobs.score(again.model_copy(update={"name": spec.name})) == ref
    assert ended(ref) is JobState.SUCCEEDED


@pytest.mark.parametrize("line", ['{"level":"error"}', '{"level":"error"', '"level":"error"', "[]", "", "\x00"])
def test_a_line_of_a_log_may_be_anything(line: str) -> None:
    assert error_in(line) == ""


def test_who_scores_a_file_is_told_why_the_job_failed(
    platform: Platform, bench: Bench, version_of: Callable[[int], ModelVersion], tmp_path: Path
) -> None:
    source, out = tmp_path / "rows.csv", tmp_path / "out.csv"
    source.write_text("amount,income\n1,2\n")
    with pytest.raises(JobFailed, match=r"failed: SageMaker: .*\. The server: .*golden"):
        score(bench, version_of(BAD), source, out)
    assert not out.exists()


def test_a_file_that_was_scored_leaves_an_entry_on_the_ledger_and_nothing_in_the_store(
    platform: Platform, bench: Bench, version_of: Callable[[int], ModelVersion], tmp_path: Path
) -> None:
    source, out = tmp_path / "rows.csv", tmp_path / "out.csv"
    source.write_text("amount,income\n1,2\n")
    jobs = [score(bench, version_of(1), source, out).job for _ in range(2)]
    assert len(out.read_text().splitlines()) == 2
    assert [entry.body["job"] for entry in bench.ledger.entries("scoring")] == jobs
    for job in jobs:
        assert platform.store.list(f"scoring/{job}/") == platform.store.list(f"outputs/{job}/") == []


def test_bad_weather_is_a_sentence_and_what_is_new_is_waited_for(
    rig: AwsRig, platform: Platform, scoring: Make, ended: Ended
) -> None:
    rig.fake.fault("CreateTransformJob", code="ThrottlingException", message="Rate exceeded", times=2)
    assert ended(platform.jobs.score(scoring(4))) is JobState.SUCCEEDED
    rig.fake.fault("CreateTransformJob", code="ResourceLimitExceeded", message="The account-level limit", times=50)
    with pytest.raises(PlatformError, match="Service Quotas"):
        platform.jobs.score(scoring(4))
    rig.fake.clear_faults()
    rig.fake.fault("CreateTransformJob", code="ServiceUnavailable", message="Not now", times=50)
    with pytest.raises(NotReady):
        platform.jobs.score(scoring(4))
