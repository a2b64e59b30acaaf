"""Everything that the runtime makes bears the stack's tags and its user's, and budgets find it by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from trivet.core.leftovers import ENDPOINT_TAG, PROJECT_TAG, STACK_TAG
from trivet.core.platform import Platform
from trivet.core.refs import JobRef
from trivet.core.specs import AwsEndpoint, EndpointNative, EndpointSpec, JobSpec, JobState, ScoringSpec
from trivet.infra.stacks.aws.budget import bearing
from trivet.platforms.aws.tags import tags, tags_of
from trivet.rehearsal.rigs.aws import ENDPOINTS, AwsRig

ALL = {
    "training job": ("list_training_jobs", "TrainingJobSummaries", "TrainingJobArn"),
    "transform job": ("list_transform_jobs", "TransformJobSummaries", "TransformJobArn"),
    "model": ("list_models", "Models", "ModelArn"),
    "configuration": ("list_endpoint_configs", "EndpointConfigs", "EndpointConfigArn"),
    "endpoint": ("list_endpoints", "Endpoints", "EndpointArn"),
}


def borne(rig: AwsRig) -> dict[str, dict[str, dict[str, str]]]:
    """The tags by ARN of all that SageMaker has, by what it is, and of the alarms that guard a release."""
    sagemaker, found = rig.client("sagemaker"), {}
    for kind, (verb, member, arn) in ALL.items():
        there = [one[arn] for page in sagemaker.get_paginator(verb).paginate() for one in page[member]]
        found[kind] = {one: named(sagemaker.list_tags(ResourceArn=one)["Tags"]) for one in there}
    watching = rig.client("cloudwatch")
    alarms = [
        one["AlarmArn"] for one in watching.describe_alarms()["MetricAlarms"] if "TargetTracking" not in one["AlarmArn"]
    ]
    return {**found, "alarm": {one: named(watching.list_tags_for_resource(ResourceARN=one)["Tags"]) for one in alarms}}


def named(given: list[dict[str, str]]) -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in given}


def has(there: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return wanted.items() <= there.items()


def test_everything_bears_them_and_what_is_of_an_endpoint_its_name_and_its_team(
    rig: AwsRig,
    platform: Platform,
    job: Callable[..., JobSpec],
    spec_of: Callable[..., EndpointSpec],
    ended: Callable[[JobRef], JobState],
    empty: str,
) -> None:
    [release] = spec_of(1).releases
    before = borne(rig)  # other tests' things, some of which pretend to be another stack's
    platform.store.put("scoring/tagged/rows.csv", b"1,2\n")
    scoring = ScoringSpec(name="tagged", release=release, input="scoring/tagged", output="outputs/tagged")
    for ref in (platform.jobs.submit(job()), platform.jobs.score(scoring)):
        assert ended(ref) is JobState.SUCCEEDED
    careful = EndpointNative(aws=AwsEndpoint(rollout="canary", step=10, bake=timedelta(seconds=60)))
    platform.endpoints.apply(spec_of(1))
    platform.endpoints.apply(spec_of(2, native=careful))
    there = {kind: [one for arn, one in every.items() if arn not in before[kind]] for kind, every in borne(rig).items()}
    assert all(there.values()), there
    own = {STACK_TAG: rig.outputs.stack, PROJECT_TAG: rig.outputs.project, "cost-centre": "7"}
    assert [(kind, one) for kind, every in there.items() for one in every if not has(one, own)] == []
    of_endpoint = {ENDPOINT_TAG: empty, "trivet:team": "risk"}
    for kind in ("configuration", "endpoint", "alarm"):
        assert [one for one in there[kind] if not has(one, of_endpoint)] == []
    models = [one for one in there["model"] if has(one, of_endpoint)]
    assert {one["trivet:model-version"] for one in models} >= {str(release.version)}
    assert not any(has(one, {ENDPOINT_TAG: empty}) for one in (*there["training job"], *there["transform job"]))


@pytest.mark.parametrize("act", ["deploy", "resume", "repair"])
def test_the_budget_of_an_endpoint_counts_it_however_it_came_to_be(
    rig: AwsRig, platform: Platform, spec_of: Callable[..., EndpointSpec], empty: str, act: str
) -> None:
    platform.endpoints.apply(spec_of(1))
    sagemaker, name = rig.client("sagemaker"), rig.outputs.endpoints[empty].name
    if act == "resume":
        platform.endpoints.pause(empty)
        platform.endpoints.resume(empty)
    arn = sagemaker.describe_endpoint(EndpointName=name)["EndpointArn"]
    if act == "repair":  # of a stack whose settings named neither endpoint nor team then
        sagemaker.delete_tags(ResourceArn=arn, TagKeys=[ENDPOINT_TAG, "trivet:team"])
        platform.endpoints.apply(spec_of(1))
    counted = {bearing(*pair) for pair in named(sagemaker.list_tags(ResourceArn=arn)["Tags"]).items()}
    assert bearing(ENDPOINT_TAG, empty) in counted


def test_a_tag_of_the_users_overrules_none_of_ours_and_an_endpoint_without_a_team_has_none(rig: AwsRig) -> None:
    given: Any = tags_of("project", "stack", "dev", {STACK_TAG: "another", "a": "b"})
    assert named(given)[STACK_TAG] == "stack" and named(given)["a"] == "b"
    assert "trivet:team" not in named(tags(rig.outputs, endpoint=ENDPOINTS[1]))
