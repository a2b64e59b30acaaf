"""The model registry: a model package group, whose versions the runtime registers."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from trivet.infra.stacks.aws.context import Context


def create(context: Context) -> aws.sagemaker.ModelPackageGroup:
    """One group of the stack; a model's name is in its versions' metadata, so that projects share it."""
    return aws.sagemaker.ModelPackageGroup(
        "models",
        model_package_group_name=context.name("models"),
        model_package_group_description=f"Models of {context.prefix}",
        opts=context.holding(),
    )


def versions_of(context: Context, group: aws.sagemaker.ModelPackageGroup) -> pulumi.Output[str]:
    """The ARNs of the group's versions, as a policy names them."""
    return group.model_package_group_name.apply(lambda name: context.arn("sagemaker", f"model-package/{name}/*"))
