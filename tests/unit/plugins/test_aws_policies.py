"""The policy pack over the AWS stack: in prod a fault is refused before it is made, in dev it is told."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from trivet.core.errors import GateRefused
from trivet.infra.driver import Options

from .conftest import CONFIG, Stack
from .test_aws_stack import program

pytestmark = pytest.mark.slow  # its environment is made first

ROOT = Path(__file__).resolve().parents[3]
PACK = ROOT / "governance" / "policy"

FAULT = """
def faulty(args):
    if args.type_ == {type!r} and args.name == {name!r}:
        return pulumi.ResourceTransformResult({{**args.props, **{inputs!r}}}, args.opts)

pulumi.runtime.register_resource_transform(faulty)
"""
ANYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
FAULTS = {
    "rds-private": ("aws:rds/instance:Instance", "database", {"publiclyAccessible": True}),
    "s3-closed": (
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "store-closed",
        {"blockPublicPolicy": False},
    ),
    "kms-rotation": ("aws:kms/key:Key", "data-key", {"enableKeyRotation": False}),
    "iam-actions": ("aws:iam/policy:Policy", "server-policy", {"policy": ANYTHING}),
    "ecr-immutable": ("aws:ecr/repository:Repository", "images", {"imageTagMutability": "MUTABLE"}),
}


@pytest.fixture(scope="session")
def _environment() -> None:
    """What the pack's PulumiPolicy.yaml names."""
    subprocess.run([sys.executable, str(ROOT / "tools" / "environments.py"), "policy"], check=True, capture_output=True)


@pytest.fixture
def held(stack: Stack, _environment, monkeypatch, tmp_path) -> Stack:
    """The stack, held to the pack."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    hold(stack, tmp_path)
    return stack


def hold(stack: Stack, folder: Path, environment: str = "prod", **config: object) -> None:
    """Hold it to the pack with this config, its own config saying what it is for."""
    stack.driver.set_config(CONFIG | {"trivet:environment": environment})
    path = folder / "policies.json"
    path.write_text(json.dumps(config))
    stack.options = Options({PACK: path})  # type: ignore[attr-defined]


def up(stack: Stack, text: str) -> Counter[str]:
    stack.say(text)
    stack.lines.clear()
    return Counter(stack.driver.up(stack.lines.append, stack.options))  # type: ignore[attr-defined]


def fault(rule: str) -> str:
    type_, name, inputs = FAULTS[rule]
    return FAULT.format(type=type_, name=name, inputs=inputs)


def said(stack: Stack) -> str:
    return "\n".join(stack.lines)


def test_the_stack_as_it_is_passes_in_prod(held: Stack):
    assert up(held, program(environment="prod"))["create"] > 90
    assert "trivet" in said(held) and "mandatory" not in said(held)


@pytest.mark.parametrize("rule", FAULTS)
def test_a_fault_is_refused_before_it_is_made(held: Stack, rule):
    with pytest.raises(GateRefused, match="A mandatory policy is violated") as refused:
        up(held, fault(rule) + program(environment="prod"))
    assert rule in said(held)
    type_, name, _ = FAULTS[rule]
    assert not [one for one in held.driver.export()["deployment"].get("resources", [])
                if one["type"] == type_ and one["urn"].endswith(f"::{name}")]  # fmt: skip
    assert refused.value.exit_code == 5


def test_what_only_the_whole_stack_shows_is_refused_by_the_preview(held: Stack):
    """A budget that is missing is no resource that could be refused: the preview fails, and nothing is made."""
    held.say(program(environment="prod", endpoints='["loan"]').replace('"budget": "1000"', '"prefix": "p"'))
    with pytest.raises(GateRefused, match="there is no budget"):
        held.driver.preview(held.lines.append, held.options)  # type: ignore[attr-defined]
    assert held.store.all() == []


TWO = """
import pulumi_aws as aws
known = aws.ec2.Vpc("first", cidr_block="10.0.0.0/16")
traffic = known.id.apply(lambda _: "ALL")
aws.ec2.FlowLog("first", vpc_id=known.id, traffic_type=traffic, log_destination="arn:aws:s3:::a")
aws.ec2.Vpc("second", cidr_block="10.1.0.0/16")
"""


def test_what_a_preview_does_not_know_hides_nothing_else_of_the_whole_stack(held: Stack):
    held.say(TWO)
    with pytest.raises(GateRefused):
        held.driver.preview(held.lines.append, held.options)  # type: ignore[attr-defined]
    assert "second: no log keeps all of its traffic" in said(held)
    assert "first: no log" not in said(held)


def test_in_dev_a_fault_is_told_and_made(held: Stack, tmp_path):
    hold(held, tmp_path, "dev")
    assert up(held, fault("ecr-immutable") + program())["create"] > 90
    assert "ecr-immutable" in said(held) and "its tags may move" in said(held)
    [repository] = held.client("ecr").describe_repositories()["repositories"]
    assert repository["imageTagMutability"] == "MUTABLE"


def test_a_config_of_the_pack_loosens_one_rule(held: Stack, tmp_path):
    hold(held, tmp_path, "prod", **{"ecr-immutable": "advisory"})
    up(held, fault("ecr-immutable") + program(environment="prod"))
    assert "its tags may move" in said(held)
