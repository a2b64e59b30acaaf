"""Two callers at once: one wins, the other waits or is told, and nothing is there twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trivet.clouds.awsnames import SCORING
from trivet.core.errors import Locked, NotReady, TrivetError
from trivet.core.outputs import Outputs
from trivet.core.platform import Platform
from trivet.core.refs import JobRef
from trivet.core.specs import EndpointSpec, EndpointStatus, JobSpec, JobState, ScoringSpec
from trivet.core.waiting import wait_for
from trivet.platforms.aws import jobs
from trivet.platforms.container import ContainerTask
from trivet.rehearsal.rigs.aws import PREFIX, AwsRig
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
    """Other stacks' prefixes begin or end with this one's, and another project has a stack of this one's name."""
    outputs, native, sagemaker = rig.outputs, rig.outputs.native, rig.client("sagemaker")
    others = (
        {"stack": "aws-rehearsal-two", "native": native.model_copy(update={"prefix": f"{PREFIX}-two"})},
        {"native": native.model_copy(update={"prefix": f"my-{PREFIX}"})},
        {"project": "another"},
    )

    def scored_by(each: Platform, number: int) -> JobRef:
        [release] = spec_of(number).releases
        name = f"cleared-{number}"
        return each.jobs.score(
            ScoringSpec(name=name, release=release, input="scoring/cleared", output=f"outputs/{name}")
        )

    for name in ("a", "b", "c", "d"):
        platform.store.put(f"scoring/cleared/{name}.csv", b"1,2\n" * 200_000)
    with rig.reconnect() as second:
        theirs = [_of(second, outputs.model_copy(update={**one, "endpoints": {}})) for one in others]
        slow = "import time; time.sleep(600)"
        kept = [
            (each, ref) for n, each in enumerate(theirs) for ref in (each.jobs.submit(job(slow)), scored_by(each, n))
        ]
        models = _models(sagemaker)
        own = [platform.jobs.submit(job(slow)), scored_by(platform, len(others))]
        names = {platform.jobs.newest(ref).name for ref in own} | {*_models(sagemaker)} - {*models}  # type: ignore[attr-defined]
        nothing = sagemaker.create_model_package_group(ModelPackageGroupName="nothing")["ModelPackageGroupArn"]
        rig.fake.forget_calls()
        _of(second, outputs.model_copy(update={"models": nothing})).clear()
        assert [ended(ref) for ref in own] == [JobState.CANCELLED] * 2
        assert _models(sagemaker) == models and len(models) == len(others)
        calls = [one for one in rig.fake.calls() if one["operation"].startswith(("Stop", "Delete"))]
        assert {one["resource"] for one in calls if one["service"] == "sagemaker"} >= names
        assert not {one["resource"] for one in calls} & {each.jobs.newest(ref).name for each, ref in kept}
        for each, ref in kept:
            each.jobs.cancel(ref)


def _of(platform: Platform, outputs: Outputs) -> Any:
    """The platform of another stack in the same account."""
    return type(platform)(outputs, platform.clients)  # type: ignore[call-arg, attr-defined]  it is aws


def _models(sagemaker: Any) -> list[str]:
    """Names of what batches score by."""
    return sorted(one["ModelName"] for one in sagemaker.list_models(NameContains=SCORING)["Models"])


@pytest.fixture(autouse=True)
def _no_group(rig: AwsRig) -> None:
    sagemaker = rig.client("sagemaker")
    for one in sagemaker.list_model_package_groups(NameContains="nothing")["ModelPackageGroupSummaryList"]:
        sagemaker.delete_model_package_group(ModelPackageGroupName=one["ModelPackageGroupName"])
