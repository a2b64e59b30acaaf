"""Batch jobs: they run while nobody looks, so that somebody is told when one fails.

Batch Transform needs nothing of the stack but what training and serving have: the trainer's role, the key, the store.
"""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_aws as aws

from trivet.infra.stacks.aws.context import Context, pattern


def create(context: Context, topic: pulumi.Input[str]) -> None:
    """Tell the topic of each transform job of the stack's that fails or is ended."""
    if context.settings.batch.mode == "create":
        told(context, "batch-failed", "Transform", [f"{context.prefix}-"], topic)


def told(context: Context, what: str, kind: str, names: list[str], topic: pulumi.Input[str]) -> None:
    """Tell the topic when a job of SageMaker's ends without its result.

    :param kind: ``Transform`` or ``Training``.
    :param names: with what the names of the jobs begin.
    """
    detail: dict[str, Any] = {
        f"{kind}JobStatus": ["Failed", "Stopped"],
        f"{kind}JobName": [{"prefix": name} for name in names],
    }
    rule = aws.cloudwatch.EventRule(
        what,
        name=context.name(what, 64),
        description=f"{kind} jobs that ended without their result",
        event_pattern=pattern("aws.sagemaker", f"SageMaker {kind} Job State Change", detail),
        opts=context.options,
    )
    aws.cloudwatch.EventTarget(
        f"{what}-told", rule=rule.name, target_id="alerts", arn=topic, opts=context.under(rule).options
    )
