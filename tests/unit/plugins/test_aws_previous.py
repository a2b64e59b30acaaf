"""A stack that an earlier version made goes on with this one: nothing that holds something is replaced or deleted.

``states`` has what each version's stack left, made on the stand-ins. Before a release, ``PREVIOUS=write`` writes those
of the version that ``trivet.__version__`` says; one that is there is never changed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import trivet
from trivet.core.errors import ConfigError

from .conftest import Stack
from .test_aws_stack import program

STATES = Path(__file__).with_name("states")
PROFILES = {
    "prod": {"environment": "prod"},
    "regulated": {"environment": "prod", "regulated": "true", "owns_job_logs": "true"},
}
HOLDING = {
    "aws:rds/instance:Instance",
    "aws:s3/bucket:Bucket",
    "aws:kms/key:Key",
    "aws:ecr/repository:Repository",
    "aws:sagemaker/modelPackageGroup:ModelPackageGroup",
    "aws:cloudwatch/logGroup:LogGroup",
    "aws:sns/topic:Topic",
    "aws:ec2/vpc:Vpc",
    "aws:iam/role:Role",
}
"""What holds data, or by whose name the runtime and others find it; endpoints are the runtime's own."""
KEPT = sorted(path.name for path in STATES.glob("*.json"))


@pytest.fixture
def previous(stack: Stack, tmp_path: Path):
    """The stack, as a version left it; and the program of today for the same config."""

    def take(name: str) -> None:
        text = (STATES / name).read_text()
        [signing] = [one for one in resources(text) if one["urn"].endswith("::signing-key")]
        # The program asks for its public half even in a preview: so a key is there, and the state speaks of that one.
        made = stack.client("kms").create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")
        path = tmp_path / "state.json"
        path.write_text(text.replace(signing["id"], made["KeyMetadata"]["KeyId"]))
        stack.driver.take(path)
        stack.say(program(**PROFILES[name.removesuffix(".json").rpartition("-")[2]]))

    return take


def resources(text: str) -> list[dict[str, Any]]:
    return json.loads(text)["deployment"]["resources"]


def steps(stack: Stack) -> list[tuple[str, str]]:
    """What a preview would change, and of what type."""
    found = []
    from pulumi.automation import EngineEvent

    def on_event(event: EngineEvent) -> None:
        if event.resource_pre_event:
            step = event.resource_pre_event.metadata
            found.append((str(step.op.value), step.type))

    with stack.driver._errors():
        stack.driver._open().preview(on_event=on_event)
    return found


@pytest.mark.parametrize("profile", PROFILES)
def test_every_version_has_left_a_state(stack: Stack, profile):
    """With ``PREVIOUS=write`` this version's is written where there is none."""
    name = f"aws-{trivet.__version__}-{profile}.json"
    if os.environ.get("PREVIOUS") == "write" and name not in KEPT:
        stack.up(program(**PROFILES[profile]))
        STATES.mkdir(exist_ok=True)
        (STATES / name).write_text(json.dumps(stack.driver.export(), indent=1) + "\n")
    assert (STATES / name).exists()


@pytest.mark.parametrize("name", KEPT)
def test_nothing_that_holds_something_is_replaced_or_deleted(stack: Stack, previous, name):
    previous(name)
    there = [one["type"] for one in resources((STATES / name).read_text())]
    assert set(there) >= HOLDING
    changes = steps(stack)
    assert {op for op, type_ in changes if type_ in HOLDING} <= {"create", "update"}, changes
    assert stack.driver.preview()["same"] > len([type_ for type_ in there if type_ in HOLDING])


def test_a_replacement_would_be_seen(stack: Stack, previous):
    """The control: a physical name that changes takes what bears it away."""
    previous(KEPT[-1])
    stack.say(program(environment="prod", prefix="other"))
    with pytest.raises(ConfigError, match="would have to be replaced, but is protected"):
        steps(stack)
