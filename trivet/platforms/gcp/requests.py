"""The request of a custom job, without any SDK: the stack's schedules send one, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from trivet.core.specs import GcpJob

Request = dict[str, Any]
PATIENCE = "trivet-patience"  # a label: seconds for which a job on spare machines may wait for them


class Surroundings(NamedTuple):
    """Where a stack's jobs run: URL of the store, service account, names of the key and the network attachment.

    :param network: `projects/P/global/networks/NETWORK`, whose private :param zones: jobs see.
    """

    store: str
    account: str
    key: str
    attachment: str | None
    network: str | None = None
    zones: Sequence[str] = ()


def job_request(
    around: Surroundings,
    name: str,
    folder: str,
    machines: GcpJob,
    *,
    image: str,
    seconds: int,
    environment: Mapping[str, str],
    labels: Mapping[str, str],
    arguments: Sequence[str] = ("train",),
) -> Request:
    """A job in the stack's network, with its identity and its key.

    :param folder: of the store's ``checkpoints/``, in which the job may keep what it needs when it begins again.
    :param seconds: after which it is ended.
    """
    machine: Request = {"machineType": machines.machine_type}
    if machines.accelerator:
        machine["acceleratorType"] = machines.accelerator.kind
        machine["acceleratorCount"] = machines.accelerator.count
    pool = {
        "machineSpec": machine,
        "replicaCount": 1,
        "diskSpec": {"bootDiskType": "pd-ssd", "bootDiskSizeGb": machines.disk_gb},
        "containerSpec": {"imageUri": image, "args": [*arguments], "env": variables(environment)},
    }
    scheduling: Request = {"timeout": f"{seconds}s"}
    if machines.spot:
        scheduling["strategy"] = "SPOT"  # whose wait Vertex AI bounds only for DWS_FLEX_START: see Attempt.is_overdue
        labels = {**labels, PATIENCE: duration(machines.patience).removesuffix("s")}
    spec: Request = {
        "workerPoolSpecs": [pool],
        "scheduling": scheduling,
        "serviceAccount": around.account,
        "baseOutputDirectory": {"outputUriPrefix": f"{around.store}/checkpoints/{folder}"},
    }
    if around.attachment:
        spec["pscInterfaceConfig"] = _interface(around)
    return {
        "displayName": name,
        "jobSpec": spec,
        "labels": dict(labels),
        "encryptionSpec": {"kmsKeyName": around.key},
    }


def _interface(around: Surroundings) -> Request:
    """The way into the stack's network; without the peering its private zones are not seen: PscInterfaceConfig."""
    interface: Request = {"networkAttachment": around.attachment}
    if around.network and around.zones:
        _, project, *_, network = around.network.split("/")
        seen = {"targetProject": project, "targetNetwork": network}
        interface["dnsPeeringConfigs"] = [{"domain": zone, **seen} for zone in around.zones]
    return interface


def variables(environment: Mapping[str, str]) -> list[Request]:
    """An environment as Vertex AI takes it."""
    return [{"name": name, "value": value} for name, value in sorted(environment.items())]


def duration(period: timedelta) -> str:
    """A period as Google's JSON has it."""
    return f"{max(1, round(period.total_seconds()))}s"
