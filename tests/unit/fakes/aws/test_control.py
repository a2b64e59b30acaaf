"""The control API: bad weather on demand, states by decree, and the list of what was called."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, HTTPClientError

from trivet.core.errors import ConfigError
from trivet.rehearsal.fakes.aws import Fake

from .conftest import BUCKET, HUB, Account, variant

LOST = (ConnectionClosedError, EndpointConnectionError, HTTPClientError)


def code(action: Callable[[], Any]) -> tuple[str, int]:
    """The code and the status of an error."""
    with pytest.raises(ClientError) as error:
        action()
    return error.value.response["Error"]["Code"], error.value.response["ResponseMetadata"]["HTTPStatusCode"]


def many(aws: Account) -> dict[str, Callable[[], Any]]:
    """One call of a service of each protocol."""
    return {
        "sagemaker": aws.sagemaker.list_endpoints,
        "s3": lambda: aws.s3.list_objects_v2(Bucket=BUCKET),
        "iam": lambda: aws.client("iam").list_roles(),
        "ec2": lambda: aws.client("ec2").describe_vpcs(),
        "cloudwatch": lambda: aws.client("cloudwatch").describe_alarms(),
        "kms": lambda: aws.client("kms").list_keys(),
        "scheduler": lambda: aws.client("scheduler").list_schedules(),
    }


@pytest.mark.parametrize("service", ["sagemaker", "s3", "iam", "ec2", "cloudwatch", "kms", "scheduler"])
def test_an_error_is_said_in_each_services_own_way(aws: Account, service: str):
    ask = many(aws)[service]
    aws.fake.fault(service=service, code="AccessDeniedException", times=2)
    assert code(ask)[0].startswith("AccessDenied")
    aws.fake.fault(service=service, code="Strange", status=418, message="an odd one", times=1)
    aws.fake.clear_faults()
    ask()
    aws.fake.fault(service=service, code="ThrottlingException")
    assert code(ask)[0] in ("ThrottlingException", "Throttling", "SlowDown")
    ask()
    assert [one for one in aws.fake.calls() if one["service"] == service]


def test_a_fault_befalls_the_next_calls_that_fit_and_no_others(aws: Account):
    aws.fake.fault("ListEndpoints", code="ExpiredTokenException", times=2)
    aws.sagemaker.list_models()
    for _ in range(2):
        assert code(aws.sagemaker.list_endpoints) == ("ExpiredTokenException", 400)
    aws.sagemaker.list_endpoints()
    aws.fake.fault("PutObject", resource="*/secret", code="AccessDeniedException", service="s3")
    aws.put("open", b"1")
    assert code(lambda: aws.put("secret", b"1")) == ("AccessDenied", 403)


def test_the_sdk_retries_what_aws_throttles(aws: Account):
    patient = boto3.client(
        "sagemaker",
        endpoint_url=aws.fake.endpoint,
        region_name=aws.fake.region,
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(retries={"max_attempts": 3, "mode": "standard"}),
    )
    aws.fake.fault("ListEndpoints", times=2)
    assert patient.list_endpoints()["Endpoints"] == []
    assert len([one for one in aws.fake.calls() if one["operation"] == "ListEndpoints"]) == 3


def test_a_cut_call_was_not_done_and_a_lost_one_was(aws: Account):
    create = lambda name: aws.sagemaker.create_model_package_group(ModelPackageGroupName=name)  # noqa: E731
    aws.fake.fault("CreateModelPackageGroup", kind="cut")
    with pytest.raises(LOST):
        create("cut")
    aws.fake.fault("CreateModelPackageGroup", kind="lost")
    with pytest.raises(LOST):
        create("lost")
    groups = aws.sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert [one["ModelPackageGroupName"] for one in groups] == ["lost"]
    aws.fake.fault("PutObject", service="s3", kind="lost")
    with pytest.raises(LOST):
        aws.put("kept", b"yes")
    assert aws.get("kept") == b"yes"


def test_a_delayed_call_is_done_later(aws: Account):
    aws.fake.fault("ListEndpoints", kind="delay", seconds=0.5)
    begun = time.monotonic()
    assert aws.sagemaker.list_endpoints()["Endpoints"] == []
    assert time.monotonic() - begun >= 0.5


def test_reads_lag_behind_writes_when_told_so(aws: Account):
    aws.fake.lag("TrainingJob", 2)
    aws.job("late", {})
    ask = lambda: aws.sagemaker.describe_training_job(TrainingJobName="late")  # noqa: E731
    for _ in range(2):
        with pytest.raises(ClientError, match="Requested resource not found"):
            ask()
    assert ask()["TrainingJobName"] == "late"
    aws.served()
    aws.config("next", variant("loan"))
    aws.fake.lag("Endpoint", 1)
    aws.sagemaker.update_endpoint(EndpointName="loan", EndpointConfigName="next")
    describe = lambda: aws.sagemaker.describe_endpoint(EndpointName="loan")  # noqa: E731
    assert describe()["EndpointStatus"] == "InService"
    assert describe()["EndpointStatus"] == "Updating"
    assert aws.settled("loan")["EndpointConfigName"] == "next"


def test_a_status_by_decree_stays(aws: Account):
    aws.served()
    aws.fake.force("endpoint", "loan", "OutOfService", "a test says so")
    found = aws.sagemaker.describe_endpoint(EndpointName="loan")
    assert (found["EndpointStatus"], found["FailureReason"]) == ("OutOfService", "a test says so")
    aws.job("odd", {"sleep": "1"})
    aws.fake.force("job", "odd", "Levitating")
    time.sleep(1.5)
    assert aws.sagemaker.describe_training_job(TrainingJobName="odd")["TrainingJobStatus"] == "Levitating"
    with pytest.raises(ConfigError, match="There is no job none"):
        aws.fake.force("job", "none", "Failed")


def test_calls_say_service_operation_and_resource(aws: Account):
    aws.fake.forget_calls()
    aws.put("a/b", b"1")
    aws.s3.copy_object(Bucket=BUCKET, Key="c", CopySource=f"{BUCKET}/a/b")
    aws.s3.head_object(Bucket=BUCKET, Key="c")
    aws.s3.list_objects_v2(Bucket=BUCKET)
    aws.s3.get_bucket_versioning(Bucket=BUCKET)
    aws.s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "c"}]})
    key = aws.client("kms").create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    aws.client("kms").sign(KeyId=key, Message=b"digest", SigningAlgorithm="ECDSA_SHA_256")
    aws.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    aws.client("cloudwatch").put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1}])
    aws.sagemaker.create_model_package_group(ModelPackageGroupName="g")
    called = [(one["service"], one["operation"], one["resource"]) for one in aws.fake.calls()]
    assert called == [
        ("s3", "PutObject", f"{BUCKET}/a/b"),
        ("s3", "CopyObject", f"{BUCKET}/c"),
        ("s3", "HeadObject", f"{BUCKET}/c"),
        ("s3", "ListObjectsV2", BUCKET),
        ("s3", "GetBucketVersioning", BUCKET),
        ("s3", "DeleteObjects", BUCKET),
        ("kms", "CreateKey", ""),
        ("kms", "Sign", key),
        ("iam", "CreateRole", "r"),
        ("cloudwatch", "PutMetricData", called[9][2]),
        ("sagemaker", "CreateModelPackageGroup", "g"),
    ]
    assert {(one["principal"], one["region"]) for one in aws.fake.calls()} == {("AKIAREHEARSAL0000000", "eu-central-1")}


def test_what_the_fake_does_by_itself_is_not_in_the_list(aws: Account):
    aws.job("one", {"say": "hello"})
    aws.ended("one")
    services = {one["service"] for one in aws.fake.calls()}
    assert services == {"s3", "sagemaker"}
    assert {one["operation"] for one in aws.fake.calls() if one["service"] == "s3"} == {"CreateBucket"}


def test_a_reset_leaves_nothing(aws: Account):
    aws.served()
    aws.job("long", {"sleep": "600"})
    aws.entered("long", "Training")
    aws.fake.fault("ListEndpoints", times=9)
    aws.fake.switch("input-exists", False)
    assert aws.fake.processes()
    aws.fake.reset()
    assert aws.fake.processes() == [] and aws.fake.calls() == [] and all(aws.fake.constraints().values())
    assert aws.sagemaker.list_endpoints()["Endpoints"] == []
    assert aws.sagemaker.list_training_jobs()["TrainingJobSummaries"] == []
    assert aws.s3.list_buckets()["Buckets"] == []


def test_regions_are_apart(aws: Account):
    aws.sagemaker.create_model_package_group(ModelPackageGroupName="g")
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    other = boto3.client("sagemaker", endpoint_url=aws.fake.endpoint, region_name="us-east-1", **keys)
    assert other.list_model_package_groups()["ModelPackageGroupSummaryList"] == []
    created = other.create_model_package_group(ModelPackageGroupName="g")
    assert created["ModelPackageGroupArn"] == "arn:aws:sagemaker:us-east-1:123456789012:model-package-group/g"


def test_what_is_said_wrongly_is_named(fake: Fake, tmp_path):
    with pytest.raises(ConfigError, match="haste is no setting"):
        fake.set(haste=1)
    with pytest.raises(ConfigError, match="speed cannot be 'fast'"):
        fake.set(speed="fast")
    with pytest.raises(ConfigError, match="explode is no kind of fault"):
        fake.fault(kind="explode")
    with pytest.raises(ConfigError, match="This is no fault"):
        fake.fault(chance=0.5)
    with pytest.raises(ConfigError, match="no entry point"):
        Fake(tmp_path, {f"{HUB}:*": []})
    with pytest.raises(ConfigError, match="haste is no setting"):
        Fake(tmp_path, {}, haste=1)
