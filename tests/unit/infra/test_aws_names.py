"""Whatever a project, a stack and an endpoint are called: each name that the stack gives is one its service takes.

botocore's own models say what most services take; where a model says nothing, the service's documentation does.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trivet.clouds.awsnames import NAMING

from .graphs import DEFAULT, builder

pytestmark = pytest.mark.slow
MODELLED = {
    "cloudtrail/trail:Trail.name": ("cloudtrail", "CreateTrail", "Name"),
    "cloudwatch/eventRule:EventRule.name": ("events", "PutRule", "Name"),
    "cloudwatch/dashboard:Dashboard.dashboardName": ("cloudwatch", "PutDashboard", "DashboardName"),
    "cloudwatch/logGroup:LogGroup.name": ("logs", "CreateLogGroup", "logGroupName"),
    "cloudwatch/metricAlarm:MetricAlarm.name": ("cloudwatch", "PutMetricAlarm", "AlarmName"),
    "cloudwatch/metricAlarm:MetricAlarm.namespace": ("cloudwatch", "PutMetricAlarm", "Namespace"),
    "ecr/repository:Repository.name": ("ecr", "CreateRepository", "repositoryName"),
    "glue/catalogDatabase:CatalogDatabase.name": ("glue", "CreateDatabase", "DatabaseInput.Name"),
    "glue/securityConfiguration:SecurityConfiguration.name": ("glue", "CreateSecurityConfiguration", "Name"),
    "iam/policy:Policy.name": ("iam", "CreatePolicy", "PolicyName"),
    "iam/policy:Policy.path": ("iam", "CreatePolicy", "Path"),
    "iam/role:Role.name": ("iam", "CreateRole", "RoleName"),
    "iam/role:Role.path": ("iam", "CreateRole", "Path"),
    "kms/alias:Alias.name": ("kms", "CreateAlias", "AliasName"),
    "kms/key:Key.description": ("kms", "CreateKey", "Description"),
    "rds/instance:Instance.dbName": ("rds", "CreateDBInstance", "DBName"),
    "rds/instance:Instance.identifier": ("rds", "CreateDBInstance", "DBInstanceIdentifier"),
    "sagemaker/modelPackageGroup:ModelPackageGroup.modelPackageGroupName": (
        "sagemaker", "CreateModelPackageGroup", "ModelPackageGroupName",
    ),
    "scheduler/schedule:Schedule.groupName": ("scheduler", "CreateSchedule", "GroupName"),
    "scheduler/schedule:Schedule.name": ("scheduler", "CreateSchedule", "Name"),
    "scheduler/scheduleGroup:ScheduleGroup.name": ("scheduler", "CreateScheduleGroup", "Name"),
    "sns/topic:Topic.name": ("sns", "CreateTopic", "Name"),
}  # fmt: skip
DOCUMENTED = {
    # "Bucket naming rules", Amazon S3 User Guide
    "s3/bucket:Bucket.bucket": r"(?!xn--|sthree-|amzn-s3-demo-)(?!.*(-s3alias|--ol-s3|--x-s3|--table-s3)$)"
    r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
    # "CreateDBInstance", Amazon RDS API Reference: a letter first, no two hyphens together, none at the end
    "rds/instance:Instance.identifier": r"(?=.{1,63}$)[a-z](-?[a-z0-9])*",
    "rds/instance:Instance.finalSnapshotIdentifier": r"(?=.{1,255}$)[a-zA-Z](-?[a-zA-Z0-9])*",
    "rds/parameterGroup:ParameterGroup.name": r"(?=.{1,255}$)[a-z](-?[a-z0-9])*",
    "rds/subnetGroup:SubnetGroup.name": r"(?!default$)[a-z0-9._ -]{1,255}",
    # "CreateSecurityGroup", Amazon EC2 API Reference
    "ec2/securityGroup:SecurityGroup.name": r"(?!sg-)[a-zA-Z0-9 ._:/()#,@\[\]+=&;{}!$*-]{1,255}",
    # "Naming requirements", AWS CloudTrail User Guide
    "cloudtrail/trail:Trail.name": r"(?=.{3,128}$)[a-zA-Z0-9]([._-]?[a-zA-Z0-9])*",
    "sqs/queue:Queue.name": r"[A-Za-z0-9_-]{1,80}",  # "CreateQueue", Amazon SQS API Reference
    "sns/topic:Topic.name": r"[A-Za-z0-9_-]{1,256}",  # "CreateTopic", Amazon SNS API Reference
    "budgets/budget:Budget.name": r"[^:\\]{1,100}",  # "Budget", AWS Cost Management API Reference
    "kms/alias:Alias.name": r"(?!alias/aws/)alias/[a-zA-Z0-9/_-]{1,250}",  # "CreateAlias", AWS KMS API Reference
}
NAMELESS = {"name", "bucket", "identifier", "dashboardName", "modelPackageGroupName"}
"""Inputs that give a name: one of them on a type that no table has fails the test."""

WORD = st.from_regex(r"\A[a-z]([a-z0-9]|-(?=[a-z0-9])){0,18}\Z")
ENDPOINT = st.from_regex(r"\A[a-z0-9]([a-z0-9]|-(?=[a-z0-9])){0,62}\Z")


def build(project: str, stack: str, config: dict[str, str]) -> dict[str, Any]:
    return builder("aws").build(stack, config, "preview", project=project)


@cache
def shape(service: str, operation: str, member: str) -> dict[str, Any]:
    """What botocore knows of a member's text."""
    found: Any = botocore.session.get_session().get_service_model(service).operation_model(operation).input_shape
    for part in member.split("."):
        found = found.members[part]
    return found.metadata


