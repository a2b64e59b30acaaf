"""Endpoints that others change: it is said, alarmed where nobody approved it, and put right by the next release."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from trivet.core.errors import ForeignRelease
from trivet.core.findings import Finding, Level
from trivet.core.platform import Platform
from trivet.core.specs import EndpointStatus, ModelVersion
from trivet.rehearsal.rigs.aws import ENDPOINTS, AwsRig
from trivet.workflows.bench import Bench
from trivet.workflows.watch import monitor, status

from .console import Console, SpecOf


def test_what_others_deleted_is_said_and_put_right(
    rig: AwsRig, platform: Platform, spec_of: SpecOf, empty: str, console: Console
) -> None:
    good = platform.endpoints.apply(spec_of(1))
    made = console.endpoint()["CreationTime"]
    console.sagemaker.delete_model(ModelName=console.config()["ProductionVariants"][0]["ModelName"])
    with pytest.raises(ForeignRelease, match=r"its model .* was deleted"):
        platform.endpoints.state(empty)
    assert platform.endpoints.apply(spec_of(1)) == good
    rig.fake.switch("config-in-use", False)
    console.sagemaker.delete_endpoint_config(EndpointConfigName=console.endpoint()["EndpointConfigName"])
    with pytest.raises(ForeignRelease, match="was deleted"):
        platform.endpoints.state(empty)
    assert platform.endpoints.apply(spec_of(1)) == good
    assert console.endpoint()["CreationTime"] == made, "it went on serving"
    console.sagemaker.delete_endpoint_config(EndpointConfigName=console.endpoint()["EndpointConfigName"])
    assert platform.endpoints.apply(spec_of(2)).releases == spec_of(2).releases
    console.sagemaker.delete_endpoint(EndpointName=console.name)
    assert platform.endpoints.state(empty).status is EndpointStatus.EMPTY
    assert platform.endpoints.apply(spec_of(2)).releases == spec_of(2).releases


def test_what_others_deployed_is_said_and_put_right(
    platform: Platform, spec_of: SpecOf, empty: str, console: Console
) -> None:
    platform.endpoints.apply(spec_of(1))
    ours = console.sagemaker.describe_model(ModelName=console.config()["ProductionVariants"][0]["ModelName"])
    container = ours["PrimaryContainer"]
    del container["Environment"]["TRIVET_MODEL_VERSION"]
    for kind in ({"PrimaryContainer": container}, {"Containers": [container]}):
        name = f"by-hand-{min(kind).lower()}"
        console.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ours["ExecutionRoleArn"], **kind)
        console.serve(name)
        with pytest.raises(ForeignRelease, match="not made by Trivet"):
            platform.endpoints.state(empty)
        assert platform.endpoints.apply(spec_of(1)).releases == spec_of(1).releases
        console.sagemaker.delete_endpoint_config(EndpointConfigName="by-hand")


def approval_of(bench: Bench, name: str) -> Finding:
    """What is found about the approval of what an endpoint serves."""
    [found] = [one for one in status(bench).findings if (one.monitor, one.subject) == ("approval", name)]
    return found


def test_what_others_deployed_alarms_as_that_endpoints_finding_and_hides_no_other(
    rig: AwsRig,
    platform: Platform,
    bench: Bench,
    spec_of: SpecOf,
    version_of: Callable[[int], ModelVersion],
    empty: str,
    console: Console,
) -> None:
    other = ENDPOINTS[1]
    platform.endpoints.apply(spec_of(1))
    platform.endpoints.apply(spec_of(1, name=other))
    bench.note("approval", "loan/1", {"digest": version_of(1).digest, "status": "approved", "actor": "grace"})
    assert approval_of(bench, empty).level is approval_of(bench, other).level is Level.OK

    ours = console.sagemaker.describe_model(ModelName=console.config()["ProductionVariants"][0]["ModelName"])
    container = ours["PrimaryContainer"]
    del container["Environment"]["TRIVET_MODEL_VERSION"]
    console.sagemaker.create_model(
        ModelName="by-hand", ExecutionRoleArn=ours["ExecutionRoleArn"], PrimaryContainer=container
    )
    console.serve("by-hand")
    found = approval_of(bench, empty)
    assert found.level is Level.ALARM and "by-hand that SageMaker serves was not made by Trivet" in found.note
    assert approval_of(bench, other).level is Level.OK
    assert [one.releases for one in status(bench).endpoints if one.name == other] == [spec_of(1).releases]
    platform.endpoints.delete(other)
    assert [one.note for one in monitor(bench)[empty]] == [found.note]
    console.sagemaker.delete_model(ModelName="by-hand")
    assert approval_of(bench, empty).level is Level.ALARM


def test_what_was_deployed_from_the_registry_itself_is_told_by_its_digest(
    rig: AwsRig,
    platform: Platform,
    bench: Bench,
    spec_of: SpecOf,
    version_of: Callable[[int], ModelVersion],
    empty: str,
    console: Console,
) -> None:
    [release] = platform.endpoints.apply(spec_of(1)).releases
    group = rig.outputs.models.rpartition("/")[2]
    summaries = console.sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    package = next(one for one in summaries if one["ModelPackageDescription"] == str(version_of(2)))
    role = console.sagemaker.describe_model(ModelName=console.config()["ProductionVariants"][0]["ModelName"])
    console.sagemaker.create_model(
        ModelName="registered",
        ExecutionRoleArn=role["ExecutionRoleArn"],
        PrimaryContainer={"ModelPackageName": package["ModelPackageArn"]},
    )
    console.serve("registered")
    [served] = platform.endpoints.state(empty).releases
    assert served.digest == version_of(2).digest != release.digest
    found = approval_of(bench, empty)
    assert found.level is Level.ALARM and f"{served.digest[:19]} was approved by nobody" in found.note
    console.sagemaker.delete_model(ModelName="registered")


def test_a_shadow_that_nobody_approved_alarms(
    platform: Platform, bench: Bench, spec_of: SpecOf, version_of: Callable[[int], ModelVersion], empty: str
) -> None:
    bench.note("approval", "loan/1", {"digest": version_of(1).digest, "status": "approved", "actor": "grace"})
    [release] = spec_of(2).releases
    assert platform.endpoints.apply(spec_of(1, shadow=release)).shadow == release
    found = approval_of(bench, empty)
    assert found.level is Level.ALARM and f"{release.digest[:19]} was approved by nobody" in found.note
    assert found.effect == 0.5
