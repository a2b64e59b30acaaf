"""Models and endpoints, where a program declares some itself: encrypted, in the network, cut off from the internet."""

from __future__ import annotations

from collections.abc import Iterator

from trivet.governance.rules.base import Resource, Setting, rule

CONFIGURATION = "aws:sagemaker/endpointConfiguration:EndpointConfiguration"
MODEL = "aws:sagemaker/model:Model"
NOTEBOOK = "aws:sagemaker/notebookInstance:NotebookInstance"


@rule("sagemaker-volumes", "Endpoints' volumes are encrypted with the stack's key", "Checkov CKV_AWS_98", "high",
      CONFIGURATION)  # fmt: skip
def volumes(resource: Resource, _: Setting) -> Iterator[str]:
    if not resource.has("kmsKeyArn"):
        yield "its volumes are encrypted with a key of AWS's"


@rule("sagemaker-isolated", "Models cannot reach the internet", "Security Hub SageMaker.5", "high", MODEL)
def isolated(resource: Resource, _: Setting) -> Iterator[str]:
    if resource.inputs.get("enableNetworkIsolation") is not True and not resource.inputs.get("vpcConfig"):
        yield "its container may call the internet"


@rule("sagemaker-notebooks", "Notebooks cannot reach the internet", "Security Hub SageMaker.1, SageMaker.2", "high",
      NOTEBOOK)  # fmt: skip
def notebooks(resource: Resource, _: Setting) -> Iterator[str]:
    if resource.inputs.get("directInternetAccess") != "Disabled" or not resource.has("subnetId"):
        yield "it may call the internet"