JAVA = {r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010ffff"}
"""How AWS's models write what Python writes otherwise."""


def wrong(value: str, known: dict[str, Any]) -> bool:
    """Whether the model would refuse the value."""
    pattern = known.get("pattern", "")
    for java, python in JAVA.items():
        pattern = pattern.replace(java, python)
    return bool(
        len(value) < known.get("min", 0)
        or len(value) > known.get("max", sys.maxsize)
        or (pattern and not re.fullmatch(pattern, value))
    )


def names(graph: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every input that gives a name, by type and input."""
    for resource in graph["resources"].values():
        kind = resource["type"].removeprefix("aws:")
        for name, value in resource.items():
            key = f"{kind}.{name}"
            if isinstance(value, str) and (key in MODELLED or key in DOCUMENTED or name in NAMELESS):
                yield key, value


def faults(graph: dict[str, Any]) -> list[str]:
    """Names that a service would refuse, or of which nobody knows whether it would."""
    found = []
    for key, value in names(graph):
        if key in MODELLED and wrong(value, shape(*MODELLED[key])):
            found.append(f"{key} = {value!r}: botocore's model")
        if key in DOCUMENTED and not re.fullmatch(DOCUMENTED[key], value):
            found.append(f"{key} = {value!r}: the documentation")
        if key not in MODELLED and key not in DOCUMENTED and not key.startswith(REFERRING):
            found.append(f"{key}: in no table")
    endpoints = [shell["name"] for shell in graph["output"]["endpoints"].values()]
    known = shape("sagemaker", "CreateEndpoint", "EndpointName")
    return [*found, *(f"endpoint {name!r}" for name in endpoints if wrong(name, known))]


REFERRING = ("s3/bucket", "ec2/", "rds/parameterGroup", "pulumi:", "trivet:")
"""Types whose `bucket` or `name` names another resource, or nothing on AWS."""


@settings(max_examples=20, deadline=None)
@given(project=WORD, stack=WORD, endpoints=st.lists(ENDPOINT, min_size=1, max_size=3, unique=True))
@example(project="a", stack="b", endpoints=["c"])
@example(project="a" * 20, stack="b" * 19, endpoints=["c" * 63, "0"])
@example(project="xn", stack="s3", endpoints=["x-y"])
def test_every_name_is_one_that_its_service_takes(project: str, stack: str, endpoints: list[str]):
    schedules = json.dumps([{"name": "daily", "at": "rate(1 day)"}])
    config = DEFAULT | {"environment": "prod", "repository": "acme/models", "endpoints": json.dumps(endpoints)}
    config |= {"schedules": schedules}
    graph = build(project, stack, config)
    if "refused" in graph:  # only for what is said to be refused
        word = re.match(r"[a-z]*", stack)
        assert list(NAMING.wrong_prefix(f"{project}-{stack}")) or (word and word[0] in OTHERS)
        return
    assert faults(graph) == []
    prefix = graph["output"]["native"]["prefix"]
    assert prefix == f"{project}-{stack}"
    # Roles may touch what begins with the prefix: no name that was cut may have lost it.
    assert all(shell["name"].startswith(f"{prefix}-") for shell in graph["output"]["endpoints"].values())
    physical = [value for key, value in names(graph) if key in MODELLED and key.endswith((".name", "Name"))]
    assert len(physical) > 20


OTHERS = ("gcp", "azure", "local")


@pytest.mark.parametrize(
    ("project", "stack"),
    [
        *((name, "dev") for name in ("Lending", "lend_ing", "lending.io", "le--nding", "9lending")),
        *((name, "dev") for name in ("sg", "sthree", "amzn-s3-demo")),
        ("lending", "dev-"),
        ("a" * 30, "b" * 10),
    ],
)
def test_what_some_service_would_refuse_is_refused_before(project: str, stack: str):
    assert "names would begin with" in build(project, stack, DEFAULT)["refused"].lower()


def test_the_tables_do_catch_names():
    graph = build("lending", "dev", DEFAULT | {"environment": "prod"})
    assert faults(graph) == []
    spoiled = {
        "aws:s3/bucket:Bucket::store": ("bucket", "Store"),
        "aws:iam/role:Role::trainer": ("name", "x" * 65),
        "aws:rds/instance:Instance::database": ("identifier", "a--b"),
        "aws:ecr/repository:Repository::images": ("name", "Models"),
        "aws:sagemaker/modelPackageGroup:ModelPackageGroup::models": ("modelPackageGroupName", "models-"),
        "aws:cloudtrail/trail:Trail::trail": ("name", "a--b"),
    }
    for resource, (name, value) in spoiled.items():
        was = graph["resources"][resource][name]
        graph["resources"][resource][name] = value
        assert len(faults(graph)) >= 1, resource
        graph["resources"][resource][name] = was
