"""Pulumi's stand-ins on this fake instead of on moto alone: the same stack, and an endpoint with real containers."""

from __future__ import annotations

import pytest

from trivet.core.errors import PlatformError
from trivet.rehearsal.fakes.aws import Fake

from ...plugins import test_aws_stack, test_programs  # noqa: TID252
from ...plugins.conftest import Stack, _surroundings, fresh, stack  # noqa: TID252  fixtures of the stand-ins' tests

__all__ = ["_surroundings", "fresh", "stack"]


@pytest.fixture
def moto(fake: Fake) -> str:
    """What the fixtures of the stand-ins take for moto."""
    return fake.endpoint


@pytest.mark.slow
def test_the_stack_is_the_same_here(stack: Stack, fake: Fake):
    test_aws_stack.test_the_stack_is_made_found_the_same_and_leaves_nothing(stack, fake)


def test_an_endpoint_is_made_updated_and_deleted_and_each_is_waited_for(stack: Stack, fake: Fake):
    stack.up(test_programs.SERVED % ("image:1", "ml.m5.large"))
    ml = stack.client("sagemaker")
    [endpoint] = ml.list_endpoints()["Endpoints"]
    assert endpoint["EndpointStatus"] == "InService" and fake.processes()

    assert stack.up(test_programs.SERVED % ("image:1", "ml.m5.xlarge")) == {"replace": 1, "update": 1}
    found = ml.describe_endpoint(EndpointName=endpoint["EndpointName"])
    [config] = [one["EndpointConfigName"] for one in ml.list_endpoint_configs()["EndpointConfigs"]]
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", config)
    assert found["CreationTime"] == endpoint["CreationTime"]  # updated, not made again
    assert stack.up() == {}
    stack.driver.destroy()
    assert ml.list_endpoints()["Endpoints"] == [] and fake.processes() == []


def test_an_endpoint_that_does_not_come_up_fails_the_program(stack: Stack, fake: Fake):
    fake.set(startup=1)
    program = test_programs.SERVED.replace('{"image": %r}', '{"image": %r, "environment": {"TOY_PING": "500"}}')
    with pytest.raises(PlatformError, match="is Failed: The primary container"):
        stack.up(program % ("image:1", "ml.m5.large"))
