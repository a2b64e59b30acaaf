"""From the wanted state of an endpoint to what Vertex AI calls deployed models, and back.

A deployed model's id follows from what cannot be changed of it, its model and its machine: the same wanted state has
the same ids, and what is deployed under an id is right. Its share and how it scales can be changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from trivet.core.canonical import digest_json
from trivet.core.document import Document
from trivet.core.errors import ConfigError
from trivet.core.specs import EndpointSpec, GcpAccelerator

CPU = "aiplatform.googleapis.com/prediction/online/cpu/utilization"
FIRST_MACHINE, FIRST_TARGET, WHOLE = "e2-standard-2", 60, 100
Request = dict[str, Any]


class Deployed(Document):
    """One model on an endpoint: its machine, between how many it scales and by what, and its share in percent."""

    id: str
    model: str
    machine: str
    accelerator: GcpAccelerator | None
    least: int
    most: int
    cpu: int | None
    share: int

    @classmethod
    def of(cls, deployed: Mapping[str, Any], split: Mapping[str, int]) -> Self:
        """From what Vertex AI says."""
        resources = deployed.get("dedicatedResources", {})
        machine = resources.get("machineSpec", {})
        kind, least = machine.get("acceleratorType"), resources.get("minReplicaCount", 1)
        targets = resources.get("autoscalingMetricSpecs", [])
        return cls(
            id=deployed["id"],
            model=deployed["model"].partition("@")[0],
            machine=machine.get("machineType", ""),
            accelerator=GcpAccelerator(kind=kind, count=machine.get("acceleratorCount", 1)) if kind else None,
            least=least,
            most=max(least, resources.get("maxReplicaCount", 0)),
            cpu=next((one.get("target", FIRST_TARGET) for one in targets if one["metricName"] == CPU), None),
            share=split.get(deployed["id"], 0),
        )

    def request(self, account: str) -> Request:
        """As Vertex AI takes it.

        :param account: e-mail address of the service account that serves.
        """
        return {
            "id": self.id,
            "model": self.model,
            "dedicatedResources": {"machineSpec": _machine(self.machine, self.accelerator), **self.scaling},
            "serviceAccount": account,
            "enableAccessLogging": False,
        }

    @property
    def scaling(self) -> Request:
        """What can be changed of its resources."""
        targets = [{"metricName": CPU, "target": self.cpu}] if self.cpu else []
        return {"minReplicaCount": self.least, "maxReplicaCount": self.most, "autoscalingMetricSpecs": targets}

    def scales_as(self, other: Deployed) -> bool:
        """Whether it scales like another."""
        return self.scaling == other.scaling


Plan = tuple[Deployed, ...]


def plan_of(spec: EndpointSpec, models: Sequence[str], now: Sequence[Deployed]) -> Plan:
    """What is to be deployed for a wanted state, in the order of its releases.

    :param models: resource names, one for each release.
    :param now: what is deployed, or was before a pause: what the spec leaves open stays as it is there.
    :raises ConfigError: for a release that is named twice.
    """
    chosen, first = spec.native.gcp, next(iter(now), None)
    machine = chosen.machine_type or (first.machine if first else FIRST_MACHINE)
    accelerator = chosen.accelerator
    if accelerator is None and first and machine == first.machine:
        accelerator = first.accelerator
    least, most = bounds(spec, first)
    cpu = None
    if least < most:
        cpu = chosen.cpu_target or (first and first.cpu) or FIRST_TARGET
    plan = tuple(
        Deployed(
            id=_id(model, machine, accelerator),
            model=model,
            machine=machine,
            accelerator=accelerator,
            least=least,
            most=most,
            cpu=cpu,
            share=release.traffic,
        )
        for release, model in zip(spec.releases, models, strict=True)
    )
    if len({one.id for one in plan}) < len(plan):
        raise ConfigError(f"A release is named twice for endpoint {spec.name}.", "Give it one share.")
    return plan


def bounds(spec: EndpointSpec, first: Deployed | None) -> tuple[int, int]:
    """The least and the most machines: what is said, and where nothing is what there is, 1 at first."""
    least, most = spec.minimum_instances, spec.maximum_instances
    now = (first.least, first.most) if first else (1, 1)
    if least is None:
        least = now[0] if most is None else min(now[0], most)
    if most is None:
        most = max(now[1], least)
    return least, most


def split_of(plan: Iterable[Deployed]) -> dict[str, int]:
    """The traffic split; those that get nothing are not in it."""
    return {one.id: one.share for one in plan if one.share}


def mixed(before: Mapping[str, int], after: Mapping[str, int], percent: int) -> dict[str, int]:
    """A split on its way from one to another; its shares are whole and add up to 100."""
    ids = [*after, *(one for one in before if one not in after)]
    exact = {one: (before.get(one, 0) * (WHOLE - percent) + after.get(one, 0) * percent) / WHOLE for one in ids}
    whole = {one: int(share) for one, share in exact.items()}
    by_rest = sorted(ids, key=lambda one: (whole[one] - exact[one], ids.index(one)))
    for one in by_rest[: WHOLE - sum(whole.values())]:
        whole[one] += 1
    return {one: share for one, share in whole.items() if share}


def _machine(kind: str, accelerator: GcpAccelerator | None) -> Request:
    found: Request = {"machineType": kind}
    if accelerator:
        found |= {"acceleratorType": accelerator.kind, "acceleratorCount": accelerator.count}
    return found


def _id(model: str, machine: str, accelerator: GcpAccelerator | None) -> str:
    """Ten digits, the first of which is none: ``0`` is Vertex AI's word for what is being deployed."""
    said = [model.rpartition("/")[2], machine, accelerator.model_dump() if accelerator else None]
    return str(10**9 + int(digest_json(said)[7:39], 16) % (9 * 10**9))
