"""Training jobs run as in SageMaker's container: what they find, what becomes of what they leave, how they end."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.unit.fakes.waiting import until

from .conftest import BUCKET, TRAIN, Account, job

GROUP = "/aws/sagemaker/TrainingJobs"


def channel(name: str, uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "ContentType": "text/csv"}


def members(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {entry.name: tar.extractfile(entry).read() for entry in tar if entry.isfile()}  # type: ignore[union-attr]


def test_a_job_finds_what_sagemaker_gives_and_leaves_what_it_takes(aws: Account):
    aws.put("data/train/a.csv", b"1,2")
    aws.put("data/train/deep/b.csv", b"3,4")
    aws.put("data/one.csv", b"5,6")
    channels = [channel("train", f"s3://{BUCKET}/data/train"), channel("one", f"s3://{BUCKET}/data/one.csv")]
    aws.job("first", {"depth": "3"}, InputDataConfig=channels, Environment={"LEVEL": "debug"})
    done = aws.ended("first")
    assert (done["TrainingJobStatus"], done["SecondaryStatus"]) == ("Completed", "Completed")
    assert done["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/out/first/output/model.tar.gz"
    passed = [one["Status"] for one in done["SecondaryStatusTransitions"]]
    assert passed == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert all(one["StartTime"] <= one["EndTime"] for one in done["SecondaryStatusTransitions"])
    assert done["TrainingStartTime"] <= done["TrainingEndTime"] and done["Environment"] == {"LEVEL": "debug"}

    said = json.loads(members(aws.get("out/first/output/model.tar.gz"))["said.json"])
    assert said["argv"] == ["train"]
    prefix = "input/data"
    assert said["data"] == {
        f"{prefix}/train/a.csv": "1,2",
        f"{prefix}/train/deep/b.csv": "3,4",
        f"{prefix}/one/one.csv": "5,6",
    }
    config = said["config"]
    assert config["hyperparameters"] == {"depth": "3"}
    assert config["inputdataconfig"]["train"]["TrainingInputMode"] == "File"
    assert config["resourceconfig"]["current_host"] == "algo-1" and config["resourceconfig"]["hosts"] == ["algo-1"]
    environment = said["environment"]
    assert environment["TRAINING_JOB_NAME"] == "first" and environment["LEVEL"] == "debug"
    assert environment["TRAINING_JOB_ARN"] == done["TrainingJobArn"]
    assert "PYTEST_CURRENT_TEST" not in environment and "HOME" not in environment
    if aws.fake.mode == "namespaces":
        assert said["pid"] == 1
    assert members(aws.get("out/first/output/output.tar.gz")) == {"report.txt": b"fine"}


def test_a_job_that_fails_says_why_and_leaves_no_model(aws: Account):
    aws.job("bad", {"fail": "The column income is missing. " + "x" * 2000, "say": "begins"})
    done = aws.ended("bad")
    assert done["TrainingJobStatus"] == "Failed"
    assert done["FailureReason"].startswith("AlgorithmError: The column income is missing.")
    assert len(done["FailureReason"]) == 1024
    assert done["ModelArtifacts"]["S3ModelArtifacts"] == ""
    with pytest.raises(ClientError):
        aws.get("out/bad/output/model.tar.gz")
    assert aws.logged(GROUP) == ["begins"]


def test_its_exit_code_alone_decides(aws: Account):
    algorithm = {"TrainingImage": TRAIN, "TrainingInputMode": "File"}
    aws.job("own", AlgorithmSpecification=algorithm | {"ContainerEntrypoint": ["sh", "-c", "echo away; exit 9"]})
    done = aws.ended("own")
    assert done["FailureReason"] == "AlgorithmError: , exit code: 9"
    aws.job("none", AlgorithmSpecification=algorithm | {"ContainerEntrypoint": ["/no/such/command"]})
    assert aws.ended("none")["TrainingJobStatus"] == "Failed"


def test_a_model_may_stay_unpacked(aws: Account):
    output = {"S3OutputPath": f"s3://{BUCKET}/out/", "CompressionType": "NONE"}
    aws.job("open", OutputDataConfig=output)
    assert aws.ended("open")["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/out/open/output/model/"
    assert json.loads(aws.get("out/open/output/model/said.json"))["argv"] == ["train"]
    assert aws.get("out/open/output/data/report.txt") == b"fine"


def test_a_stopped_job_may_finish_in_order(aws: Account):
    aws.fake.set(grace=0.1)
    aws.job("long", {"sleep": "600", "say": "trains"})
    aws.entered("long", "Training")
    until(lambda: aws.client("logs").describe_log_groups()["logGroups"], bool)
    until(lambda: aws.logged(GROUP), lambda lines: lines == ["trains"])
    aws.sagemaker.stop_training_job(TrainingJobName="long")
    done = aws.ended("long")
    assert (done["TrainingJobStatus"], done["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert "Stopping" in [one["Status"] for one in done["SecondaryStatusTransitions"]]
    assert members(aws.get("out/long/output/model.tar.gz"))["left.txt"] == b"in order"
    with pytest.raises(ClientError, match="status Stopped"):
        aws.sagemaker.stop_training_job(TrainingJobName="long")


def test_a_job_that_does_not_listen_is_killed_with_all_that_it_started(aws: Account):
    aws.job("deaf", {"deaf": "yes", "child": "yes", "sleep": "600"})
    aws.entered("deaf", "Training")
    alive = until(aws.fake.processes, lambda pids: len(pids) >= 3)
    aws.sagemaker.stop_training_job(TrainingJobName="deaf")
    assert aws.ended("deaf")["TrainingJobStatus"] == "Stopped"
    assert not [pid for pid in alive if psutil.pid_exists(pid)]


def test_a_job_ends_when_its_time_is_over(aws: Account):
    aws.job("slow", {"sleep": "600"}, StoppingCondition={"MaxRuntimeInSeconds": 1})
    done = aws.ended("slow")
    assert (done["TrainingJobStatus"], done["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_a_spot_job_goes_on_from_its_checkpoints(aws: Account):
    aws.job(
        "spot",
        {"checkpoint": "yes", "sleep": "600"},
        EnableManagedSpotTraining=True,
        StoppingCondition={"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120},
        CheckpointConfig={"S3Uri": f"s3://{BUCKET}/checkpoints/spot"},
    )
    aws.entered("spot", "Training")
    until(
        lambda: aws.s3.list_objects_v2(Bucket=BUCKET, Prefix="checkpoints/").get("KeyCount"), lambda count: count == 1
    )
    assert aws.get("checkpoints/spot/step") == b"1"
    aws.fake.interrupt("spot")
    done = aws.ended("spot")
    assert done["TrainingJobStatus"] == "Completed"
    passed = [one["Status"] for one in done["SecondaryStatusTransitions"]]
    assert passed.count("Training") == 2 and "Interrupted" in passed
    assert aws.get("checkpoints/spot/step") == b"2"
    assert aws.logged(GROUP) == ["begins at 0", "begins at 1"]


def test_a_job_reaches_the_store_as_its_role(aws: Account):
    aws.job("own", {"obstore": f"s3://{BUCKET}/mine"})
    assert aws.ended("own")["TrainingJobStatus"] == "Completed"
    assert aws.get("mine/own.txt") == b"from the job"
    [call] = [one for one in aws.fake.calls() if one["principal"].startswith("arn:")]
    assert (call["service"], call["operation"], call["resource"]) == ("s3", "PutObject", f"{BUCKET}/mine/own.txt")
    assert call["principal"] == job("x")["RoleArn"]


def test_metrics_are_read_from_what_it_prints(aws: Account):
    algorithm = {
        "TrainingImage": TRAIN,
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": "auc", "Regex": "auc=([0-9.]+)"}],
    }
    aws.job("measured", {"say": "auc=0.75"}, AlgorithmSpecification=algorithm)
    [metric] = aws.ended("measured")["FinalMetricDataList"]
    assert (metric["MetricName"], metric["Value"]) == ("auc", 0.75)


def test_jobs_run_side_by_side(aws: Account):
    for number in range(6):
        aws.job(f"many-{number}", {"say": f"number {number}"})
    assert {aws.ended(f"many-{number}")["TrainingJobStatus"] for number in range(6)} == {"Completed"}
    assert sorted(aws.logged(GROUP)) == [f"number {number}" for number in range(6)]
    pages = aws.sagemaker.get_paginator("list_training_jobs").paginate(NameContains="many", MaxResults=4)
    names = [[one["TrainingJobName"] for one in page["TrainingJobSummaries"]] for page in pages]
    assert [len(page) for page in names] == [4, 2]
    assert {name for page in names for name in page} == {f"many-{number}" for number in range(6)}
