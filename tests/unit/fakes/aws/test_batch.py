"""Batch transform and asynchronous inference: files in, files out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.fakes.waiting import until

from .conftest import BUCKET, Account, variant

GROUP = "/aws/sagemaker/TransformJobs"


def transform(aws: Account, name: str, **more: Any) -> None:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/in/"}}
    request = {
        "TransformJobName": name,
        "ModelName": "loan",
        "TransformInput": {"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
        "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/out", "AssembleWith": "Line", "Accept": "text/csv"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **more,
    }
    aws.sagemaker.create_transform_job(**request)


def ended(aws: Account, name: str) -> dict[str, Any]:
    return until(
        lambda: aws.sagemaker.describe_transform_job(TransformJobName=name),
        lambda found: found["TransformJobStatus"] not in ("InProgress", "Stopping"),
    )


def test_every_object_is_transformed(aws: Account):
    aws.model("loan")
    aws.put("in/a.csv", b"1,2\n3,4\n")
    aws.put("in/deep/b.csv", b"5,6\n")
    transform(aws, "one", BatchStrategy="SingleRecord")
    found = ended(aws, "one")
    assert (found["TransformJobStatus"], found["ModelName"]) == ("Completed", "loan")
    assert found["TransformStartTime"] <= found["TransformEndTime"]
    answers = [json.loads(line) for line in aws.get("out/a.csv.out").splitlines()]
    assert [one["headers"]["content-type"] for one in answers] == ["text/csv"] * 2
    assert [one["headers"]["content-length"] for one in answers] == ["4", "4"]
    assert len(aws.get("out/deep/b.csv.out").splitlines()) == 1
    assert aws.fake.processes() == []
    until(lambda: aws.logged(GROUP), lambda lines: lines == ["loan got 4 bytes"] * 3)
    transform(aws, "all", BatchStrategy="MultiRecord")
    ended(aws, "all")
    assert [json.loads(line)["headers"]["content-length"] for line in aws.get("out/a.csv.out").splitlines()] == ["8"]
    listed = aws.sagemaker.list_transform_jobs()["TransformJobSummaries"]
    assert [one["TransformJobStatus"] for one in listed] == ["Completed"] * 2
    with pytest.raises(ClientError, match="must be unique"):
        transform(aws, "one")


def test_a_transform_that_fails_says_so(aws: Account):
    with pytest.raises(ClientError, match="Could not find model"):
        transform(aws, "none")
    aws.model("loan", TOY_STATUS="400")
    with pytest.raises(ClientError, match="No S3 objects found"):
        transform(aws, "none")
    aws.put("in/a.csv", b"1\n")
    transform(aws, "bad")
    found = ended(aws, "bad")
    assert (found["TransformJobStatus"], found["FailureReason"]) == (
        "Failed",
        "ClientError: See job logs for more information",
    )


def test_a_record_that_is_larger_than_a_request_may_be_fails_the_transform(aws: Account):
    aws.model("loan")
    aws.put("in/a.csv", b"1\n" + b"2" * (1 << 20) + b"\n")
    transform(aws, "large", BatchStrategy="MultiRecord", MaxPayloadInMB=1)
    found = ended(aws, "large")
    assert found["TransformJobStatus"] == "Failed"
    assert "size of a single record" in found["FailureReason"]
    transform(aws, "roomy", BatchStrategy="MultiRecord", MaxPayloadInMB=2)
    assert ended(aws, "roomy")["TransformJobStatus"] == "Completed"


def test_answers_are_joined_as_they_are_or_with_a_line_end_after_each(aws: Account):
    aws.model("loan")
    aws.put("in/a.csv", b"1\n2\n")
    source = {"S3OutputPath": f"s3://{BUCKET}/out", "Accept": "text/csv"}
    for how, ends in (("None", 0), ("Line", 2)):
        transform(aws, how, BatchStrategy="SingleRecord", TransformOutput=source | {"AssembleWith": how})
        ended(aws, how)
        assert aws.get("out/a.csv.out").count(b"}\n") == ends


def test_a_transform_can_be_stopped(aws: Account):
    aws.model("loan")
    for number in range(5):
        aws.put(f"in/{number}.csv", b"sleep")
    transform(aws, "long")
    aws.sagemaker.stop_transform_job(TransformJobName="long")
    assert ended(aws, "long")["TransformJobStatus"] == "Stopped"
    assert aws.fake.processes() == []
    with pytest.raises(ClientError, match="status Stopped"):
        aws.sagemaker.stop_transform_job(TransformJobName="long")


def test_an_asynchronous_endpoint_answers_into_the_store(aws: Account):
    aws.model("loan")
    where = {"S3OutputPath": f"s3://{BUCKET}/answers", "S3FailurePath": f"s3://{BUCKET}/failures"}
    aws.config("loan", variant("loan"), AsyncInferenceConfig={"OutputConfig": where})
    assert aws.endpoint("loan", "loan")["AsyncInferenceConfig"]["OutputConfig"] == where
    with pytest.raises(ClientError, match="asynchronous"):
        aws.ask()

    def answer(field: str, body: bytes) -> tuple[dict[str, Any], bytes]:
        place = aws.put("requests/1.json", body)
        taken = aws.runtime.invoke_endpoint_async(
            EndpointName="loan", InputLocation=place, ContentType="application/json", InvocationTimeoutSeconds=5
        )
        assert taken["ResponseMetadata"]["HTTPStatusCode"] == 202 and taken["InferenceId"]
        key = taken[field].removeprefix(f"s3://{BUCKET}/")
        until(lambda: aws.s3.list_objects_v2(Bucket=BUCKET, Prefix=key)["KeyCount"], bool)
        return taken, aws.get(key)

    taken, body = answer("OutputLocation", b"{}")
    assert json.loads(body)["name"] == "loan" and taken["OutputLocation"].startswith(f"s3://{BUCKET}/answers/")
    taken, body = answer("FailureLocation", b"status 422")
    assert body == b"as told" and taken["FailureLocation"].startswith(f"s3://{BUCKET}/failures/")
    with pytest.raises(ClientError, match="Exactly one of"):
        aws.runtime.invoke_endpoint_async(EndpointName="loan")


def test_an_ordinary_endpoint_is_not_asynchronous(aws: Account):
    aws.served()
    with pytest.raises(ClientError, match="not an asynchronous endpoint"):
        aws.runtime.invoke_endpoint_async(EndpointName="loan", InputLocation=aws.put("in", b"{}"))
