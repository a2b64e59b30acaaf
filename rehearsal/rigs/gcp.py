"""Google Cloud as a rig: the fake, in it what ``infra/stacks/gcp`` makes as far as the platform uses it."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from google.oauth2.credentials import Credentials

from trivet.core.outputs import EndpointShell, GcpNative, Outputs, Signing
from trivet.core.platform import Platform
from trivet.core.refs import JobRef
from trivet.core.signing import key_id
from trivet.platforms.gcp.clients import Clients
from trivet.platforms.gcp.images import SERVING, TRAINING
from trivet.platforms.gcp.labels import labels, labels_of, whose
from trivet.platforms.gcp.session import GcpPlatform
from trivet.rehearsal.fakes.gcp import LOCATION, PROJECT, Fake
from trivet.rehearsal.rigs import Rig

STACK, PREFIX = "gcp-rehearsal", "rehearsal-gcp"
ENDPOINTS = ("first", "second")
SCHEDULES = ("nightly",)
OWN = {"cost-centre": "7"}
OWNED = labels_of("rehearsal", STACK, "dev", OWN)
COMMANDS = {
    f"*/{TRAINING}:*": [sys.executable, "-P", "-m", "trivet.platforms.container"],
    f"*/{SERVING}:*": [sys.executable, "-P", "-m", "trivet.serving"],
}
"""What runs in a container of each of the stack's images."""


class GcpRig(Rig):
    """A stack named ``gcp-rehearsal`` in a fake of its own."""

    def __init__(self, folder: Path) -> None:
        self.fake = Fake(folder / "gcp", COMMANDS)
        sdk = version("google-cloud-aiplatform")
        self.evidence = f"fake (messages of google-cloud-aiplatform {sdk}, containers in {self.fake.mode})"
        self.clients = self._clients()
        self.outputs = self._provision()
        self.platform = self.reconnect()

    def reconnect(self) -> Platform:
        return GcpPlatform(self.outputs, self._clients())

    def force_job_state(self, ref: JobRef, word: str) -> None:
        jobs: Any = self.platform.jobs
        self.fake.force(jobs.newest(ref).id, word)

    def close(self) -> None:
        try:
            self.platform.clear()
            path, wanted = f"v1/{self.clients.parent}/models", whose(self.outputs.project, STACK)
            left = [one["name"] for one in self.clients.pages("aiplatform", path, "models", filter=wanted)]
            self.platform.close()
            self.clients.close()
        finally:
            self.fake.close()
        if left:
            raise RuntimeError(f"The rig left models behind: {', '.join(left)}.")

    def _clients(self) -> Clients:
        credentials: Any = Credentials("rehearsal")  # a token, and no way to another one
        return Clients(PROJECT, LOCATION, credentials=credentials, endpoint=self.fake.endpoint)

    def _provision(self) -> Outputs:
        for name in ("store", "records"):
            body = {"name": f"{PREFIX}-{name}", "location": LOCATION, "labels": OWNED}
            self.clients.post("storage", "storage/v1/b", body, project=PROJECT)
        for what in ("trainer", "server"):
            path, body = f"v1/projects/{PROJECT}/serviceAccounts", {"accountId": f"{PREFIX}-{what}"}
            self.clients.post("iam", path, body)
        ring = self.clients.post("cloudkms", f"v1/{self.clients.parent}/keyRings", {}, keyRingId=PREFIX)["name"]
        data = self._key(ring, "data", {"purpose": "ENCRYPT_DECRYPT"})
        template = {"algorithm": "EC_SIGN_P256_SHA256", "protectionLevel": "HSM"}
        signing = self._key(ring, "signing", {"purpose": "ASYMMETRIC_SIGN", "versionTemplate": template})
        signing = f"{signing}/cryptoKeyVersions/1"
        public = self.clients.get("cloudkms", f"v1/{signing}/publicKey")["pem"]
        native = _native(data)
        outputs = Outputs(
            version=1,
            project="rehearsal",
            stack=STACK,
            cloud="gcp",
            environment="dev",
            region=LOCATION,
            regulated=False,
            store=f"gs://{PREFIX}-store",
            models=self.clients.parent,
            records=f"gs://{PREFIX}-records",
            ledger=f"gs://{PREFIX}-store/ledger",
            metrics=f"monitoring:custom.googleapis.com/trivet/{PREFIX}",
            workflows=_account("workflow"),
            signing=Signing(public_key=public, key_id=key_id(public), private_key=f"gcpkms://{signing}"),
            endpoints={name: _shell(name) for name in ENDPOINTS},
            native=native,
        )
        for name, shell in outputs.endpoints.items():
            body = {
                "displayName": shell.name,
                "labels": labels(outputs, endpoint=name),
                "encryptionSpec": {"kmsKeyName": data},
            }
            path = f"v1/{self.clients.parent}/endpoints"
            made = self.clients.post("aiplatform", path, body, endpointId=shell.name)
            self.clients.ended(made, f"Endpoint {name}")
            for alarm in native.alarms[name]:
                self._policy(alarm)
        return outputs

    def _key(self, ring: str, name: str, body: dict[str, Any]) -> str:
        owned = {**body, "labels": OWNED}
        return self.clients.post("cloudkms", f"v1/{ring}/cryptoKeys", owned, cryptoKeyId=name)["name"]

    def _policy(self, name: str) -> None:
        """An alert policy; the fake evaluates no condition."""
        measured = "aiplatform.googleapis.com/prediction/online/error_count"
        filter_ = f'resource.type = "aiplatform.googleapis.com/Endpoint" AND metric.type = "{measured}"'
        threshold = {"filter": filter_, "comparison": "COMPARISON_GT"}
        condition = {"displayName": name, "conditionThreshold": {**threshold, "duration": "60s"}}
        body = {"displayName": name, "combiner": "OR", "conditions": [condition], "userLabels": OWNED}
        self.clients.post("monitoring", f"v3/projects/{PROJECT}/alertPolicies", body)


def _native(key: str) -> GcpNative:
    return GcpNative(
        gcp_project=PROJECT,
        prefix=PREFIX,
        trainer=_account("trainer"),
        server=_account("server"),
        monitor=_account("monitor"),
        workflow=_account("workflow"),
        scheduler=_account("scheduler"),
        deployer=None,
        key=key,
        images=f"{LOCATION}-docker.pkg.dev/{PROJECT}/{PREFIX}",
        attachment=None,
        network=None,
        zones=(),
        alerts=f"projects/{PROJECT}/topics/{PREFIX}-alerts",
        alarms={name: (f"{PREFIX}-{name}-errors", f"{PREFIX}-{name}-latency") for name in ENDPOINTS},
        schedules=SCHEDULES,
        labels=OWN,
        teams={ENDPOINTS[0]: "risk"},
    )


def _account(what: str) -> str:
    return f"{PREFIX}-{what}@{PROJECT}.iam.gserviceaccount.com"


def _shell(name: str) -> EndpointShell:
    host = f"{LOCATION}-aiplatform.googleapis.com"
    folder = f"gs://{PREFIX}-store/endpoints/{name}"
    return EndpointShell(name=f"{PREFIX}-{name}", host=host, port=443, folder=folder, most_instances=5)
