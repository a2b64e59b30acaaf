"""Endpoint shells: a name, a log group and the alarms that may roll a release back; the runtime deploys behind them.

A SageMaker endpoint cannot be there without a model. So the stack owns what has to be there before and stays after:
the alarms by their fixed names, which guardrails watch, and the log group, so that it is encrypted and does not keep
for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from trivet.core.leftovers import ENDPOINT_TAG
from trivet.infra.settings import EndpointSettings
from trivet.infra.stacks.aws.context import Context
from trivet.infra.stacks.context import TEAM_TAG

_MOST_ERRORS, _SLOW_US = 1, 1_000_000
_PERIOD_S = 60


@dataclass(frozen=True)
class Shell:
    """One endpoint before any model."""

    endpoint: str
    name: str
    host: str
    most_instances: int
    log_group: aws.cloudwatch.LogGroup
    alarms: Sequence[aws.cloudwatch.MetricAlarm]


def create(context: Context, key: pulumi.Input[str], topic: pulumi.Input[str]) -> list[Shell]:
    """A shell for each endpoint."""
    return [_shell(context, one, key, topic) for one in context.settings.endpoints]


def tags_of(settings: EndpointSettings) -> dict[str, str]:
    """What everything of one endpoint's bears beside the stack's tags."""
    return {ENDPOINT_TAG: settings.name} | ({TEAM_TAG: settings.team} if settings.team else {})


def _shell(context: Context, settings: EndpointSettings, key: pulumi.Input[str], topic: pulumi.Input[str]) -> Shell:
    name = context.name(settings.name)
    tags = tags_of(settings)
    log = aws.cloudwatch.LogGroup(
        f"log-{settings.name}",
        name=f"/aws/sagemaker/Endpoints/{name}",
        retention_in_days=context.profile.log_days,
        kms_key_id=key,
        tags=tags,
        opts=context.options,
    )
    alarms = [
        _alarm(context, settings, name, "errors", "Invocation5XXErrors", _MOST_ERRORS, topic, tags),
        _alarm(context, settings, name, "latency", "ModelLatency", _SLOW_US, topic, tags, percentile="p99"),
    ]
    host = f"runtime.sagemaker.{context.region}.amazonaws.com"
    return Shell(settings.name, name, host, settings.most_instances, log, alarms)


def _alarm(
    context: Context,
    settings: EndpointSettings,
    name: str,
    what: str,
    metric: str,
    threshold: float,
    topic: pulumi.Input[str],
    tags: dict[str, str],
    *,
    percentile: str | None = None,
) -> aws.cloudwatch.MetricAlarm:
    """Silence is no alarm here, since an endpoint without traffic is healthy; ``watch`` has one for silent monitors."""
    return aws.cloudwatch.MetricAlarm(
        f"{what}-{settings.name}",
        name=context.name(f"{settings.name}-{what}", 255),
        namespace="AWS/SageMaker",
        metric_name=metric,
        dimensions={"EndpointName": name, "VariantName": settings.name},
        statistic=None if percentile else "Sum",
        extended_statistic=percentile,
        period=_PERIOD_S,
        evaluation_periods=3,
        datapoints_to_alarm=2,
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=threshold,
        treat_missing_data="notBreaching",
        alarm_actions=[topic],
        ok_actions=[topic],
        tags=tags,
        opts=context.options,
    )
