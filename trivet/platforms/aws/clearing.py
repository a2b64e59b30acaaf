"""Takes away what the runtime made and no stack owns, so that the stack can be destroyed."""

from __future__ import annotations

from typing import Any

from trivet.clouds.awsnames import SCORING
from trivet.core.leftovers import PROJECT_TAG, STACK_TAG
from trivet.core.outputs import AwsNative, Outputs
from trivet.core.platform import Endpoints
from trivet.platforms.aws.attempts import KINDS, Kind
from trivet.platforms.aws.clients import Clients
from trivet.platforms.aws.errors import told, unless_gone


def clear(clients: Clients, outputs: Outputs, native: AwsNative, endpoints: Endpoints) -> None:
    """Delete endpoints and models, stop jobs, and empty the group of model packages, which is deleted only empty.

    What was written stays: objects lie in buckets of the stack, logs and metrics end by their own retention.
    """
    for name in outputs.endpoints:
        endpoints.delete(name)
    sagemaker: Any = clients("sagemaker")
    with told("Jobs that run"):
        for kind in KINDS:
            _stop(sagemaker, kind, outputs, native.prefix)
    with told("Models of batch scoring"):
        _forget_models(sagemaker, outputs, native.prefix)
    group = outputs.models.rpartition("/")[2]
    with told(f"The model packages of {group}"):
        # The group itself may be gone: an earlier destroy can have ended half-way.
        unless_gone(lambda: _empty(sagemaker, group))


def _stop(sagemaker: Any, kind: Kind, outputs: Outputs, prefix: str) -> None:
    pages = sagemaker.get_paginator(f"list_{kind.verb}s").paginate(NameContains=f"{prefix}-", StatusEquals="InProgress")
    for one in [one for page in pages for one in page[f"{kind.word}JobSummaries"]]:
        name = one[kind.name]
        if name.startswith(f"{prefix}-") and _is_of(outputs, sagemaker, one[f"{kind.word}JobArn"]):
            unless_gone(lambda name=name: getattr(sagemaker, f"stop_{kind.verb}")(**{kind.name: name}))


def _forget_models(sagemaker: Any, outputs: Outputs, prefix: str) -> None:
    """Delete the models that jobs of batch scoring had; those of endpoints went with them."""
    pages = sagemaker.get_paginator("list_models").paginate(NameContains=SCORING)
    for one in [one for page in pages for one in page["Models"]]:
        name = one["ModelName"]
        if name.startswith(f"{prefix}-") and _is_of(outputs, sagemaker, one["ModelArn"]):
            unless_gone(lambda name=name: sagemaker.delete_model(ModelName=name))


def _empty(sagemaker: Any, group: str) -> None:
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    for arn in [one["ModelPackageArn"] for page in pages for one in page["ModelPackageSummaryList"]]:
        unless_gone(lambda arn=arn: sagemaker.delete_model_package(ModelPackageName=arn))


def _is_of(outputs: Outputs, sagemaker: Any, arn: str) -> bool:
    """Whether it is this stack's: another's prefix may begin with this one's, another project's may be the same."""
    tags = sagemaker.list_tags(ResourceArn=arn)["Tags"]
    own = {STACK_TAG: outputs.stack, PROJECT_TAG: outputs.project}
    return all({"Key": key, "Value": value} in tags for key, value in own.items())
