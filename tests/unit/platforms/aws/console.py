"""What somebody does to an endpoint by hand, behind Trivet's back, and words that tests of endpoints share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.unit.platforms.cases import BAD
from trivet.core.specs import AwsEndpoint, EndpointNative, EndpointSpec
from trivet.core.waiting import wait_for
from trivet.rehearsal.rigs.aws import AwsRig

__all__ = ["BAD"]

SpecOf = Callable[..., EndpointSpec]
Held = Callable[[], dict[str, list[str]]]
TENSOR = {"shape": [1, 1], "datatype": "FP32", "data": [50.0]}
REQUEST = {"id": "one", "inputs": [{"name": "amount", **TENSOR}, {"name": "income", **TENSOR}]}


def native(**fields: Any) -> EndpointNative:
    return EndpointNative(aws=AwsEndpoint(**fields))


CAREFUL = native(rollout="canary", step=10, bake=timedelta(seconds=60))


class Console:
    """What somebody does by hand, behind Trivet's back."""

    def __init__(self, rig: AwsRig, name: str) -> None:
        self.sagemaker = rig.client("sagemaker")
        self.name = rig.outputs.endpoints[name].name

    def endpoint(self) -> dict[str, Any]:
        return self.sagemaker.describe_endpoint(EndpointName=self.name)

    def config(self) -> dict[str, Any]:
        return self.sagemaker.describe_endpoint_config(EndpointConfigName=self.endpoint()["EndpointConfigName"])

    def settle(self) -> None:
        wait_for(lambda: self.endpoint()["EndpointStatus"] == "InService" or None, "The endpoint", seconds=30)

    def serve(self, model: str) -> None:
        """Another configuration, with one variant of this model."""
        [variant] = self.config()["ProductionVariants"]
        made = [{**variant, "ModelName": model}]
        self.sagemaker.create_endpoint_config(EndpointConfigName="by-hand", ProductionVariants=made)
        self.sagemaker.update_endpoint(EndpointName=self.name, EndpointConfigName="by-hand")
        self.settle()


def scaled(rig: AwsRig) -> dict[str, tuple[int, int]]:
    found = rig.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")
    return {
        one["ResourceId"].rpartition("/")[2]: (one["MinCapacity"], one["MaxCapacity"])
        for one in found["ScalableTargets"]
    }
