"""Every rule of the service model is held over HTTP; with the layer off, the same requests get further: the control."""

from __future__ import annotations

import copy
import json
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.exceptions import ClientError

from trivet.rehearsal.fakes.aws.constraints import STRICT
from trivet.rehearsal.fakes.aws.strict import Strict, _compiled

from .conftest import ROLE, TOY, Account, job, variant

MODEL = {"ModelName": "m", "ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": TOY}}
CONFIG = {"EndpointConfigName": "c", "ProductionVariants": [variant("m")]}
GOOD: dict[str, dict[str, Any]] = {
    "CreateTrainingJob": job("j", HyperParameters={"a": "1"}, Tags=[{"Key": "a", "Value": "b"}]),
    "CreateModel": MODEL,
    "CreateEndpointConfig": CONFIG,
    "CreateModelPackageGroup": {"ModelPackageGroupName": "g"},
    "ListEndpoints": {"MaxResults": 5, "SortBy": "Name", "CreationTimeAfter": 1700000000},
}

# The rule, the operation, where in its request, what stands there (or GONE), and what the answer says.
GONE = object()
MUTATIONS: list[tuple[str, str, str, Any, str]] = [
    ("unknown", "CreateTrainingJob", "Surprise", 1, "Unknown parameter in input"),
    ("nested unknown", "CreateTrainingJob", "ResourceConfig.Surprise", 1, "Unknown parameter in ResourceConfig"),
    ("required", "CreateTrainingJob", "OutputDataConfig", GONE, "Missing required parameter in input"),
    ("nested required", "CreateTrainingJob", "AlgorithmSpecification.TrainingInputMode", GONE, "Missing required"),
    ("enum", "CreateTrainingJob", "ResourceConfig.InstanceType", "ml.huge", "enum value set"),
    ("nested enum", "CreateTrainingJob", "AlgorithmSpecification.TrainingInputMode", "Pump", "enum value set"),
    ("pattern", "CreateTrainingJob", "TrainingJobName", "bad_name", "regular expression pattern"),
    ("role's pattern", "CreateTrainingJob", "RoleArn", "arn:aws:iam::1:role/short-account-number", "pattern"),
    ("address's pattern", "CreateTrainingJob", "OutputDataConfig.S3OutputPath", "gs://bucket/out", "pattern"),
    ("longest", "CreateTrainingJob", "TrainingJobName", "x" * 64, "length less than or equal to 63"),
    ("text for a number", "CreateTrainingJob", "ResourceConfig.InstanceCount", "1", "Invalid type"),
    ("yes for a number", "CreateTrainingJob", "ResourceConfig.InstanceCount", True, "be a number"),
    ("number for a text", "CreateTrainingJob", "HyperParameters.a", 1, "Invalid type"),
    ("least", "CreateTrainingJob", "ResourceConfig.InstanceCount", -1, "greater than or equal to 0"),
    (
        "most",
        "CreateTrainingJob",
        "StoppingCondition.MaxPendingTimeInSeconds",
        2419201,
        "less than or equal to 2419200",
    ),
    ("most in a list", "CreateTrainingJob", "Tags", [{"Key": f"k{n}", "Value": ""} for n in range(51)], "equal to 50"),
    ("most in a map", "CreateTrainingJob", "HyperParameters", {f"k{n}": "" for n in range(101)}, "equal to 100"),
    ("key of a map", "CreateTrainingJob", "HyperParameters", {"k" * 257: ""}, "less than or equal to 256"),
    ("member of a list", "CreateTrainingJob", "Tags", [{"Key": "a", "Value": "<>"}], "regular expression"),
    ("text for a structure", "CreateTrainingJob", "ResourceConfig", "big", "Invalid type"),
    ("text for a list", "CreateEndpointConfig", "ProductionVariants", "all", "Invalid type"),
    ("too few", "CreateEndpointConfig", "ProductionVariants", [], "greater than or equal to 1"),
    ("enum in a list", "CreateEndpointConfig", "ProductionVariants.0.InstanceType", "ml.none", "enum value set"),
    ("wait too short", "CreateEndpointConfig", "ProductionVariants.0.ModelDataDownloadTimeoutInSeconds", 59, "60"),
    ("environment's key", "CreateModel", "PrimaryContainer.Environment", {"A B": "c"}, "regular expression"),
    ("image's pattern", "CreateModel", "PrimaryContainer.Image", "two words", "regular expression"),
    ("group's name", "CreateModelPackageGroup", "ModelPackageGroupName", "-g", "regular expression"),
    ("enum in a list operation", "ListEndpoints", "SortBy", "Age", "enum value set"),
    ("too many on a page", "ListEndpoints", "MaxResults", 101, "less than or equal to 100"),
    ("no time", "ListEndpoints", "CreationTimeAfter", "yesterday or so", "Invalid type"),
    ("an operation that moto answers", "CreatePipeline", "PipelineName", "bad_name", "regular expression"),
]


