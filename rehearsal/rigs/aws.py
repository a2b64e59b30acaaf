"""AWS as a rig: the fake, in it what ``infra/stacks/aws`` makes as far as the platform uses it, but without Pulumi."""

from __future__ import annotations

import json
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import boto3

from trivet.core.outputs import AwsNative, EndpointShell, Outputs, Signing
from trivet.core.platform import Platform
from trivet.core.refs import JobRef
from trivet.core.signing import public_pem
from trivet.platforms.aws.clients import Clients
from trivet.platforms.aws.images import SERVING, TRAINING, tag
from trivet.platforms.aws.session import AwsPlatform
from trivet.rehearsal.fakes.aws import Fake
from trivet.rehearsal.rigs import Rig

ACCOUNT = "123456789012"  # moto's
REGION, STACK, PREFIX = "eu-central-1", "aws-rehearsal", "rehearsal-aws"
ENDPOINTS = ("first", "second")
SERVERS = (f"server-{ENDPOINTS[0]}", "server")
"""Roles of the servers of each: the first endpoint names a team."""
SCHEDULES = ("nightly",)
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
COMMANDS = {
    f"*:{TRAINING}-*": [sys.executable, "-P", "-m", "trivet.platforms.container"],
    f"*:{SERVING}-*": [sys.executable, "-P", "-m", "trivet.serving"],
}
"""What runs in a container of each of the stack's images."""


class AwsRig(Rig):
    """A stack named ``aws-rehearsal`` in a fake of its own."""

    def __init__(self, folder: Path) -> None:
        self.fake = self._start(folder)
        self.evidence = f"fake (moto {version('moto')}, containers in {self.fake.mode})"
        self.session = _session()
        self._clients: dict[str, Any] = {}
        self.outputs = self._provision()
        self.platform = self.reconnect()

    def client(self, service: str) -> Any:
        """A client of the rig's own."""
        if service not in self._clients:
            self._clients[service] = self.session.client(service, endpoint_url=self.fake.endpoint)
        return self._clients[service]

    def reconnect(self) -> Platform:
        clients = Clients(ACCOUNT, REGION, STACK, session=self.session, endpoint=self.fake.endpoint)
        return AwsPlatform(self.outputs, clients)

    def force_job_state(self, ref: JobRef, word: str) -> None:
        jobs: Any = self.platform.jobs
        self.fake.force("job", jobs.newest(ref).name, word)

    def close(self) -> None:
        try:
            self.platform.clear()
            left = [one["ModelName"] for one in self.client("sagemaker").list_models()["Models"]]
            self.platform.close()
        finally:
            self.fake.close()
        if left:
            raise RuntimeError(f"The rig left models behind: {', '.join(left)}.")

    def _start(self, folder: Path) -> Fake:
        return Fake(folder / "aws", images=COMMANDS, region=REGION)

    def _provision(self) -> Outputs:
        s3, kms = self.client("s3"), self.client("kms")
        for name in ("store", "records"):
            s3.create_bucket(Bucket=f"{PREFIX}-{name}", CreateBucketConfiguration={"LocationConstraint": REGION})
        data = kms.create_key()["KeyMetadata"]["Arn"]
        signing = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"]["Arn"]
        group = self.client("sagemaker").create_model_package_group(ModelPackageGroupName=f"{PREFIX}-models")
        repository = self._images()
        return Outputs(
            version=1,
            project="rehearsal",
            stack=STACK,
            cloud="aws",
            environment="dev",
            region=REGION,
            regulated=False,
            store=f"s3://{PREFIX}-store",
            models=group["ModelPackageGroupArn"],
            records=f"s3://{PREFIX}-records",
            ledger=f"s3://{PREFIX}-store/ledger",
            metrics=f"cloudwatch:Trivet/{PREFIX}",
            workflows=self._role("workflow"),
            signing=Signing(
                public_key=public_pem(kms.get_public_key(KeyId=signing)["PublicKey"]),
                key_id=signing,
                private_key=f"awskms:///{signing}",
            ),
            endpoints={name: _shell(name) for name in ENDPOINTS},
            native=self._native(data, repository["repositoryUri"]),
        )

    def _images(self) -> dict[str, Any]:
        """The repository, and in it an image for each purpose, which is a name and no more."""
        ecr, name = self.client("ecr"), f"{PREFIX}-images"
        repository = ecr.create_repository(repositoryName=name)["repository"]
        for purpose in (TRAINING, SERVING):
            manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": purpose}, "layers": []}
            ecr.put_image(repositoryName=name, imageManifest=json.dumps(manifest), imageTag=tag(purpose))
        return repository

    def _native(self, key: str, images: str) -> AwsNative:
        return AwsNative(
            account=ACCOUNT,
            partition="aws",
            prefix=PREFIX,
            trainer_role=self._role("trainer"),
            server_roles=dict(zip(ENDPOINTS, map(self._role, SERVERS), strict=True)),
            monitor_role=self._role("monitor"),
            workflow_role=self._role("workflow"),
            scheduler_role=self._role("scheduler"),
            deployer_role=None,
            deployer_roles={},
            key=key,
            images=images,
            subnets=(),
            security_groups=(),
            alerts=f"arn:aws:sns:{REGION}:{ACCOUNT}:{PREFIX}-alerts",
            alarms=dict.fromkeys(ENDPOINTS, ()),
            schedules=SCHEDULES,
            tags={"cost-centre": "7"},
            teams={ENDPOINTS[0]: "risk"},
        )

    def _role(self, what: str) -> str:
        name, iam = f"{PREFIX}-{what}", self.client("iam")
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "sagemaker.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        try:
            return iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        except iam.exceptions.EntityAlreadyExistsException:
            return iam.get_role(RoleName=name)["Role"]["Arn"]


@cache
def _session() -> boto3.Session:
    """One for all rigs of a process: a session keeps the service models that it has read, which are large."""
    return boto3.Session("rehearsal", "rehearsal", region_name=REGION)


def _shell(name: str) -> EndpointShell:
    host = f"runtime.sagemaker.{REGION}.amazonaws.com"
    folder = f"s3://{PREFIX}-store/endpoints/{name}"
    return EndpointShell(name=f"{PREFIX}-{name}", host=host, port=443, folder=folder, most_instances=5)
