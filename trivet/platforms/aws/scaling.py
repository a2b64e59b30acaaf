"""Autoscaling of an endpoint's variants by requests per machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError

from trivet.core.document import Document
from trivet.core.specs import EndpointSpec
from trivet.platforms.aws.errors import code_of, told

KIND = {"ServiceNamespace": "sagemaker", "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}
METRIC = "SageMakerVariantInvocationsPerInstance"
IN_S, OUT_S = 300, 60  # seconds between steps: slow to let machines go, quick to add them


class Bounds(Document):
    """How one variant scales."""

    variant: str
    least: int
    most: int
    requests: float | None  # per machine; None where nothing but its bounds is set


def scale(scaling: Any, endpoint: str, variants: Iterable[str], spec: EndpointSpec) -> None:
    """Have each variant scale within the spec's bounds, or not at all where they are one."""
    if spec.maximum_instances == spec.minimum_instances:
        forget(scaling, endpoint)
        return
    least, most, requests = spec.minimum_instances, spec.maximum_instances, spec.native.aws.requests_per_instance
    restore(scaling, endpoint, [Bounds(variant=v, least=least, most=most, requests=requests) for v in variants])


def restore(scaling: Any, endpoint: str, bounds: Iterable[Bounds]) -> None:
    """Have each variant scale as its bounds say."""
    for one in bounds:
        target = {**KIND, "ResourceId": _id(endpoint, one.variant)}
        with told(f"Autoscaling of {endpoint}"):
            scaling.register_scalable_target(**target, MinCapacity=one.least, MaxCapacity=one.most)
            if one.requests is None:
                continue
            scaling.put_scaling_policy(
                **target,
                PolicyName=f"{one.variant}-requests",
                PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration={
                    "TargetValue": one.requests,
                    "PredefinedMetricSpecification": {"PredefinedMetricType": METRIC},
                    "ScaleInCooldown": IN_S,
                    "ScaleOutCooldown": OUT_S,
                },
            )


def bounds(scaling: Any, endpoint: str) -> list[Bounds]:
    """How the endpoint's variants scale now."""
    with told(f"Autoscaling of {endpoint}"):
        return [
            Bounds(
                variant=one["ResourceId"].rpartition("/")[2],
                least=one["MinCapacity"],
                most=one["MaxCapacity"],
                requests=_requests(scaling, one["ResourceId"]),
            )
            for one in _targets(scaling, endpoint)
        ]


def forget(scaling: Any, endpoint: str, kept: Iterable[str] = ()) -> None:
    """Stop scaling the endpoint's variants but ``kept``: SageMaker takes none off that scales."""
    keep = {_id(endpoint, variant) for variant in kept}
    with told(f"Autoscaling of {endpoint}"):
        for one in _targets(scaling, endpoint):
            if one["ResourceId"] not in keep:
                _deregister(scaling, one["ResourceId"])


def _targets(scaling: Any, endpoint: str) -> list[dict[str, Any]]:
    pages = scaling.get_paginator("describe_scalable_targets").paginate(**KIND)
    every = [one for page in pages for one in page["ScalableTargets"]]
    return [one for one in every if one["ResourceId"].startswith(f"endpoint/{endpoint}/variant/")]


def _requests(scaling: Any, name: str) -> float | None:
    policies = scaling.describe_scaling_policies(**KIND, ResourceId=name)["ScalingPolicies"]
    targets = (one.get("TargetTrackingScalingPolicyConfiguration") for one in policies)
    return next((one["TargetValue"] for one in targets if one), None)


def _deregister(scaling: Any, name: str) -> None:
    try:
        scaling.deregister_scalable_target(**KIND, ResourceId=name)
    except ClientError as error:
        if code_of(error) != "ObjectNotFoundException":
            raise


def _id(endpoint: str, variant: str) -> str:
    return f"endpoint/{endpoint}/variant/{variant}"
