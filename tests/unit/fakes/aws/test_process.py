"""The fake as a process: on loopback only, and nothing stays behind, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.unit.fakes.waiting import gone, until
from trivet.rehearsal.fakes.aws import Fake
from trivet.rehearsal.fakes.aws.mounts import ML
from trivet.rehearsal.fakes.containers import NAMESPACES, VARIABLES, can_unshare

from .conftest import BUCKET, IMAGES, SETTINGS, Account

PARENT = """
import json, sys, time
from pathlib import Path
from trivet.rehearsal.fakes.aws import Fake
with Fake(Path(sys.argv[1]), json.loads(sys.argv[2]), mode=sys.argv[3]) as fake:
    print(fake.endpoint, fake.pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture(params=[NAMESPACES, VARIABLES] if can_unshare([ML]) else [VARIABLES])
def mode(request: pytest.FixtureRequest) -> str:
    """The ways to keep containers that this kernel has."""
    return request.param


def busy(fake: Fake) -> list[int]:
    """The processes of an endpoint and a job with a child of its own."""
    aws = Account(fake)
    aws.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": fake.region})
    aws.served()
    aws.job("long", {"sleep": "600", "child": "yes", "deaf": "yes"})
    aws.entered("long", "Training")
    return until(fake.processes, lambda pids: len(pids) >= 5)


def test_it_ends_with_all_its_containers(mode: str, tmp_path: Path):
    with Fake(tmp_path, IMAGES, mode=mode, **SETTINGS) as fake:
        assert fake.mode == mode
        pids = busy(fake)
    gone([*pids, fake.pid])
    assert list((tmp_path / "containers").iterdir()) == []


def test_killed_it_leaves_no_container(mode: str, tmp_path: Path):
    with Fake(tmp_path, IMAGES, mode=mode, **SETTINGS) as fake:
        pids = busy(fake)
        fake.kill()
        gone([*pids, fake.pid])


def test_it_dies_with_whoever_started_it(mode: str, tmp_path: Path):
    import json

    command = [sys.executable, "-Pc", PARENT, str(tmp_path), json.dumps(IMAGES), mode]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        endpoint, pid = parent.stdout.readline().split()
        fake = Fake.__new__(Fake)  # the same handle, in another process
        fake.endpoint, fake.region, fake.folder = endpoint, "eu-central-1", tmp_path
        pids = busy(fake)
        os.kill(parent.pid, signal.SIGKILL)
        gone([*pids, int(pid)])


def test_jobs_and_servers_run_without_namespaces_too(tmp_path: Path):
    with Fake(tmp_path, IMAGES, mode=VARIABLES, **SETTINGS) as fake:
        aws = Account(fake)
        aws.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": fake.region})
        aws.put("data/a.csv", b"1")
        aws.job("one", {"say": "here"})
        assert aws.ended("one")["TrainingJobStatus"] == "Completed"
        aws.served()
        assert b"model.txt" in aws.ask()["Body"].read()
        aws.job("left", {"sleep": "600", "say": "ready"})
        aws.entered("left", "Training")
        until(lambda: aws.logged("/aws/sagemaker/TrainingJobs"), lambda lines: "ready" in lines)
        fake.set(grace=0.1)
        aws.sagemaker.stop_training_job(TrainingJobName="left")
        assert aws.ended("left")["TrainingJobStatus"] == "Stopped"
        assert aws.s3.list_objects_v2(Bucket=BUCKET, Prefix="out/left/")["KeyCount"] == 1


def test_it_listens_on_loopback_only(fake: Fake):
    listening = [one for one in psutil.Process(fake.pid).net_connections() if one.status == psutil.CONN_LISTEN]
    assert [one.laddr.ip for one in listening] == ["127.0.0.1"]
    assert fake.endpoint == f"http://127.0.0.1:{listening[0].laddr.port}"


def test_its_environment_leads_nowhere_else(fake: Fake, monkeypatch: pytest.MonkeyPatch):
    import boto3
    from obstore.store import S3Store

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in fake.environment.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": fake.region})
    S3Store("mine").put("key", b"value")
    assert boto3.client("s3").get_object(Bucket="mine", Key="key")["Body"].read() == b"value"
    assert boto3.client("sts").get_caller_identity()["Account"] == "123456789012"
