"""What a stack on AWS leaves where: no secret outside of the cloud, and nothing in the cloud after its end."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from pulumi.automation import _stack as automation

from trivet.cli import stacks as commands
from trivet.core.errors import TrivetError
from trivet.platforms.local.processes import python_environment
from trivet.rehearsal.fakes.aws import Fake
from trivet.rehearsal.lying import KINDS, lying
from trivet.rehearsal.plugins.guards import STORE
from trivet.rehearsal.plugins.path import rehearsing
from trivet.rehearsal.plugins.store import Store
from trivet.workflows import stack as stacks

from . import aws_project
from .aws_project import PROGRAM, STACK, write_project
from .conftest import client

pytestmark = pytest.mark.slow

NIGHTLY = {"name": "nightly", "at": "cron(30 2 * * ? *)", "timezone": "Europe/Berlin"}
CONFIG = aws_project.CONFIG | {"schedules": json.dumps([NIGHTLY])}
CANARY = 'a canary "sings\\ ü/+?= 5f0c9a'
SECRET_PROGRAM = """
import pulumi
import pulumi_aws as aws

aws.ssm.Parameter(
    "word", name="word", type="SecureString", value=pulumi.Config("lending").require_secret("word"),
    opts=pulumi.ResourceOptions(provider=aws.Provider("word", region="eu-central-1")),
)
"""
UP = """
import sys
from pathlib import Path
from trivet.workflows import stack
stack.up(Path(sys.argv[1]), sys.argv[2])
"""


def forms(secret: str) -> dict[str, bytes]:
    """How a secret may be written, each as the bytes that are then somewhere in a file."""
    escaped = json.dumps(secret)[1:-1]
    texts = {
        "plain": secret,
        "JSON": escaped,
        "JSON, not ASCII": json.dumps(secret, ensure_ascii=False)[1:-1],
        "JSON in JSON": json.dumps(escaped)[1:-1],
        "URL": quote(secret, safe=""),
        "URL path": quote(secret),
        "form": quote_plus(secret),
        "Python": repr(secret)[1:-1],
    }
    found = {name: text.encode() for name, text in texts.items()}
    for skip in range(3):  # wherever it begins within what is encoded; the ends depend on what is beside it
        whole = base64.b64encode(b"\0" * skip + secret.encode())
        found[f"base64, {skip}"] = whole[4 if skip else 0 : -4]
        found[f"base64 for URLs, {skip}"] = found[f"base64, {skip}"].translate(bytes.maketrans(b"+/", b"-_"))
    return found


def places(secret: str, folder: Path) -> list[str]:
    """Every file below a folder that has a form of the secret, and which form."""
    return [
        f"{path.relative_to(folder)}: {name}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for name, form in forms(secret).items()
        if form in path.read_bytes()
    ]


@pytest.fixture
def root(fresh: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project on the embedded engine, in which a user stands; the cloud's own things lie elsewhere."""
    cloud = tmp_path / "cloud"
    given = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "TRIVET_ENGINE": "embedded"}
    for name, value in {**rehearsing(cloud), **given}.items():
        monkeypatch.setenv(name, value)
    root = write_project(tmp_path / "user" / "project", PROGRAM + SECRET_PROGRAM)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def left(fresh: str) -> Callable[[], list[str]]:
    """What is in the fake, and in the stand-ins' own store."""

    def look() -> list[str]:
        stored = [f"{entry.token} {entry.id}" for entry in Store(Path(os.environ[STORE])).all()]
        return sorted([*stored, *lying(lambda service: client(fresh, service))])

    return look


