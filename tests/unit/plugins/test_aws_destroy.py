"""What stands in the way of destroying a stack on AWS, what it costs, and what is left, on the stand-ins over moto."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trivet.cli import stacks as commands
from trivet.core.errors import ConfigError, ExitCode
from trivet.core.layout import OUTPUTS_FILE
from trivet.infra.holds import Held
from trivet.rehearsal.plugins.path import rehearsing
from trivet.workflows import stack as stacks

from .aws_project import ACCOUNT, CONFIG, STACK, write_project
from .conftest import client

pytestmark = pytest.mark.slow


@pytest.fixture
def root(fresh: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project on the embedded engine, in which a user stands."""
    for name, value in rehearsing(tmp_path / "rehearsal").items():
        monkeypatch.setenv(name, value)
    for name, value in {
        "TRIVET_ENGINE": "embedded",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, value)
    root = write_project(tmp_path / "project")
    monkeypatch.chdir(root)
    return root


def told(capsys: pytest.CaptureFixture[str]):
    """What the command before printed as JSON."""
    return json.loads(capsys.readouterr().out)


def test_destroy_lists_what_is_protected_then_what_is_left_and_until_when(root: Path, fresh: str, capsys):
    stacks.configure(root, STACK, config=CONFIG | {"environment": "staging"})
    commands.preview(stack=STACK, cost=True, json=True)
    foreseen = told(capsys)["estimate"]
    made = stacks.up(root, STACK, cost=True)
    assert made.estimate is not None and made.estimate.model_dump(mode="json") == foreseen
    assert foreseen["total"].startswith("at least USD ")  # nobody knows the price of a larger database there

    with pytest.raises(Held) as refused:
        commands.destroy(stack=STACK, yes=True, json=True)
    assert refused.value.exit_code == ExitCode.CONFIG and "trivet up --config protect=false" in str(refused.value)
    holds = told(capsys)
    blocking = {(one["resource"], one["why"]) for one in holds if one["blocks"]}
    for name in ("data-key", "signing-key", "store", "records", "logs", "images", "database", "models"):
        assert (name, "protected in Pulumi") in blocking
    assert ("store", "it may hold objects") in blocking and ("images", "it may hold images") in blocking
    assert ("database", "RDS protects it from deletion") in blocking
    outliving = {one["resource"]: one["why"] for one in holds if not one["blocks"]}
    assert outliving["signing-key"].startswith("it is deleted 30 days later")
    assert outliving["data-key"] == "kept when the stack is destroyed"  # it opens the snapshot
    assert all(one["release"] and one["id"] for one in holds)
    assert stacks.preview(root, STACK).changes.keys() == {"same"}

    stacks.up(root, STACK, config={"protect": "false"})
    assert not [one for one in stacks.held(root, STACK) if one.blocks]
    outputs = stacks.stack_home(root, STACK) / OUTPUTS_FILE
    described = outputs.read_text()
    commands.destroy(stack=STACK, yes=True, json=True)
    kept = told(capsys)["kept"]
    assert not outputs.exists()
    outputs.write_text(described)  # as after a destroy that ended before its last step
    assert stacks.destroy(root, STACK).changes.get("delete", 0) == 0
    assert {one["resource"] for one in kept} == {"data-key", "signing-key", "database"}

    commands.destroy(stack=STACK, audit=True, json=True)
    left = told(capsys)
    keys = {one["state"]: one for one in left if one["kind"] == "KMS key"}
    assert keys.keys() == {"pending deletion", "in use"}
    until = datetime.fromisoformat(keys["pending deletion"]["until"])
    assert timedelta(days=29) < until - datetime.now(UTC) < timedelta(days=31)
    [snapshot] = [one for one in left if one["kind"] == "RDS snapshot"]
    assert f"lending-{STACK}-database-final-" in snapshot["id"] and "stays until" in snapshot["note"]
    assert {one["kind"] for one in left} == {"KMS key", "RDS snapshot"}


def test_a_stack_made_again_leaves_a_last_snapshot_each_time(root: Path, fresh: str):
    """RDS takes each name of a snapshot once."""
    stacks.configure(root, STACK, config=CONFIG | {"environment": "staging", "protect": "false"})
    rds = client(fresh, "rds")
    for time in (1, 2):
        stacks.up(root, STACK)
        assert stacks.preview(root, STACK).changes.keys() == {"same"}
        stacks.destroy(root, STACK)
        assert rds.describe_db_instances()["DBInstances"] == []
        assert len(rds.describe_db_snapshots()["DBSnapshots"]) == time


def test_locked_records_and_their_key_outlive_a_regulated_stack(root: Path, fresh: str, capsys):
    stacks.configure(root, STACK, config=CONFIG | {"regulated": "true", "network": "off", "database": "off"})
    stacks.up(root, STACK)
    locked = [one for one in stacks.held(root, STACK) if one.resource == "records"]
    assert {one.blocks for one in locked} == {True, False}
    s3 = client(fresh, "s3")
    name = f"lending-{STACK}-records-{ACCOUNT}-eu-central-1"
    s3.delete_bucket_policy(Bucket=name)  # it asks for TLS, which moto does not speak here
    s3.put_object(Bucket=name, Key="predictions/1", Body=b"{}")
    with pytest.raises(Held, match="protects"):
        stacks.destroy(root, STACK)

    stacks.up(root, STACK, config={"protect": "false"})
    destroyed = stacks.destroy(root, STACK)
    assert "kept when the stack is destroyed" in {one.why for one in destroyed.kept if one.resource == "records"}
    assert s3.get_object(Bucket=name, Key="predictions/1")["Body"].read() == b"{}"
    assert s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]["BlockPublicAcls"] is True
    assert [one["Name"] for one in s3.list_buckets()["Buckets"]] == [name]

    commands.destroy(stack=STACK, audit=True)
    printed = capsys.readouterr().out
    assert "no object can be deleted before it is 3653 days old" in printed
    left = stacks.audit(root, STACK)
    states = {(one.kind, one.state) for one in left}
    assert ("S3 bucket", "locked") in states and ("KMS key", "in use") in states


def test_names_and_account_are_refused_before_the_stack_is_there(root: Path):
    for change, says in (
        ({"account": ""}, "no account is named"),
        ({"region": "eu-centrall-1"}, "did you mean eu-central-1"),
        ({"prefix": "a" * 20, "endpoints": '["loan-"]'}, "'loan-' is no name here"),
    ):
        with pytest.raises(ConfigError, match=says):
            stacks.configure(root, STACK, config=CONFIG | change)
    with pytest.raises(ConfigError, match="named after gcp, and its cloud is aws"):
        stacks.configure(root, "gcp-rehearsal", config=CONFIG)
    with pytest.raises(ConfigError, match="longer than 40 characters"):
        stacks.configure(root, f"{'long' * 9}-rehearsal", config=CONFIG)
    assert list(root.glob("Pulumi.*.yaml")) == [] and not (root / ".trivet").exists()
