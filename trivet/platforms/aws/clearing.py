"""Takes away what the runtime made and no stack owns, so that the stack can be destroyed."""

from __future__ import annotations

from typing import Any

from trivet.core.leftovers import STACK_TAG
from trivet.core.outputs import AwsNative, Outputs
from trivet.core.platform import Endpoints
from trivet.platforms.aws.clients import Clients
from trivet.platforms.aws.errors import told, unless_gone
from trivet.platforms.aws.tags import Tags


def clear(clients: Clients, outputs: Outputs, native: AwsNative, endpoints: Endpoints) -> None:
    """Delete endpoints, stop what trains, and empty the group of model packages, which is deleted only empty.

    What was written stays: objects lie in buckets of the stack, logs and metrics end by their own retention.
    """
    for name in outputs.endpoints:
        endpoints.delete(name)
    sagemaker: Any = clients("sagemaker")
    with told("Jobs that run"):
        pages = sagemaker.get_paginator("list_training_jobs").paginate(
            NameContains=f"{native.prefix}-", StatusEquals="InProgress"
        )
        for one in [one for page in pages for one in page["TrainingJobSummaries"]]:
            # Another stack's prefix may begin with this one's.
            if _is_of(outputs, sagemaker.list_tags(ResourceArn=one["TrainingJobArn"])["Tags"]):
                unless_gone(lambda name=one["TrainingJobName"]: sagemaker.stop_training_job(TrainingJobName=name))
    group = outputs.models.rpartition("/")[2]
    with told(f"The model packages of {group}"):
        # The group itself may be gone: an earlier destroy can have ended half-way.
        unless_gone(lambda: _empty(sagemaker, group))


def _empty(sagemaker: Any, group: str) -> None:
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    for arn in [one["ModelPackageArn"] for page in pages for one in page["ModelPackageSummaryList"]]:
        unless_gone(lambda arn=arn: sagemaker.delete_model_package(ModelPackageName=arn))


def _is_of(outputs: Outputs, tags: Tags) -> bool:
    return {"Key": STACK_TAG, "Value": outputs.stack} in tags
