"""The program that docs/infra.md shows, on the stand-ins: a network of the user's own, and Trivet's stack in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from trivet.core.outputs import Outputs

from .conftest import Stack

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "docs" / "infra.md"


def test_the_stack_uses_the_network_of_the_program_and_leaves_it_alone(stack: Stack):
    [program] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    foreseen = stack.preview(program)
    assert stack.up() == foreseen
    outputs = Outputs.parse(stack.outputs()["trivet"], "The stack's output")
    ec2 = stack.client("ec2")
    [vpc] = [one for one in ec2.describe_vpcs()["Vpcs"] if not one["IsDefault"]]
    found = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
    assert sorted(outputs.native.subnets) == sorted(one["SubnetId"] for one in found) and len(found) == 2
    [database] = stack.client("rds").describe_db_instances()["DBInstances"]
    assert database["DBSubnetGroup"]["VpcId"] == vpc["VpcId"]
    assert ec2.describe_vpc_endpoints()["VpcEndpoints"] == []
    assert stack.up() == {}

    own = "stack = Stack(pulumi.get_stack(), settings)\n\npulumi.export(OUTPUT, export(stack))\n"
    assert own in program
    stack.up(program.replace(own, ""))
    assert [one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"] if not one["IsDefault"]] == [vpc["VpcId"]]
    assert {one["SubnetId"] for one in found} <= {one["SubnetId"] for one in ec2.describe_subnets()["Subnets"]}
    assert stack.client("s3").list_buckets()["Buckets"] == []
