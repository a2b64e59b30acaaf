"""What AWS takes: names at their longest, tags, authors; every request fits the service's own model, in full."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trivet.clouds.awsinstances import has_local_disks
from trivet.clouds.awsnames import NAMING
from trivet.core.errors import ConfigError
from trivet.core.outputs import EndpointShell, Outputs
from trivet.core.platform import Platform
from trivet.core.specs import NAME, Approval, EndpointSpec, JobSpec, ModelVersion, ScoringSpec
from trivet.platforms.aws import rollout
from trivet.platforms.aws.jobs import AwsJobs
from trivet.platforms.aws.models import _check_author, _check_tags
from trivet.platforms.aws.scoring import scoring_model, transform
from trivet.platforms.aws.tags import tags
from trivet.platforms.aws.variants import family, plan_of
from trivet.rehearsal.fakes.aws.strict import Strict
from trivet.rehearsal.rigs.aws import ENDPOINTS, AwsRig
from trivet.rehearsal.rigs.package import make_package

names = st.from_regex(NAME, fullmatch=True)
longest = st.one_of(names, st.sampled_from(["a" * 63, f"{'a' * 62}-", f"a{'-' * 62}", f"{'a' * 58}-----"]))
physical = st.from_regex(r"[a-z0-9](-*[a-z0-9]){0,62}", fullmatch=True).filter(lambda text: len(text) <= 63)
parts = st.one_of(
    st.from_regex(NAMING.part.pattern, fullmatch=True).filter(lambda text: len(text) <= 63),
    st.sampled_from(["a" * 63, f"{'a' * 54}-{'b' * 8}", f"{'a' * 58}-{'b' * 4}"]),
)
prefixes = st.from_regex(r"[a-z0-9](-*[a-z0-9]){0,45}", fullmatch=True)
strict = Strict()
service: Any = botocore.session.Session().get_service_model("sagemaker")
watching: Any = botocore.session.Session().get_service_model("cloudwatch")
DIGEST = f"sha256:{'0' * 64}"
quietly = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def problems(operation: str, request: dict[str, Any], model: Any = service) -> list[str]:
    return strict.problems(request, model.operation_model(operation).input_shape)


def prefixed(outputs: Outputs, prefix: str) -> Outputs:
    return outputs.model_copy(update={"native": outputs.native.model_copy(update={"prefix": prefix})})


@quietly
@given(prefix=prefixes, name=longest, attempt=st.sampled_from([1, 9999]))
def test_every_name_of_a_job_fits(rig: AwsRig, prefix: str, name: str, attempt: int) -> None:
    outputs: Any = prefixed(rig.outputs, prefix)
    jobs = AwsJobs(rig.platform.clients, outputs, outputs.native, rig.platform.store, rig.platform.check)  # type: ignore[attr-defined]
    spec = JobSpec.model_validate(
        {
            "name": name,
            "source": "source/a",
            "command": ["python"],
            "output": "outputs/a",
            "inputs": {"a" * 64: "data"},
            "native": {"aws": {"spot": True, "instances": 100, "volume_gb": 16384}},
        }
    )
    attempts = jobs._attempts
    physical = attempts.physical(name, attempt)
    request = jobs._request(spec, physical, f"jobs/{name}/{'0' * 64}.json")
    assert problems("CreateTrainingJob", request) == []
    assert attempts.physical(name, 1) != attempts.physical(f"{name}a"[:63], 1) or f"{name}a"[:63] == name
    release = {"model": "loan", "version": 1, "digest": DIGEST}
    scoring = ScoringSpec.model_validate({"name": name, "release": release, "input": "a", "output": "outputs/a"})
    assert problems("CreateModel", scoring_model(scoring, outputs, outputs.native)) == []
    asked = transform(scoring, "text/csv", 1 << 20, physical, outputs, outputs.native)
    assert problems("CreateTransformJob", asked) == []


@quietly
@given(shell=physical, name=parts)
def test_every_name_of_an_endpoint_fits(rig: AwsRig, shell: str, name: str) -> None:
    release = {"model": "loan", "version": 1, "digest": DIGEST, "traffic": 10}
    given: dict[str, Any] = {
        "name": name,
        "releases": [release] * 10,
        "native": {"aws": {"rollout": "linear", "step": 10, "bake": 2000, "startup": 3600}},
    }
    spec = EndpointSpec.model_validate(given)
    whole = {**release, "traffic": 100}
    alone = EndpointSpec.model_validate({**given, "releases": [whole], "shadow": {**whole, "version": 2}})
    there = EndpointShell(name=shell, host="host", port=443, folder="s3://store/endpoints/a", most_instances=4)
    native: Any = rig.outputs.native
    roles = {name: native.server_roles[ENDPOINTS[0]]}
    outputs: Any = rig.outputs.model_copy(update={"native": native.model_copy(update={"server_roles": roles})})
    plan, shadowed = (plan_of(one, there, outputs, outputs.native) for one in (spec, alone))
    for model in (*plan.models, *shadowed.models):
        assert problems("CreateModel", model) == []
        assert model["ModelName"].startswith(family(there))
    assert problems("CreateEndpointConfig", plan.config) == problems("CreateEndpointConfig", shadowed.config) == []
    [shadow] = shadowed.config["ShadowProductionVariants"]
    assert len(set(plan.variants)) == 10 and shadow["VariantName"] not in shadowed.variants
    request = {
        "EndpointName": shell,
        "EndpointConfigName": plan.name,
        "DeploymentConfig": rollout.deployment(spec, plan.name),
    }
    assert problems("UpdateEndpoint", request) == []
    alarms = rollout.alarms_of(plan.name, shell, plan.variants)
    assert [one["AlarmName"] for one in alarms] == rollout.alarm_names(plan.name, 10)
    for alarm in alarms:
        assert problems("PutMetricAlarm", {**alarm, "Tags": tags(outputs)}, watching) == []


@quietly
@given(one=physical, two=physical, name=st.from_regex(r"[0-9a-f]{12}", fullmatch=True))
def test_what_is_of_one_endpoint_is_of_no_other(one: str, two: str, name: str) -> None:
    shells = [EndpointShell(name=text, host="host", port=443, folder="folder", most_instances=4) for text in (one, two)]
    mine, others = (family(shell) for shell in shells)
    theirs = f"{mine}{name}".startswith(others) and len(mine) == len(others)
    assert theirs == (one == two)


@quietly
@given(key=st.text(max_size=130), value=st.text(max_size=260))
def test_what_passes_our_check_passes_sagemakers(key: str, value: str) -> None:
    request = {"ModelPackageArn": "arn:aws:sagemaker:eu-central-1:123456789012:model-package/a/1"}
    try:
        _check_tags({key: value}, 45)
        _check_author(value)
    except ConfigError:
        return
    assert problems("UpdateModelPackage", {**request, "CustomerMetadataProperties": {key: value}}) == []


@pytest.mark.parametrize("tag", [{"a": "b, c"}, {"a#": "b"}, {"a": "b\n"}, {"a": ""}, {"a": "x" * 257}], ids=str)
def test_tags_that_sagemaker_does_not_take_are_refused_before_anything_is_stored(
    rig: AwsRig, platform: Platform, tag: dict[str, str], tmp_path: Path, version_of: Callable[[int], ModelVersion]
) -> None:
    make_package(tmp_path / "package", intercept=7.5)
    rig.fake.forget_calls()
    with pytest.raises(ConfigError, match="SageMaker"):
        platform.models.register("limits", tmp_path / "package", author="ada", tags=tag)
    assert not [one for one in rig.fake.calls() if one["operation"] in ("PutObject", "CreateModelPackage")]
    approval = Approval(
        actor="ada", status="approved", reason="good", identity="a test", time=datetime(2026, 1, 1, tzinfo=UTC)
    )
    version = version_of(2)
    with pytest.raises(ConfigError, match="SageMaker"):
        platform.models.tag(version, tags=tag, approval=approval)
    assert platform.models.get(str(version)).approval is None


def test_an_author_whom_sagemaker_does_not_take_is_refused_before_anything_is_stored(
    platform: Platform, tmp_path: Path
) -> None:
    make_package(tmp_path / "package", intercept=7.6)
    with pytest.raises(ConfigError, match="author"):
        platform.models.register("limits", tmp_path / "package", author="Ada <ada@example.org>", tags={})
    assert list(platform.models.list("limits")) == []
    version = platform.models.register(
        "limits", tmp_path / "package", author="Ada Émile @ example.org", tags={"a": "b c"}
    )
    assert version.author == "Ada Émile @ example.org"


@pytest.mark.parametrize(
    ("instance_type", "own_disks"),
    [
        ("ml.m5.large", False),
        ("ml.p3.2xlarge", False),
        ("ml.r5d.large", True),
        ("ml.g4dn.xlarge", True),
        ("ml.g5.xlarge", True),
        ("ml.p4de.24xlarge", True),
    ],
)
def test_a_machine_with_disks_of_its_own_is_given_no_key(rig: AwsRig, instance_type: str, own_disks: bool) -> None:
    outputs: Any = rig.outputs
    shell = outputs.endpoints["first"]
    release = {"model": "loan", "version": 1, "digest": DIGEST}
    native = {"aws": {"instance_type": instance_type}}
    spec = EndpointSpec.model_validate({"name": "first", "releases": [release], "native": native})
    config = plan_of(spec, shell, outputs, outputs.native).config
    assert config.get("KmsKeyId") == (None if own_disks else outputs.native.key)
    jobs = AwsJobs(rig.platform.clients, outputs, outputs.native, rig.platform.store, rig.platform.check)  # type: ignore[attr-defined]
    given = {"name": "a", "source": "source/a", "command": ["python"], "output": "outputs/a", "native": native}
    asked = jobs._request(JobSpec.model_validate(given), "a-1", "jobs/a/1.json")
    assert asked["ResourceConfig"].get("VolumeKmsKeyId") == (None if own_disks else outputs.native.key)
    assert problems("CreateTrainingJob", asked) == [] and problems("CreateEndpointConfig", config) == []


@pytest.mark.parametrize(
    ("instance_type", "own"),
    [("ml.c6g.xlarge", False), ("ml.c6gd.xlarge", True), ("ml.inf2.xlarge", False), ("ml.dl1.24xlarge", True)],
)
def test_a_name_says_whether_there_are_disks(instance_type: str, own: bool) -> None:
    assert has_local_disks(instance_type) is own
