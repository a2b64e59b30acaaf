"""How a release takes over: SageMaker's guardrails, and alarms about the new machines alone.

SageMaker publishes a fleet's metrics also by its configuration's name, so alarms over that dimension see nothing of the
fleet that served before: one that was bad already blocks no release that mends it.
Source: SageMaker Developer Guide, "Auto-rollback configuration and monitoring".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from trivet.core.specs import EndpointSpec

TYPES = {"at once": "ALL_AT_ONCE", "canary": "CANARY", "linear": "LINEAR"}
MOST_ERRORS, SLOW_US = 1, 1_000_000  # answers with 5xx in a minute; the slowest hundredth, in microseconds
PERIOD_S = 60
MOST_WATCHED = 5  # variants: a deployment takes ten alarms
ENOUGH_S = 3600  # for machines to come up and go, beside the baking


def alarms_of(config: str, endpoint: str, variants: Sequence[str]) -> list[dict[str, Any]]:
    """Requests of CloudWatch's API for the alarms about one configuration: two for each variant that answers."""
    names = alarm_names(config)
    pairs = zip(variants, zip(names[::2], names[1::2], strict=True), strict=False)
    return [one for variant, names in pairs for one in _pair(config, endpoint, variant, names)]


def _pair(config: str, endpoint: str, variant: str, names: tuple[str, str]) -> list[dict[str, Any]]:
    dimensions = [
        {"Name": "EndpointName", "Value": endpoint},
        {"Name": "VariantName", "Value": variant},
        {"Name": "EndpointConfigName", "Value": config},
    ]
    common = {
        "Namespace": "AWS/SageMaker",
        "Dimensions": dimensions,
        "Period": PERIOD_S,
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",  # no request, no fault
    }
    errors, latency = names
    return [
        {"AlarmName": errors, "MetricName": "Invocation5XXErrors", "Statistic": "Sum", "Threshold": MOST_ERRORS}
        | common,
        {"AlarmName": latency, "MetricName": "ModelLatency", "ExtendedStatistic": "p99", "Threshold": SLOW_US} | common,
    ]


def alarm_names(config: str, variants: int = MOST_WATCHED) -> list[str]:
    """Names of the alarms about a configuration, two for each variant; without a number the most that there may be."""
    numbers = ("" if number == 1 else f"-{number}" for number in range(1, min(variants, MOST_WATCHED) + 1))
    return [f"{config}{number}-{what}" for number in numbers for what in ("errors", "latency")]


def guarded(spec: EndpointSpec) -> bool:
    """Whether the release is watched while it takes over."""
    return spec.native.aws.bake.total_seconds() > 0


def deployment(spec: EndpointSpec, config: str) -> dict[str, Any]:
    """SageMaker's ``DeploymentConfig`` for an update to ``config``."""
    chosen = spec.native.aws
    bake = math.ceil(chosen.bake.total_seconds())
    routing: dict[str, Any] = {"Type": TYPES[chosen.rollout], "WaitIntervalInSeconds": bake}
    size = {"Type": "CAPACITY_PERCENT", "Value": chosen.step}
    if chosen.rollout != "at once":
        routing["CanarySize" if chosen.rollout == "canary" else "LinearStepSize"] = size
    policy = {
        "TrafficRoutingConfiguration": routing,
        "TerminationWaitInSeconds": 0,
        "MaximumExecutionTimeoutInSeconds": min(28_800, max(600, patience(spec))),
    }
    made: dict[str, Any] = {"BlueGreenUpdatePolicy": policy}
    if guarded(spec):
        made["AutoRollbackConfiguration"] = {
            "Alarms": [{"AlarmName": name} for name in alarm_names(config, len(spec.releases))]
        }
    return made


def patience(spec: EndpointSpec) -> int:
    """Seconds within which a release should have taken over or have been taken back."""
    chosen = spec.native.aws
    return math.ceil(chosen.startup.total_seconds() + chosen.steps * chosen.bake.total_seconds()) + ENOUGH_S
