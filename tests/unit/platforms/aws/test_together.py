"""Two callers at once: one wins, the other waits or is told, and nothing is there twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trivet.core.errors import Locked, NotReady, TrivetError
from trivet.core.platform import Platform
from trivet.core.refs import JobRef
from trivet.core.specs import EndpointSpec, EndpointStatus, JobSpec, JobState, ScoringSpec
from trivet.core.waiting import wait_for
from trivet.platforms.aws import jobs
from trivet.platforms.aws.scoring import ENDING
from trivet.platforms.container import ContainerTask
from trivet.rehearsal.rigs.aws import AwsRig
from trivet.rehearsal.rigs.package import make_package

SpecOf = Callable[..., EndpointSpec]
Held = Callable[[], dict[str, list[str]]]


def together(rig: AwsRig, *calls: Callable[[Platform], object]) -> list[object]:
    """Make each call with a platform of its own, all at once: what each gives, or the error that it raises."""
    given: list[object] = [None] * len(calls)
    start = threading.Barrier(len(calls))

    def make(number: int) -> None:
        with rig.reconnect() as platform:
            platform.models.list("nobody")  # who calls is known, so that the calls themselves meet
            start.wait(30)
            try:
                given[number] = calls[number](platform)
            except TrivetError as error:
                given[number] = error

    threads = [threading.Thread(target=make, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    return given


def test_two_who_submit_one_job_get_one_that_runs_what_one_of_them_said(
    rig: AwsRig, platform: Platform, job: Callable[..., JobSpec], ended: Callable[[JobRef], JobState]
) -> None:
    spec = job()
    says = [spec.model_copy(update={"command": ("python", "-c", f"print({number})")}) for number in (1, 2)]
    refs = together(rig, *(lambda p, one=one: p.jobs.submit(one) for one in says))
    assert refs == [JobRef(spec.name)] * 2
    assert ended(JobRef(spec.name)) is JobState.SUCCEEDED
    found = rig.client("sagemaker").list_training_jobs(NameContains=f"-{spec.name}-")["TrainingJobSummaries"]
    assert len(found) == 1
    assert list(platform.jobs.logs(JobRef(spec.name))) in (["1"], ["2"])


def test_a_task_is_not_changed_by_who_submits_another_just_then(
    monkeypatch: pytest.MonkeyPatch,
    platform: Platform,
    job: Callable[..., JobSpec],
    ended: Callable[[JobRef], JobState],
) -> None:
    """Who saw no job yet writes a task of their own, which must not be what the job of the first one runs."""
    spec = job()
    first, second = (
        spec.model_copy(update={"command": ("python", "-c", f"print('{word}')")}) for word in ("1st", "2nd")
    )
    real, made = jobs.ContainerTask, []

    def late(**fields: Any) -> ContainerTask:
        if not made:
            made.append(fields)
            platform.jobs.submit(first)
        return real(**fields)

    monkeypatch.setattr(jobs, "ContainerTask", late)
    ref = platform.jobs.submit(second)
    assert ended(ref) is JobState.SUCCEEDED
    assert list(platform.jobs.logs(ref)) == ["1st"]


def test_two_who_register_one_package_get_one_version(rig: AwsRig, platform: Platform, tmp_path: Path) -> None:
    make_package(tmp_path / "package", intercept=5.5)

    def register(each: Platform) -> object:
        return each.models.register("together", tmp_path / "package", author="ada", tags={})

    one, two = together(rig, register, register)
    assert one == two
    assert list(platform.models.list("together")) == [one]


def test_two_who_register_two_packages_get_two_versions(rig: AwsRig, platform: Platform, tmp_path: Path) -> None:
    for number in (1, 2):
        make_package(tmp_path / str(number), intercept=6 + number / 10)

    def register(number: int) -> Callable[[Platform], object]:
        return lambda each: each.models.register("apart", tmp_path / str(number), author="ada", tags={})

    together(rig, register(1), register(2))
    assert sorted(one.version for one in platform.models.list("apart")) == [1, 2]


def test_of_two_releases_one_serves_and_the_other_waited_or_is_told(
    rig: AwsRig, platform: Platform, spec_of: SpecOf, empty: str, held: Held
) -> None:
    for first in (True, False):  # once to make the endpoint, once to change it
        specs = [spec_of(1), spec_of(2)] if first else [spec_of(3), spec_of(4)]
        given = together(rig, *(lambda p, one=one: p.endpoints.apply(one) for one in specs))
        errors = [one for one in given if isinstance(one, TrivetError)]
        assert all(isinstance(one, Locked) and "Another release" in str(one) for one in errors), errors
        state = platform.endpoints.state(empty)
        assert state.status is EndpointStatus.READY
        assert state.releases in [one.releases for one in specs]
        assert state in given
    now = held()
    assert len(now["endpoints"]) == 1
    assert len(now["configs"]) <= 3
    assert platform.endpoints.apply(spec_of(1)).releases == spec_of(1).releases
    assert len(held()["models"]) <= 3


def test_a_pause_while_a_release_comes_waits_for_it_and_is_remembered(
    rig: AwsRig, platform: Platform, spec_of: SpecOf, empty: str
) -> None:
    platform.endpoints.apply(spec_of(1))
    shell = rig.outputs.endpoints[empty].name
    sagemaker = rig.client("sagemaker")

    def pause(each: Platform) -> object:
        def updating() -> bool | None:
            return sagemaker.describe_endpoint(EndpointName=shell)["EndpointStatus"] == "Updating" or None

        wait_for(updating, "The update", seconds=30, longest=0.05)
        return each.endpoints.pause(empty)

    applied, paused = together(rig, lambda each: each.endpoints.apply(spec_of(2)), pause)
    assert platform.endpoints.state(empty).status is EndpointStatus.STOPPED
    assert getattr(paused, "status", paused) is EndpointStatus.STOPPED
    assert isinstance(applied, NotReady) or getattr(applied, "name", "") == empty
    assert platform.endpoints.resume(empty).releases == spec_of(2).releases


def test_two_who_delete_one_endpoint_both_succeed(
    rig: AwsRig, platform: Platform, spec_of: SpecOf, empty: str, held: Held
) -> None:
    platform.endpoints.apply(spec_of(1))
    assert together(rig, *[lambda each: each.endpoints.delete(empty)] * 2) == [None, None]
    assert held() == {"models": [], "configs": [], "endpoints": []}


def test_what_is_cleared_is_this_stacks_alone(
    rig: AwsRig,
    platform: Platform,
    job: Callable[..., JobSpec],
    spec_of: SpecOf,
    ended: Callable[[JobRef], JobState],
) -> None:
    """The other stack's prefix begins with this one's."""
    native = rig.outputs.native.model_copy(update={"prefix": "rehearsal-aws-two"})
    other = rig.outputs.model_copy(update={"stack": "aws-rehearsal-two", "native": native, "endpoints": {}})
    with rig.reconnect() as second:
        theirs = type(second)(other, second.clients)  # type: ignore[call-arg, attr-defined]  it is aws
        kept = theirs.jobs.submit(job("import time; time.sleep(6)"))
        stopped = platform.jobs.submit(job("import time; time.sleep(600)"))
        for name in ("a", "b", "c", "d"):
            platform.store.put(f"scoring/cleared/{name}.csv", b"1,2\n" * 200_000)
        [release] = spec_of(1).releases
        scoring = ScoringSpec(name="cleared", release=release, input="scoring/cleared", output="outputs/cleared")
        scored = platform.jobs.score(scoring)
        without_models = rig.outputs.model_copy(
            update={
                "models": rig.client("sagemaker").create_model_package_group(ModelPackageGroupName="nothing")[
                    "ModelPackageGroupArn"
                ]
            }
        )
        type(second)(without_models, second.clients).clear()  # type: ignore[call-arg, attr-defined]
        assert ended(stopped) is ended(scored) is JobState.CANCELLED
        assert rig.client("sagemaker").list_models(NameContains=ENDING)["Models"] == []
        final = wait_for(
            lambda: state if (state := theirs.jobs.state(kept)) is not JobState.RUNNING else None, "It", seconds=60
        )
        assert final is JobState.SUCCEEDED


@pytest.fixture(autouse=True)
def _no_group(rig: AwsRig) -> None:
    sagemaker = rig.client("sagemaker")
    for one in sagemaker.list_model_package_groups(NameContains="nothing")["ModelPackageGroupSummaryList"]:
        sagemaker.delete_model_package_group(ModelPackageGroupName=one["ModelPackageGroupName"])