def send(aws: Account, operation: str, request: dict[str, Any]) -> dict[str, Any]:
    """Exactly this body over HTTP: the client's own checks are off."""
    return aws.sagemaker._make_api_call(operation, request)


def raw(aws: Account, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """The same, past the serialiser, which drops what it does not know and writes types as they should be."""
    session = boto3.Session("AKIAREHEARSAL0000000", "rehearsal", region_name=aws.fake.region)
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.httpsession import URLLib3Session

    target = {"X-Amz-Target": f"SageMaker.{operation}", "Content-Type": "application/x-amz-json-1.1"}
    wanted = AWSRequest("POST", aws.fake.endpoint, target, json.dumps(request).encode())
    SigV4Auth(session.get_credentials(), "sagemaker", aws.fake.region).add_auth(wanted)
    answer = URLLib3Session().send(wanted.prepare())
    return answer.status_code, json.loads(answer.content or b"{}")


def changed(operation: str, path: str, value: Any) -> dict[str, Any]:
    request = copy.deepcopy(GOOD.get(operation, {"RoleArn": ROLE, "ClientRequestToken": "t" * 32}))
    *steps, last = path.split(".")
    place: Any = request
    for step in steps:
        place = place[int(step)] if step.isdecimal() else place.setdefault(step, {})
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return request


@pytest.mark.parametrize("operation", GOOD)
def test_what_is_right_is_taken(aws: Account, operation: str):
    send(aws, "CreateModel", MODEL)
    if operation != "CreateModel":
        assert raw(aws, operation, GOOD[operation])[0] == 200


@pytest.mark.parametrize(
    ("operation", "path", "value", "said"), [row[1:] for row in MUTATIONS], ids=[row[0] for row in MUTATIONS]
)
def test_what_breaks_the_model_is_refused(aws: Account, operation: str, path: str, value: Any, said: str):
    status, answer = raw(aws, operation, changed(operation, path, value))
    assert (status, answer["__type"]) == (400, "ValidationException"), answer
    assert "validation error" in answer["message"] and said in answer["message"]
    assert [call for call in aws.fake.calls() if call["operation"] == operation]


def test_every_mistake_is_named_at_once(aws: Account):
    request = GOOD["CreateTrainingJob"] | {"TrainingJobName": "bad_name", "Surprise": 1}
    message = raw(aws, "CreateTrainingJob", request)[1]["message"]
    assert message.startswith("2 validation errors detected: ")
    assert "bad_name" in message and "Surprise" in message


def test_a_runtime_request_is_checked_too(aws: Account):
    aws.served()
    with pytest.raises(ClientError, match="length less than or equal to 1024"):
        aws.ask(CustomAttributes="x" * 1025)
    aws.fake.switch(STRICT, False)
    assert aws.ask(CustomAttributes="x" * 1025)["InvokedProductionVariant"] == "main"


def test_with_the_layer_off_the_same_requests_get_further(aws: Account):
    """The control: nothing else would have refused them. Some fail later, for another reason."""
    aws.fake.switch(STRICT, False)
    send(aws, "CreateModel", MODEL)
    for rule, operation, path, value, _ in MUTATIONS:
        _, answer = raw(aws, operation, changed(operation, path, value))
        assert "validation error" not in answer.get("message", ""), rule
    status, _ = raw(aws, "CreateModelPackageGroup", {"ModelPackageGroupName": "--", "Surprise": 1})
    assert status == 200


def test_every_pattern_and_every_input_of_the_model_can_be_checked():
    session = botocore.session.Session()
    for service in ("sagemaker", "sagemaker-runtime"):
        model: Any = session.get_service_model(service)
        patterns = {shape.metadata.get("pattern") for shape in map(model.shape_for, model.shape_names)} - {None}
        assert len(patterns) > 10
        for pattern in patterns:
            _compiled(pattern)
        for name in model.operation_names:
            shape = model.operation_model(name).input_shape
            problems = Strict().problems({}, shape)
            assert len(problems) == len(shape.required_members if shape else []), name


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [(r"\p{ASCII}*", "a b", "é"), (r"\A\S[\p{Print}]*\z", "ab", "a\n"), (r"[a-z]+", "ab", "ab1")],
)
def test_patterns_of_java_mean_here_what_they_mean_there(pattern: str, good: str, bad: str):
    assert _compiled(pattern).fullmatch(good) and not _compiled(pattern).fullmatch(bad)


def test_an_operation_that_there_is_not_is_refused(aws: Account):
    assert raw(aws, "CreateMiracle", {})[1]["__type"] == "UnknownOperationException"
