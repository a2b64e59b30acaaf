"""Kill -9 at named points of a process of its own: the next call, of another process, finishes or undoes it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from trivet.core.platform import Platform
from trivet.core.refs import JobRef
from trivet.core.specs import AwsEndpoint, EndpointNative, EndpointSpec, EndpointStatus, JobSpec, JobState, ScoringSpec
from trivet.platforms.local.processes import python_environment
from trivet.rehearsal.rigs.aws import AwsRig
from trivet.rehearsal.rigs.package import make_package

PROGRAM = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from trivet.core.outputs import Outputs
from trivet.core.specs import Approval, EndpointSpec, JobSpec, ScoringSpec
from trivet.platforms.aws.session import connect

outputs, verb, given = Outputs.model_validate_json(Path(sys.argv[1]).read_text()), sys.argv[2], sys.argv[3]
platform = connect(outputs, Path("."))
if verb == "submit":
    platform.jobs.submit(JobSpec.model_validate_json(given))
elif verb == "score":
    platform.jobs.score(ScoringSpec.model_validate_json(given))
elif verb == "register":
    version = platform.models.register("killed", Path(given), author="ada", tags={"a": "1"})
    time = datetime(2026, 1, 1, tzinfo=UTC)
    approval = Approval(actor="ada", status="approved", reason="good", identity="test", time=time)
    platform.models.tag(version, tags={"b": "2"}, approval=approval, alias="champion")
elif verb == "apply":
    platform.endpoints.apply(EndpointSpec.model_validate_json(given))
else:
    getattr(platform.endpoints, verb)(given)
"""

Call = Callable[..., int]
Held = Callable[[], dict[str, list[str]]]


@pytest.fixture
def call(rig: AwsRig, tmp_path: Path) -> Call:
    """A verb in a process of its own, which dies at a point; the exit code."""
    outputs = tmp_path / "outputs.json"
    outputs.write_text(rig.outputs.model_dump_json())

    def run(verb: str, given: str, fault: str) -> int:
        environment = python_environment(os.environ) | rig.fake.environment | {"TRIVET_FAULT": fault}
        command = [sys.executable, "-P", "-c", PROGRAM, str(outputs), verb, given]
        return subprocess.run(command, env=environment, capture_output=True, timeout=120).returncode

    return run


def test_a_job_whose_task_was_written_is_submitted_once(
    rig: AwsRig, platform: Platform, call: Call, job: Callable[..., JobSpec], ended: Callable[[JobRef], JobState]
) -> None:
    spec = job()
    assert call("submit", spec.model_dump_json(), "job.written") == -signal.SIGKILL
    ref = platform.jobs.submit(spec)
    assert ended(ref) is JobState.SUCCEEDED
    assert platform.jobs.submit(spec) == ref
    jobs = rig.client("sagemaker").list_training_jobs(NameContains=f"-{spec.name}-")["TrainingJobSummaries"]
    assert len(jobs) == 1


@pytest.mark.parametrize(("number", "point"), [(31, "packed.written"), (32, "scoring.model")])
def test_a_job_whose_package_was_packed_or_whose_model_was_made_scores_once(
    rig: AwsRig,
    platform: Platform,
    call: Call,
    spec_of: Callable[..., EndpointSpec],
    ended: Callable[[JobRef], JobState],
    number: int,
    point: str,
) -> None:
    [release] = spec_of(number).releases
    name = f"killed-{number}"
    platform.store.put(f"scoring/{name}/rows.csv", b"1,2\n")
    spec = ScoringSpec(name=name, release=release, input=f"scoring/{name}", output=f"outputs/{name}")
    assert call("score", spec.model_dump_json(), point) == -signal.SIGKILL
    ref = platform.jobs.score(spec)
    assert ended(ref) is JobState.SUCCEEDED
    assert platform.jobs.score(spec) == ref
    assert len(rig.client("sagemaker").list_transform_jobs(NameContains=f"-{name}-")["TransformJobSummaries"]) == 1