@pytest.fixture
def keeping(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, in which the event logs stay that the Automation API reads and deletes."""
    kept, cleanup = root.parent / "events", automation._cleanup

    def keep(folder: Any, *more: Any) -> None:
        if folder:
            shutil.copytree(folder.name, kept / Path(folder.name).name)
        cleanup(folder, *more)

    monkeypatch.setattr(automation, "_cleanup", keep)
    return root.parent


def test_every_form_of_a_secret_is_found(tmp_path: Path) -> None:
    for number, form in enumerate(forms(CANARY).values()):
        (tmp_path / f"{number}").write_bytes(b"before" + form + b"after")
    for skip in range(3):
        (tmp_path / f"whole-{skip}").write_bytes(base64.b64encode(b"x" * skip + CANARY.encode() + b"behind it"))
    found = {place.partition(":")[0] for place in places(CANARY, tmp_path)}
    assert found == {path.name for path in tmp_path.iterdir()}
    assert places("another", tmp_path) == []


def test_secrets_are_in_no_file_and_no_line_and_nothing_is_left(
    fake: Fake,
    fresh: str,
    root: Path,
    keeping: Path,
    left: Callable[[], list[str]],
    capfd: pytest.CaptureFixture[str],
) -> None:
    fake.forget_calls()
    stacks.configure(root, STACK, config=CONFIG | {"database": "create"})
    stacks.driver_of(root, STACK).set_config({}, secret={"lending:word": CANARY})

    printed: list[str] = []

    def call(verb: Callable[..., None], **options: Any) -> None:
        try:
            verb(stack=STACK, **options)
        except TrivetError as error:
            printed.extend(traceback.format_exception(error))
            raise
        finally:
            printed.extend(capfd.readouterr())
            shutil.copytree(root, keeping / f"after {len(list(keeping.iterdir()))}")  # the next call writes over it

    call(commands.preview, verbose=True)
    fake.fault("PutParameter", code="AccessDeniedException", times=100)
    with pytest.raises(TrivetError, match="not authorized to perform: ssm:PutParameter"):
        call(commands.up, verbose=True)
    fake.clear_faults()
    call(commands.up, verbose=True)
    assert client(fresh, "ssm").get_parameter(Name="word", WithDecryption=True)["Parameter"]["Value"] == CANARY
    [database] = client(fresh, "rds").describe_db_instances()["DBInstances"]
    secret = client(fresh, "secretsmanager").get_secret_value(SecretId=database["MasterUserSecret"]["SecretArn"])
    password = json.loads(secret["SecretString"])["password"]
    call(commands.up, json=True)
    there, services = left(), {kind.service for kind in KINDS} | {"kms", "ssm"}
    made = {call["service"] for call in fake.calls() if call["operation"].startswith(("Create", "Put", "Register"))}
    assert made <= services and len(there) > 60, made - services
    group = f"lending-{STACK}-schedules"
    assert {f"schedule group {group}", f"schedule {group}/nightly"} <= {*there}
    call(commands.destroy, yes=True)

    (keeping / "printed").write_text("".join(printed))
    assert places(CANARY, keeping) == [] and places(password, keeping) == []
    states = [path for path in keeping.glob(f"after */**/{STACK}.json") if "ssm/parameter" in path.read_text()]
    assert len(states) == 2, "the states of both that came up are where they are looked for"
    events = "".join(path.read_text() for path in (keeping / "events").rglob("*") if path.is_file())
    assert "resourcePreEvent" in events and "aws:ssm/parameter:Parameter" in events
    assert "created" in "".join(printed) and "PutParameter" in "".join(printed)
    assert left() == []


@pytest.fixture
def small(root: Path) -> Path:
    """A project whose stack has fewer parts, and no secret."""
    (root / "program" / "__main__.py").write_text(PROGRAM)
    stacks.configure(root, STACK, config=CONFIG | dict.fromkeys(("network", "catalog"), "off"))
    return root


@pytest.mark.parametrize(
    ("operation", "kind"), [("CreateBucket", "error"), ("CreateTrail", "cut"), ("CreateSchedule", "error")]
)
def test_a_stack_that_did_not_come_up_is_destroyed_to_nothing(
    fake: Fake, small: Path, left: Callable[[], list[str]], operation: str, kind: str
) -> None:
    fake.fault(operation, kind=kind, code="AccessDeniedException", times=100)
    with pytest.raises(TrivetError):
        stacks.up(small, STACK)
    assert left() != []
    fake.clear_faults()
    stacks.destroy(small, STACK)
    assert left() == []


def test_what_was_made_without_an_answer_is_told_by_the_audit(
    fake: Fake, small: Path, left: Callable[[], list[str]]
) -> None:
    """Of what AWS made while every answer was lost, Pulumi knows nothing: it is found by its name or its tags."""
    for operation in ("CreateRole", "CreateKey"):
        fake.fault(operation, kind="lost", times=100)
    with pytest.raises(TrivetError):
        stacks.up(small, STACK)
    fake.clear_faults()
    stacks.destroy(small, STACK)
    lost = {one.partition(" ")[2] for one in left() if one.startswith(("role ", "key "))}
    assert {one.partition(" ")[0] for one in left()} == {"role", "key"}
    assert {one.id.rpartition("role/")[2] for one in stacks.audit(small, STACK)} == lost


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"endpoints": '["loan", "fraud"]'}, "engine.creating.done:2"),
        ({"schedules": json.dumps([NIGHTLY, NIGHTLY | {"name": "weekly"}])}, "engine.creating.done:1"),
    ],
)
def test_a_stack_whose_change_was_killed_is_destroyed_to_nothing(
    small: Path, left: Callable[[], list[str]], change: dict[str, str], fault: str
) -> None:
    """What is under way in that moment has names, by which it is found again."""
    stacks.up(small, STACK)
    before = left()
    stacks.configure(small, STACK, config=change)
    environment = python_environment(os.environ) | {"TRIVET_FAULT": fault}
    ran = subprocess.run([sys.executable, "-P", "-c", UP, str(small), STACK], env=environment, timeout=120)
    assert ran.returncode == -signal.SIGKILL and set(left()) > set(before)
    stacks.destroy(small, STACK)
    assert left() == []
