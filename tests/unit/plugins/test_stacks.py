"""A program of the size of a real stack: made at once from many threads, the same again, found again, and gone."""

from __future__ import annotations

from pathlib import Path

from .conftest import Stack, changed

LENDING = Path(__file__).with_name("lending_aws.py").read_text()


def test_a_whole_stack_on_aws(stack: Stack):
    assert set(stack.preview(LENDING)) == {"create"}
    made = stack.up()
    assert made["create"] > 60
    assert stack.outputs()["endpoint"].endswith("endpoint/loan")
    [vpc] = stack.client("ec2").describe_vpcs(Filters=[{"Name": "tag:project", "Values": ["lending"]}])["Vpcs"]
    assert vpc["CidrBlock"] == "10.20.0.0/16"
    stack.driver.refresh()  # attachments to a policy, rules of a group: some outputs change by what comes after
    assert stack.up() == {}
    assert changed(stack.driver.refresh()) == {}
    assert stack.driver.destroy() == {"delete": made["create"]}
    assert stack.store.all() == []
    assert leftovers(stack) == []


def leftovers(stack: Stack) -> list[str]:
    """What is still in moto, whoever forgot it."""
    ask = {
        "s3": [("list_buckets", "Buckets")],
        "iam": [("list_roles", "Roles"), ("list_open_id_connect_providers", "OpenIDConnectProviderList")],
        "sagemaker": [
            ("list_models", "Models"),
            ("list_endpoints", "Endpoints"),
            ("list_endpoint_configs", "EndpointConfigs"),
            ("list_pipelines", "PipelineSummaries"),
        ],
        "ecr": [("describe_repositories", "repositories")],
        "logs": [("describe_log_groups", "logGroups")],
        "sns": [("list_topics", "Topics")],
        "sqs": [("list_queues", "QueueUrls")],
        "cloudwatch": [("describe_alarms", "MetricAlarms")],
        "events": [("list_rules", "Rules")],
        "scheduler": [("list_schedules", "Schedules")],
        "cloudtrail": [("list_trails", "Trails")],
        "rds": [("describe_db_instances", "DBInstances"), ("describe_db_subnet_groups", "DBSubnetGroups")],
    }
    found = [
        f"{service} {operation}"
        for service, calls in ask.items()
        for operation, key in calls
        if getattr(stack.client(service), operation)().get(key)
    ]
    policies = stack.client("iam").list_policies(Scope="Local")["Policies"]
    networks = [one for one in stack.client("ec2").describe_vpcs()["Vpcs"] if not one["IsDefault"]]
    return [*found, *(["policies"] if policies else []), *(["networks"] if networks else [])]