@pytest.mark.slow
def test_a_version_is_registered_and_approved_once(platform: Platform, call: Call, tmp_path: Path) -> None:
    digest = make_package(tmp_path / "package", intercept=4.5)
    points = (
        *("register.files", "register.stored", "register.claimed", "register.created"),
        *("tag.approved", "tag.tagged"),
    )
    for point in points:
        assert call("register", str(tmp_path / "package"), point) == -signal.SIGKILL, point
        assert [one.digest for one in platform.models.list("killed")] in ([], [digest]), point
    assert call("register", str(tmp_path / "package"), "") == 0
    [version] = platform.models.list("killed")
    assert (version.version, version.digest, version.aliases) == (1, digest, ("champion",))
    assert version.tags == {"a": "1", "b": "2"}
    assert version.approval is not None


@pytest.mark.slow
def test_an_endpoint_is_finished_by_the_next_call(
    rig: AwsRig, platform: Platform, call: Call, spec_of: Callable[..., EndpointSpec], held: Held, empty: str
) -> None:
    """Its whole life, killed at every point of it."""
    one = spec_of(1, maximum_instances=2)
    for point in ("endpoint.model", "endpoint.prepared", "endpoint.asked"):
        assert call("apply", one.model_dump_json(), point) == -signal.SIGKILL, point
        assert platform.endpoints.state(empty).status in (EndpointStatus.EMPTY, EndpointStatus.STARTING), point
    assert platform.endpoints.apply(one).releases == one.releases
    assert {kind: len(names) for kind, names in held().items()} == {"models": 1, "configs": 1, "endpoints": 1}

    careful = EndpointNative(aws=AwsEndpoint(rollout="canary", step=10, bake=timedelta(seconds=60)))
    two = spec_of(2, maximum_instances=2, native=careful)
    for point in ("endpoint.alarms", "endpoint.asked"):
        assert call("apply", two.model_dump_json(), point) == -signal.SIGKILL, point
    assert platform.endpoints.apply(two).releases == two.releases
    assert {kind: len(names) for kind, names in held().items()} == {"models": 2, "configs": 2, "endpoints": 1}

    assert call("pause", empty, "endpoint.pausing") == -signal.SIGKILL
    assert platform.endpoints.state(empty).status is EndpointStatus.READY
    assert platform.endpoints.pause(empty).status is EndpointStatus.STOPPED
    assert call("resume", empty, "endpoint.resuming") == -signal.SIGKILL
    assert platform.endpoints.resume(empty).releases == two.releases
    assert scaled(rig) == [(1, 2)], "what was killed before it scaled again does so now"

    assert call("delete", empty, "endpoint.removed") == -signal.SIGKILL
    assert platform.endpoints.state(empty).status is EndpointStatus.EMPTY
    platform.endpoints.delete(empty)
    assert held() == {"models": [], "configs": [], "endpoints": []}
    assert rig.client("cloudwatch").describe_alarms()["MetricAlarms"] == []


def test_how_an_endpoint_scaled_outlives_a_release_that_was_cut_off(
    rig: AwsRig, platform: Platform, call: Call, spec_of: Callable[..., EndpointSpec], empty: str
) -> None:
    platform.endpoints.apply(spec_of(1, maximum_instances=3))
    other = spec_of(2, native=EndpointNative(aws=AwsEndpoint(instance_type="ml.m5.xlarge")))
    assert call("apply", other.model_dump_json(), "endpoint.asked") == -signal.SIGKILL
    assert scaled(rig) == [], "SageMaker wants it forgotten for another kind of machine"
    platform.endpoints.apply(spec_of(2))
    assert scaled(rig) == [(1, 3)]


def test_a_pause_that_was_cut_off_is_no_pause_for_whoever_deploys(
    platform: Platform, call: Call, spec_of: Callable[..., EndpointSpec], empty: str
) -> None:
    platform.endpoints.apply(spec_of(1))
    assert call("pause", empty, "endpoint.pausing") == -signal.SIGKILL
    platform.endpoints.apply(spec_of(2))
    assert platform.endpoints.resume(empty).releases == spec_of(2).releases
    platform.endpoints.delete(empty)
    assert platform.endpoints.state(empty).status is EndpointStatus.EMPTY


def scaled(rig: AwsRig) -> list[tuple[int, int]]:
    found = rig.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")
    return [(one["MinCapacity"], one["MaxCapacity"]) for one in found["ScalableTargets"]]
