"""Each documented constraint refuses, and with its switch off it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.unit.fakes.waiting import until
from trivet.core.errors import ConfigError
from trivet.rehearsal.fakes.aws.constraints import STRICT, TABLE

from .conftest import BUCKET, HUB, ROLE, TOY, Account, job, variant


def refused(action: Callable[[], Any]) -> str:
    """What the service says to it; an empty text where it takes it."""
    try:
        action()
    except ClientError as error:
        return str(error)
    return ""


def test_names_are_taken_once(aws: Account):
    aws.model("m")
    aws.config("c", variant("m"))
    aws.sagemaker.create_model_package_group(ModelPackageGroupName="g")
    actions = [
        lambda: aws.model("m"),
        lambda: aws.config("c", variant("m")),
        lambda: aws.sagemaker.create_model_package_group(ModelPackageGroupName="g"),
    ]
    said = [refused(action) for action in actions]
    assert "Cannot create already existing endpoint configuration" in said[1]
    assert all("already exist" in one for one in said)
    aws.fake.switch("names-taken", False)
    assert not any(refused(action) for action in actions)


def test_a_job_name_is_used_once_for_ever(aws: Account):
    aws.job("one", {"fail": "at once"})
    aws.ended("one")
    assert "(ResourceInUse)" in (said := refused(lambda: aws.job("one"))) and "must be unique" in said
    aws.fake.switch("job-names-for-ever", False)
    assert not refused(lambda: aws.job("one"))
    assert aws.ended("one")["TrainingJobStatus"] == "Completed"


def test_a_config_needs_its_model_and_an_endpoint_its_config(aws: Account):
    assert "Could not find model" in refused(lambda: aws.config("c", variant("none")))
    assert "Could not find endpoint configuration" in refused(lambda: aws.endpoint("e", "none"))
    aws.fake.switch("config-needs-models", False)
    assert not refused(lambda: aws.config("c", variant("none")))
    ended = aws.endpoint("e", "c")
    assert ended["EndpointStatus"] == "Failed" and "Could not find model" in ended["FailureReason"]


def test_a_config_in_use_is_kept_and_without_the_constraint_the_next_update_fails(aws: Account):
    aws.served("loan")
    aws.config("next", variant("loan"))
    delete = lambda: aws.sagemaker.delete_endpoint_config(EndpointConfigName="loan")  # noqa: E731
    update = lambda: aws.sagemaker.update_endpoint(EndpointName="loan", EndpointConfigName="next")  # noqa: E731
    assert "in use" in refused(delete)
    aws.fake.switch("config-in-use", False)
    assert not refused(delete)
    assert 'Could not find endpoint configuration "arn:' in refused(update)
    aws.fake.switch("endpoint-needs-config", False)
    assert not refused(update)
    assert aws.settled("loan")["EndpointConfigName"] == "next"


def test_an_endpoint_that_is_busy_takes_neither_update_nor_deletion(aws: Account):
    aws.fake.set(startup=2)
    aws.model("never", TOY_PING="503")
    aws.config("never")
    aws.sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="never")
    update = lambda: aws.sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="never")  # noqa: E731
    delete = lambda: aws.sagemaker.delete_endpoint(EndpointName="e")  # noqa: E731
    assert "Cannot update in-progress endpoint" in refused(update)
    assert "Cannot delete in-progress endpoint" in refused(delete)
    aws.fake.switch("endpoint-busy", False)
    assert not refused(delete)
    until(lambda: refused(lambda: aws.sagemaker.describe_endpoint(EndpointName="e")), bool)


def test_an_image_was_pushed_before(aws: Account):
    unknown = f"{HUB}:never"
    algorithm = {"TrainingImage": unknown, "TrainingInputMode": "File"}
    train = lambda name: aws.job(name, AlgorithmSpecification=algorithm)  # noqa: E731
    assert f"Cannot find the requested image: {unknown}" in refused(lambda: train("one"))
    assert f"Requested image {unknown} not found" in refused(lambda: aws.model("m", unknown))
    aws.fake.switch("image-exists", False)
    train("two")
    assert aws.ended("two")["TrainingJobStatus"] == "Failed"
    aws.model("m", unknown)
    aws.config("m")
    ended = aws.endpoint("m", "m")
    assert ended["EndpointStatus"] == "Failed" and "make sure all images" in ended["FailureReason"]


def test_inputs_are_there_before(aws: Account):
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/nothing"}
    channels = [{"ChannelName": "train", "DataSource": {"S3DataSource": source}}]
    train = lambda: aws.job("one", InputDataConfig=channels)  # noqa: E731
    container = {"Image": TOY, "ModelDataUrl": f"s3://{BUCKET}/none/model.tar.gz"}
    model = lambda: aws.sagemaker.create_model(  # noqa: E731
        ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer=container
    )
    assert "No S3 objects found under S3 URL" in refused(train)
    assert "Could not find model data at s3://" in refused(model)
    aws.fake.switch("input-exists", False)
    assert not refused(train) and not refused(model)
    assert "Data download failed" in aws.ended("one")["FailureReason"]
    aws.config("m")
    assert "Could not find model data" in aws.endpoint("m", "m")["FailureReason"]


def test_environments_are_bounded(aws: Account):
    aws.fake.switch(STRICT, False)
    jobs = [{f"K{number}": "v" for number in range(101)}, {"K": "v" * 513}]
    models = [{f"K{n}": "v" for n in range(101)}, {"K": "é" * 513}, {f"K{n}": "v" * 1000 for n in range(40)}]
    for environment in jobs:
        assert "Environment has more than" in refused(lambda: aws.job("one", Environment=environment))  # noqa: B023
    for environment in models:
        assert "32 KB" in refused(lambda: aws.model("m", **environment))  # noqa: B023
    aws.fake.switch("job-environment", False)
    aws.fake.switch("model-environment", False)
    assert not refused(lambda: aws.job("one", Environment=jobs[1]))
    assert not refused(lambda: aws.model("m", **models[1]))
    aws.ended("one")


def test_a_models_prefix_ends_in_a_slash(aws: Account):
    aws.put("open/model.txt", b"weights")
    source = {"S3DataSource": {"S3Uri": f"s3://{BUCKET}/open", "S3DataType": "S3Prefix", "CompressionType": "None"}}
    container = {"Image": TOY, "ModelDataSource": source}
    model = lambda: aws.sagemaker.create_model(  # noqa: E731
        ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer=container
    )
    assert "must end with '/'" in refused(model)
    aws.fake.switch("model-prefix", False)
    assert not refused(model)


def test_a_model_that_is_not_packed_serves_neither_a_batch_nor_a_serverless_endpoint(aws: Account):
    address = aws.put("open/model.txt", b"weights").removesuffix("model.txt")
    source = {"S3DataSource": {"S3Uri": address, "S3DataType": "S3Prefix", "CompressionType": "None"}}
    container = {"Image": TOY, "ModelDataSource": source}
    aws.sagemaker.create_model(ModelName="open", ExecutionRoleArn=ROLE, PrimaryContainer=container)
    aws.sagemaker.create_model_package_group(ModelPackageGroupName="group")
    made = aws.sagemaker.create_model_package(
        ModelPackageGroupName="group",
        InferenceSpecification={
            "Containers": [container],
            "SupportedContentTypes": [],
            "SupportedResponseMIMETypes": [],
        },
    )
    named = {"ModelPackageName": made["ModelPackageArn"]}
    aws.sagemaker.create_model(ModelName="registered", ExecutionRoleArn=ROLE, PrimaryContainer=named)
    aws.put("in/rows", b"a\n")
    place = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/in/"}}

    def batch(model: str) -> None:
        aws.sagemaker.create_transform_job(
            TransformJobName=f"of-{model}",
            ModelName=model,
            TransformInput={"DataSource": place},
            TransformOutput={"S3OutputPath": f"s3://{BUCKET}/out"},
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
        )

    def serverless(model: str) -> None:
        size = {"MemorySizeInMB": 1024, "MaxConcurrency": 1}
        aws.config(f"of-{model}", {"VariantName": "a", "ModelName": model, "ServerlessConfig": size})

    for model in ("open", "registered"):
        for action in (batch, serverless):
            assert "ModelDataSource cannot be used" in refused(lambda: action(model))  # noqa: B023
    aws.fake.switch("model-source-hosted", False)
    assert not refused(lambda: batch("open")) and not refused(lambda: serverless("open"))


def test_a_shadow_follows_one_variant_alone(aws: Account):
    aws.model("m")
    shadow = [variant("m", "shade")]
    two = (variant("m", "a"), variant("m", "b"))
    assert "one variant" in refused(lambda: aws.config("c", *two, ShadowProductionVariants=shadow))
    both = [*shadow, variant("m", "dark")]
    assert "one variant" in refused(lambda: aws.config("c", two[0], ShadowProductionVariants=both))
    assert not refused(lambda: aws.config("one", two[0], ShadowProductionVariants=shadow))
    aws.fake.switch("one-shadow", False)
    assert not refused(lambda: aws.config("c", *two, ShadowProductionVariants=shadow))


def test_spot_jobs_say_how_long_they_may_wait(aws: Account):
    conditions = [(True, {}), (True, {"MaxWaitTimeInSeconds": 59}), (False, {"MaxWaitTimeInSeconds": 60})]
    for spot, wait in conditions:
        request = job("s", EnableManagedSpotTraining=spot, StoppingCondition={"MaxRuntimeInSeconds": 60, **wait})
        assert "MaxWaitTimeInSeconds" in refused(lambda: aws.sagemaker.create_training_job(**request))  # noqa: B023
    aws.fake.switch("spot-wait", False)
    assert not refused(lambda: aws.job("s", EnableManagedSpotTraining=True))
    aws.ended("s")


@pytest.mark.parametrize(
    ("kind", "member", "value"), [("CANARY", "CanarySize", 60), ("LINEAR", "LinearStepSize", 5)], ids=["canary", "step"]
)
def test_steps_of_a_deployment_are_bounded(aws: Account, kind: str, member: str, value: int):
    aws.served()
    aws.config("next", variant("loan"))
    size = {"Type": "CAPACITY_PERCENT", "Value": value}
    policy = {"TrafficRoutingConfiguration": {"Type": kind, "WaitIntervalInSeconds": 0, member: size}}
    update = lambda: aws.sagemaker.update_endpoint(  # noqa: E731
        EndpointName="loan", EndpointConfigName="next", DeploymentConfig={"BlueGreenUpdatePolicy": policy}
    )
    assert member in refused(update)
    assert aws.settled("loan")["EndpointConfigName"] == "loan"
    aws.fake.switch("canary-size", False)
    assert not refused(update)
    assert aws.settled("loan")["EndpointConfigName"] == "next"


def test_a_scaled_variant_is_neither_removed_nor_given_other_instances(aws: Account):
    aws.served()
    scaling = aws.client("application-autoscaling")
    where = {"ServiceNamespace": "sagemaker", "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}
    scaling.register_scalable_target(
        **where, ResourceId="endpoint/loan/variant/main", MinCapacity=1, MaxCapacity=3, RoleARN=ROLE
    )
    aws.config("same", variant("loan"))
    aws.config("larger", variant("loan", InstanceType="ml.m5.xlarge"))
    aws.config("other", variant("loan", "other"))
    updates = {
        name: (lambda name=name: aws.sagemaker.update_endpoint(EndpointName="loan", EndpointConfigName=name))
        for name in ("same", "larger", "other")
    }
    assert not refused(updates["same"])
    aws.settled("loan")
    for name in ("larger", "other"):
        assert "must be deregistered as scalable targets" in refused(updates[name])
    aws.fake.switch("autoscaled-variants", False)
    assert not refused(updates["larger"])
    aws.settled("loan")
    aws.sagemaker.delete_endpoint(EndpointName="loan")
    targets = lambda: scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]  # noqa: E731
    until(targets, lambda found: not found)  # what scales an endpoint goes with it


def test_a_request_is_not_too_large(aws: Account):
    aws.served()
    assert aws.ask(body=b"x" * 6_291_456)["InvokedProductionVariant"] == "main"
    assert "exceeds the limit of 6291456" in refused(lambda: aws.ask(body=b"x" * 6_291_457))
    aws.fake.switch("invocation-body", False)
    assert not refused(lambda: aws.ask(body=b"x" * 6_291_457))


def test_a_serverless_endpoint_takes_less(aws: Account):
    aws.model("m")
    serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
    aws.config("m", {"VariantName": "main", "ModelName": "m", "ServerlessConfig": serverless})
    found = aws.endpoint("m", "m")
    assert found["ProductionVariants"][0]["CurrentServerlessConfig"] == serverless
    assert not refused(lambda: aws.ask("m", b"x" * (4 << 20)))
    assert "exceeds the limit" in refused(lambda: aws.ask("m", b"x" * ((4 << 20) + 1)))


def test_an_answer_comes_in_time(aws: Account):
    aws.served()
    aws.fake.set(invocation=0.3)
    assert "timed out while waiting for a response from container" in refused(lambda: aws.ask(body=b"sleep"))
    aws.fake.switch("invocation-time", False)
    assert not refused(lambda: aws.ask(body=b"sleep"))


@pytest.mark.parametrize("verb", ["put_object", "upload_part"])
def test_what_is_locked_is_put_with_a_checksum(aws: Account, verb: str):
    name, place = f"locked-{verb.replace('_', '-')}", {"LocationConstraint": aws.fake.region}
    aws.s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True, CreateBucketConfiguration=place)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    lock = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    aws.s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=lock)
    request: dict[str, Any] = {"Bucket": name, "Key": "one"}
    if verb == "upload_part":
        request |= {"UploadId": aws.s3.create_multipart_upload(**request)["UploadId"], "PartNumber": 1}
    unchecked = aws.client("s3", Config(request_checksum_calculation="when_required"))
    assert "x-amz-checksum" in refused(lambda: getattr(unchecked, verb)(**request, Body=b"1"))
    assert not refused(lambda: getattr(aws.s3, verb)(**request, Body=b"1", ChecksumAlgorithm="SHA256"))
    aws.fake.switch("locked-upload", False)
    said = refused(lambda: getattr(unchecked, verb)(**request, Body=b"1"))
    assert ("MissingUploadObjectWithObjectLockHeaders" in said) is (verb == "put_object")  # moto itself knows objects


def test_a_group_is_empty_before_it_goes(aws: Account):
    aws.sagemaker.create_model_package_group(ModelPackageGroupName="g")
    both = {"ModelPackageName": "p", "ModelPackageGroupName": "g"}
    assert "Only one of" in refused(lambda: aws.sagemaker.create_model_package(**both))
    aws.fake.switch("package-one-name", False)
    assert not refused(lambda: aws.sagemaker.create_model_package(**both))
    delete = lambda: aws.sagemaker.delete_model_package_group(ModelPackageGroupName="g")  # noqa: E731
    assert "still contains Model Packages" in refused(delete)
    aws.fake.switch("group-empty", False)
    assert not refused(delete)


def test_every_constraint_has_a_source_and_a_test(request: pytest.FixtureRequest):
    text = request.path.read_text()
    assert [name for name in TABLE if name != STRICT and f'"{name}"' not in text] == []
    assert all(entry.rule.endswith(".") and entry.source for entry in TABLE.values())


def test_switches_are_named_as_in_the_table(aws: Account):
    assert all(aws.fake.constraints().values()) and set(aws.fake.constraints()) == set(TABLE)
    aws.fake.switch("input-exists", False)
    assert not aws.fake.constraints()["input-exists"]
    aws.fake.reset()
    assert aws.fake.constraints()["input-exists"]
    with pytest.raises(ConfigError, match="gravity is no constraint"):
        aws.fake.switch("gravity", False)
