"""Endpoints whose containers really run: what they are given, what comes back, and what goes wrong."""

from __future__ import annotations

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.unit.fakes.waiting import until
from trivet.rehearsal.rigs.package import GOLDEN_ROWS, make_package, score

from .conftest import BUCKET, ROLE, SERVE, TOY, Account, variant

GROUP = "/aws/sagemaker/Endpoints/loan"


def answered(response: dict[str, Any]) -> dict[str, Any]:
    return json.loads(response["Body"].read())


def test_our_server_serves_a_package_as_sagemakers_container(aws: Account, tmp_path: Path):
    make_package(tmp_path / "package")
    for path in (tmp_path / "package").iterdir():
        aws.put(f"packages/loan/{path.name}", path.read_bytes())
    source = {"S3Uri": f"s3://{BUCKET}/packages/loan/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    container = {"Image": SERVE, "ModelDataSource": {"S3DataSource": source}, "Environment": {"TRIVET_SIGNED": "false"}}
    aws.sagemaker.create_model(ModelName="loan", ExecutionRoleArn=ROLE, PrimaryContainer=container)
    aws.config("loan")
    found = aws.endpoint("loan", "loan")
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", "loan")
    [shown] = found["ProductionVariants"]
    assert shown["DeployedImages"][0]["SpecifiedImage"] == SERVE and shown["CurrentInstanceCount"] == 2
    rows = [dict(row) for row in GOLDEN_ROWS]
    scores = [one["score"] for one in answered(aws.ask(body=json.dumps({"instances": rows}).encode()))["predictions"]]
    assert scores == pytest.approx([score(row, 0.5) for row in rows], abs=1e-5)
    for pid in aws.fake.processes():
        for connection in psutil.Process(pid).net_connections():
            assert connection.status != psutil.CONN_LISTEN or connection.laddr.ip == "127.0.0.1"


def test_a_container_gets_what_the_api_passes_on_and_nothing_else(aws: Account):
    aws.served(EXTRA="yes")
    response = aws.ask(CustomAttributes="trace=1", InferenceId="id-1", Accept="application/json")
    assert response["InvokedProductionVariant"] == "main"
    assert response["CustomAttributes"] == "name=loan" and response["ContentType"] == "application/json"
    assert "x-dropped" not in response["ResponseMetadata"]["HTTPHeaders"]
    said = answered(response)
    assert said["files"] == ["model.txt"]
    headers = said["headers"]
    assert headers["x-amzn-sagemaker-custom-attributes"] == "trace=1"
    assert headers["x-amzn-sagemaker-inference-id"] == "id-1" and headers["accept"] == "application/json"
    assert not [name for name in headers if name.startswith(("authorization", "x-amz-"))]


def test_the_model_is_for_reading_only(aws: Account):
    """In a namespace; without one the folder is an ordinary one, as `docs/fake-aws.md` says."""
    aws.served()
    if aws.fake.mode == "namespaces":
        with pytest.raises(ClientError, match="ModelError"):
            aws.ask(body=b"write")
        assert answered(aws.ask())["files"] == ["model.txt"]
    else:
        assert answered(aws.ask(body=b"write"))["files"] == ["model.txt", "new.txt"]


def test_what_a_container_answers_badly_comes_as_a_model_error(aws: Account):
    aws.served()
    for status, kind in ((400, "client"), (422, "client"), (500, "server"), (503, "server")):
        with pytest.raises(
            aws.runtime.exceptions.ModelError, match=rf"{kind} error \({status}\) from primary"
        ) as error:
            aws.ask(body=b"status %d" % status)
        response = error.value.response
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
        assert response["OriginalStatusCode"] == status and response["OriginalMessage"] == "as told"
        assert f"log-group:{GROUP}:log-stream:main/i-" in response["LogStreamArn"]
    until(lambda: aws.logged(GROUP), lambda lines: lines == ["loan got 10 bytes"] * 4)


def test_a_container_that_dies_is_started_again(aws: Account):
    aws.served()
    before = aws.fake.processes()
    with pytest.raises(ClientError, match="ended before it had answered"):
        aws.ask(body=b"die")

    def works() -> bool:
        try:
            return answered(aws.ask())["name"] == "loan"
        except ClientError as error:
            assert error.response["Error"]["Code"] in ("ServiceUnavailable", "ModelError")
            return False

    until(works, bool)
    assert not set(before) & set(aws.fake.processes())


@pytest.mark.parametrize(("name", "value"), [("TOY_CRASH", "1"), ("TOY_PING", "503")], ids=["crash", "unwell"])
def test_a_container_that_never_gets_well_fails_the_endpoint(aws: Account, name: str, value: str):
    aws.fake.set(startup=1)
    aws.model("bad", **{name: value})
    aws.config("bad")
    found = aws.endpoint("loan", "bad")
    assert found["EndpointStatus"] == "Failed"
    assert found["FailureReason"] == (
        "The primary container for production variant main did not pass the ping health check. Please check CloudWatch"
        " logs for this endpoint."
    )
    until(aws.fake.processes, lambda pids: pids == [])
    with pytest.raises(ClientError, match="not in service"):
        aws.ask()
    if name == "TOY_CRASH":
        until(lambda: aws.client("logs").describe_log_groups()["logGroups"], bool)
        until(lambda: aws.logged(GROUP), lambda lines: lines == ["cannot load the model"])
    aws.sagemaker.delete_endpoint(EndpointName="loan")
    until(lambda: aws.sagemaker.list_endpoints()["Endpoints"], lambda found: found == [])


def test_a_model_that_is_no_archive_fails_the_endpoint(aws: Account):
    container = {"Image": TOY, "ModelDataUrl": aws.put("model/broken.tar.gz", b"no archive")}
    aws.sagemaker.create_model(ModelName="broken", ExecutionRoleArn=ROLE, PrimaryContainer=container)
    aws.config("broken")
    assert "Failed to extract model data archive" in aws.endpoint("loan", "broken")["FailureReason"]


def test_traffic_follows_the_weights(aws: Account):
    for name in ("a", "b"):
        aws.model(name)
    variants = [variant("a", "a", InitialVariantWeight=3.0), variant("b", "b", InitialVariantWeight=1.0)]
    aws.config("split", *variants)
    aws.endpoint("loan", "split")
    counted = Counter(aws.ask()["InvokedProductionVariant"] for _ in range(80))
    assert 55 <= counted["a"] <= 65 and counted["a"] + counted["b"] == 80
    assert answered(aws.ask(TargetVariant="b"))["name"] == "b"
    with pytest.raises(ClientError, match="Variant c is not found"):
        aws.ask(TargetVariant="c")
    wanted = [{"VariantName": "a", "DesiredWeight": 0.0, "DesiredInstanceCount": 5}]
    aws.sagemaker.update_endpoint_weights_and_capacities(EndpointName="loan", DesiredWeightsAndCapacities=wanted)
    found = aws.settled("loan")
    assert {one["VariantName"]: one["CurrentWeight"] for one in found["ProductionVariants"]} == {"a": 0.0, "b": 1.0}
    assert {one["VariantName"]: one["CurrentInstanceCount"] for one in found["ProductionVariants"]} == {"a": 5, "b": 2}
    assert {aws.ask()["InvokedProductionVariant"] for _ in range(10)} == {"b"}


def test_a_shadow_gets_a_copy_and_is_not_heard(aws: Account):
    aws.model("live")
    aws.model("shade", TOY_STATUS="500")
    aws.config("both", variant("live"), ShadowProductionVariants=[variant("shade", "shade")])
    found = aws.endpoint("loan", "both")
    assert [one["VariantName"] for one in found["ShadowProductionVariants"]] == ["shade"]
    assert answered(aws.ask(body=b"seven b"))["name"] == "live"
    wanted = ["live got 7 bytes", "shade got 7 bytes"]
    until(lambda: sorted(aws.logged(GROUP)), lambda lines: lines == wanted)


def test_what_is_asked_is_counted_in_cloudwatch(aws: Account):
    aws.served()
    for body in (b"{}", b"status 400", b"status 500"):
        try:
            aws.ask(body=body)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ModelError"
    aws.fake.settle()
    from datetime import UTC, datetime, timedelta

    present = datetime.now(UTC)
    dimensions = [{"Name": "EndpointName", "Value": "loan"}, {"Name": "VariantName", "Value": "main"}]
    sums = {}
    for name in ("Invocations", "Invocation4XXErrors", "Invocation5XXErrors", "ModelLatency"):
        found = aws.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=name,
            Dimensions=dimensions,
            StartTime=present - timedelta(hours=1),
            EndTime=present + timedelta(hours=1),
            Period=86400,
            Statistics=["Sum"],
        )["Datapoints"]
        sums[name] = sum(one["Sum"] for one in found)
    assert sums.pop("ModelLatency") > 0
    assert sums == {"Invocations": 3, "Invocation4XXErrors": 1, "Invocation5XXErrors": 1}


def test_many_ask_at_once(aws: Account):
    aws.served()
    barrier = threading.Barrier(8)

    def ask(number: int) -> int:
        barrier.wait()
        return len(aws.ask(body=b"x" * number)["Body"].read())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(1, 33)))
    assert len([one for one in aws.fake.calls() if one["operation"] == "InvokeEndpoint"]) == 32


def test_a_deleted_endpoint_is_gone_with_its_containers(aws: Account):
    aws.served()
    assert aws.fake.processes()
    aws.sagemaker.delete_endpoint(EndpointName="loan")
    until(lambda: aws.sagemaker.list_endpoints()["Endpoints"], lambda found: found == [])
    assert aws.fake.processes() == []
    with pytest.raises(ClientError, match="Could not find endpoint"):
        aws.sagemaker.describe_endpoint(EndpointName="loan")
    with pytest.raises(ClientError, match=r"\(ValidationError\).* Endpoint loan of account 123456789012 not found"):
        aws.ask()
