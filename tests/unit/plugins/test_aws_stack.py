"""The AWS stack of this repository on the stand-ins: made, found the same, changed, and gone without a trace."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from trivet.core.errors import ConfigError
from trivet.core.outputs import Outputs
from trivet.rehearsal.fakes.aws import Fake

from .conftest import Stack, changed
from .test_stacks import leftovers

pytestmark = pytest.mark.slow

GUIDE = Path(__file__).parents[3] / "docs" / "aws-operator.md"
FREE = {"sts:GetCallerIdentity"}  # "No permissions are required"; API reference of STS
CONFIG = {
    "cloud": "aws",
    "environment": "dev",
    "region": "eu-central-1",
    "account": "123456789012",
    "endpoints": '[{"name": "loan", "team": "credit", "budget": 100}, "fraud"]',
    "alert_emails": '["ml@example.com"]',
    "repository": "acme/models",
    "budget": "1000",
    "tags": '{"cost-center": "17"}',
    "database": "create",
}
PROGRAM = """
from trivet.infra import settings
from trivet.infra.export import export
from trivet.infra.stacks.aws import Stack

pulumi.export("trivet", export(Stack(pulumi.get_stack(), settings.Settings.of(json.loads(r'''%s''')))))
"""


def allowed() -> set[str]:
    """What the guide gives to whoever runs `pulumi up`."""
    policies = re.findall(r"^```json\n(.*?)\n```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    statements = [one for policy in policies for one in json.loads(policy)["Statement"]]
    return {action for one in statements for action in one["Action"]}


def program(**config: str) -> str:
    return PROGRAM % json.dumps(CONFIG | config)


def test_the_stack_is_made_found_the_same_and_leaves_nothing(stack: Stack, fake: Fake):
    fake.forget_calls()
    foreseen = stack.preview(program())
    made = stack.up()
    assert made == foreseen and made["create"] > 90
    outputs = Outputs.parse(stack.outputs()["trivet"], "The stack's output")
    assert outputs.native.cloud == "aws" and outputs.native.account == "123456789012"
    bucket = outputs.store.removeprefix("s3://")
    s3 = stack.client("s3")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert encryption["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == outputs.native.key
    role = stack.client("iam").get_role(RoleName=outputs.native.trainer_role.rsplit("/", 1)[1])["Role"]
    assert "sagemaker.amazonaws.com" in json.dumps(role["AssumeRolePolicyDocument"])
    key = stack.client("kms").get_public_key(KeyId=outputs.signing.key_id)
    assert key["KeyUsage"] == "SIGN_VERIFY"

    assert stack.up() == {}
    stack.driver.refresh()
    assert stack.up() == {}
    assert stack.driver.destroy()["delete"] == made["create"]
    asked = {f"{call['service']}:{call['operation']}" for call in fake.calls() if call["service"] != "s3"}
    assert len(asked) > 60
    assert sorted(asked - allowed() - FREE) == []
    assert stack.store.all() == [] and leftovers(stack) == []


def test_another_endpoint_touches_no_other_part(stack: Stack):
    stack.up(program())
    more = '[{"name": "loan", "team": "credit", "budget": 100}, "fraud", "churn"]'
    assert stack.up(program(endpoints=more)) == {"create": 5, "update": 1}  # log, four alarms; the dashboard


def test_what_a_profile_protects_is_named_before_anything_is_destroyed(stack: Stack):
    stack.up(program(environment="staging"))
    with pytest.raises(ConfigError, match="Protected, and so not deleted") as refused:
        stack.driver.destroy()
    assert "database" in str(refused.value) and "store" in str(refused.value)
    assert changed(stack.driver.preview()) == {}


def test_no_secret_is_in_the_state(stack: Stack):
    stack.up(program())
    exported = stack.driver.export()
    assert "PRIVATE KEY" not in json.dumps(exported)
    named = ("password", "passwordWo", "masterPassword", "authToken")
    assert not [found for found in values_of(exported, named) if found not in ("", None)]


def values_of(value: object, names: tuple[str, ...]) -> list[object]:
    """Everything under one of these names."""
    if isinstance(value, dict):
        own = [item for name, item in value.items() if name in names]
        return own + [found for item in value.values() for found in values_of(item, names)]
    return [found for item in value for found in values_of(item, names)] if isinstance(value, list) else []
