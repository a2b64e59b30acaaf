"""One fake for these tests, empty before each, and AWS's own SDK pointed at it."""

from __future__ import annotations

import io
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.unit.fakes.waiting import until
from trivet.rehearsal.fakes.aws import Fake

HERE = Path(__file__).parent
HUB = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/trivet"
TRAIN, TOY, SERVE = f"{HUB}:training-1", f"{HUB}:toy-1", f"{HUB}:serving-1"
ROLE = "arn:aws:iam::123456789012:role/trainer"
IMAGES = {
    "*:training-*": [sys.executable, str(HERE / "job.py")],
    "*:toy-*": {"argv": [sys.executable, str(HERE / "toy.py")], "env": {"TOY_NAME": "toy"}},
    "*:serving-*": [sys.executable, "-Pm", "trivet.serving"],
    "image:*": [sys.executable, str(HERE / "toy.py")],  # of the programs of the stand-ins
    "*.amazonaws.com/*:1": [sys.executable, str(HERE / "toy.py")],
}
SETTINGS = {"speed": 600.0, "grace": 0.02, "startup": 20.0, "invocation": 60.0, "evaluate": False}
BUCKET = "store"


class Account:
    """An account in the fake: clients, and the shortest way to a job or an endpoint."""

    def __init__(self, fake: Fake) -> None:
        self.fake = fake
        self.s3 = self.client("s3")
        self.sagemaker = self.client("sagemaker")
        self.runtime = self.client("sagemaker-runtime")

    def client(self, service: str, more: Config | None = None) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.fake.endpoint,
            region_name=self.fake.region,
            aws_access_key_id="AKIAREHEARSAL0000000",
            aws_secret_access_key="rehearsal",
            config=Config(retries={"max_attempts": 0}, read_timeout=30, parameter_validation=False).merge(
                more or Config()
            ),
        )

    def put(self, key: str, body: bytes) -> str:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        return f"s3://{BUCKET}/{key}"

    def get(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def job(self, name: str, hyperparameters: dict[str, str] | None = None, **request: Any) -> None:
        self.sagemaker.create_training_job(**job(name, HyperParameters=hyperparameters or {}, **request))

    def ended(self, name: str, seconds: float = 60) -> dict[str, Any]:
        """The job once it has ended."""
        ended = ("Completed", "Failed", "Stopped")
        return until(
            lambda: self.sagemaker.describe_training_job(TrainingJobName=name),
            lambda found: found["TrainingJobStatus"] in ended,
            seconds,
        )

    def entered(self, name: str, secondary: str) -> dict[str, Any]:
        """The job once it is there."""
        return until(
            lambda: self.sagemaker.describe_training_job(TrainingJobName=name),
            lambda found: found["SecondaryStatus"] == secondary,
        )

    def model(self, name: str, image: str = TOY, **environment: str) -> None:
        data = self.put("model/model.tar.gz", tarball({"model.txt": b"weights"}))
        container = {"Image": image, "ModelDataUrl": data, "Environment": {"TOY_NAME": name, **environment}}
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)

    def config(self, name: str, *variants: dict[str, Any], **request: Any) -> None:
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=list(variants) or [variant(name)], **request
        )

    def endpoint(self, name: str, config: str, **request: Any) -> dict[str, Any]:
        """Made, and settled."""
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config, **request)
        return self.settled(name)

    def served(self, name: str = "loan", **environment: str) -> None:
        """An endpoint with a model and a configuration of its name."""
        self.model(name, **environment)
        self.config(name)
        assert self.endpoint(name, name)["EndpointStatus"] == "InService"

    def settled(self, name: str, seconds: float = 60) -> dict[str, Any]:
        busy = ("Creating", "Updating", "RollingBack")
        return until(
            lambda: self.sagemaker.describe_endpoint(EndpointName=name),
            lambda found: found["EndpointStatus"] not in busy,
            seconds,
        )

    def ask(self, name: str = "loan", body: bytes = b"{}", **request: Any) -> dict[str, Any]:
        return self.runtime.invoke_endpoint(EndpointName=name, Body=body, ContentType="application/json", **request)

    def logged(self, group: str) -> list[str]:
        """Every line of a log group."""
        logs = self.client("logs")
        streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
        return [
            event["message"]
            for stream in streams
            for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
        ]


def job(name: str, **request: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": TRAIN, "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **request,
    }


def variant(model: str, name: str = "main", **more: Any) -> dict[str, Any]:
    return {
        "VariantName": name,
        "ModelName": model,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 2,
        "InitialVariantWeight": 1.0,
        **more,
    }


def tarball(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fake]:
    with Fake(tmp_path_factory.mktemp("fake"), IMAGES, **SETTINGS) as fake:
        yield fake
        log = (fake.folder / "fake.log").read_text()
    assert "Traceback" not in log, log


@pytest.fixture
def fake(running: Fake) -> Fake:
    """The fake, empty."""
    running.reset()
    running.set(**SETTINGS)
    return running


@pytest.fixture
def aws(fake: Fake) -> Account:
    """An account with a bucket in it."""
    account = Account(fake)
    account.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": fake.region})
    return account
