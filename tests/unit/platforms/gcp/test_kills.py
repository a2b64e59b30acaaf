"""Kill -9 at named points of a process of its own: the next call, of another process, finishes or undoes it.

The process finds the fake as it would find Google Cloud: by the variables of gcloud and of Google's own libraries.
"""

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
from trivet.core.specs import EndpointNative, EndpointSpec, EndpointStatus, GcpEndpoint, JobSpec, JobState
from trivet.platforms.gcp.labels import whose
from trivet.platforms.local.processes import python_environment
from trivet.rehearsal.rigs.gcp import STACK, GcpRig
from trivet.rehearsal.rigs.package import make_package

PROGRAM = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from trivet.connect import connect
from trivet.core.specs import Approval, EndpointSpec, JobSpec
from trivet.platforms.gcp import rollout

rollout.LEAST_BAKE = timedelta(0)  # no alarm goes off here
verb, given = sys.argv[2], sys.argv[3]
platform = connect(outputs=Path(sys.argv[1]), root=Path("."))
if verb == "submit":
    platform.jobs.submit(JobSpec.model_validate_json(given))
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


@pytest.fixture
def call(rig: GcpRig, tmp_path: Path) -> Call:
    """A verb in a process of its own, which dies at a point; the exit code."""
    outputs = tmp_path / "outputs.json"
    outputs.write_text(rig.outputs.model_dump_json())

    def run(verb: str, given: str, fault: str) -> int:
        environment = python_environment(os.environ) | rig.fake.environment | {"TRIVET_FAULT": fault}
        command = [sys.executable, "-P", "-c", PROGRAM, str(outputs), verb, given]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        sys.stderr.write(done.stderr)
        return done.returncode

    return run


@pytest.mark.parametrize("point", ["job.written", "job.created"])
def test_a_job_whose_task_was_written_or_that_was_made_is_submitted_once(
    rig: GcpRig,
    platform: Platform,
    call: Call,
    job: Callable[..., JobSpec],
    ended: Callable[[JobRef], JobState],
    point: str,
) -> None:
    spec = job()
    assert call("submit", spec.model_dump_json(), point) == -signal.SIGKILL
    ref = platform.jobs.submit(spec)
    assert ended(ref) is JobState.SUCCEEDED
    assert platform.jobs.submit(spec) == ref
    wanted = whose("rehearsal", STACK)
    pages = rig.clients.pages("aiplatform", f"v1/{rig.clients.parent}/customJobs", "customJobs", filter=wanted)
    assert len([one for one in pages if f"-{spec.name}-" in one["displayName"]]) == 1


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
    platform: Platform,
    call: Call,
    spec_of: Callable[..., EndpointSpec],
    deployed: Callable[[], dict[str, int]],
    empty: str,
) -> None:
    """Its whole life, killed at every point of it."""
    one = spec_of(1, maximum_instances=2)
    for point in ("endpoint.model", "endpoint.prepared", "endpoint.deploying", "endpoint.deployed"):
        assert call("apply", one.model_dump_json(), point) == -signal.SIGKILL, point
        assert platform.endpoints.state(empty).status in (EndpointStatus.EMPTY, EndpointStatus.STARTING), point
    assert platform.endpoints.apply(one).releases == one.releases
    assert list(deployed().values()) == [100]

    careful = EndpointNative(gcp=GcpEndpoint(rollout="canary", step=10, bake=timedelta(seconds=0.2)))
    two = spec_of(2, maximum_instances=2, native=careful)
    for point in ("endpoint.deployed", "endpoint.shifted", "endpoint.undeployed"):
        assert call("apply", two.model_dump_json(), point) == -signal.SIGKILL, point
        assert platform.endpoints.state(empty).status is EndpointStatus.READY, point
    assert platform.endpoints.apply(two).releases == two.releases
    assert list(deployed().values()) == [100]

    assert call("pause", empty, "endpoint.pausing") == -signal.SIGKILL
    assert platform.endpoints.state(empty).status is EndpointStatus.READY
    assert call("pause", empty, "endpoint.silenced") == -signal.SIGKILL
    assert platform.endpoints.pause(empty).status is EndpointStatus.STOPPED
    assert deployed() == {}
    assert call("resume", empty, "endpoint.resuming") == -signal.SIGKILL
    assert platform.endpoints.resume(empty).releases == two.releases

    assert call("delete", empty, "endpoint.removed") == -signal.SIGKILL
    platform.endpoints.delete(empty)
    assert platform.endpoints.state(empty).status is EndpointStatus.EMPTY
    assert deployed() == {}


def test_a_release_that_was_cut_off_is_left_for_the_one_before_it(
    platform: Platform,
    call: Call,
    spec_of: Callable[..., EndpointSpec],
    deployed: Callable[[], dict[str, int]],
    empty: str,
) -> None:
    platform.endpoints.apply(spec_of(1))
    before = deployed()
    at_once = spec_of(2)
    assert call("apply", at_once.model_dump_json(), "endpoint.shifted") == -signal.SIGKILL
    assert sorted(deployed().values()) == [0, 100]
    assert platform.endpoints.apply(spec_of(1)).releases == spec_of(1).releases
    assert deployed() == before
