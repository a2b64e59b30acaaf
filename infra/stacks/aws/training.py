"""What jobs of the stack need beside their role: a log that is encrypted and ends."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from trivet.infra.stacks.aws.context import Context

LOG_GROUPS = ("TrainingJobs", "ProcessingJobs", "TransformJobs")


def create(context: Context, key: pulumi.Input[str]) -> None:
    """All jobs of an account and region write into the same groups: one stack, which is told to, owns them."""
    if not context.settings.owns_job_logs:
        return
    for kind in LOG_GROUPS:
        aws.cloudwatch.LogGroup(
            f"log-{kind.lower()}",
            name=f"/aws/sagemaker/{kind}",
            retention_in_days=context.profile.log_days,
            kms_key_id=key,
            opts=context.options,
        )
