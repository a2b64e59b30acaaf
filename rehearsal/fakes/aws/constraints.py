"""What SageMaker refuses beyond what its service model says: one table, each entry with its source.

Sources: ``api`` is the API reference of the operation, ``guide`` the Developer Guide's page, ``seen`` a message that
users quote in public issues, whose wording is kept here.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

from trivet.core.errors import ConfigError
from trivet.rehearsal.fakes.aws.refusals import Refused


class Constraint(NamedTuple):
    """What must hold, and who says so."""

    rule: str
    source: str


STRICT = "service-model"

TABLE = MappingProxyType(
    {
        STRICT: Constraint(
            "A request has the members, types, enumerations, patterns, lengths and bounds of the service model.",
            "botocore's service models sagemaker and sagemaker-runtime",
        ),
        "names-taken": Constraint(
            "Models, endpoint configurations, endpoints and package groups cannot be made twice; the first two cannot"
            " be changed either.",
            'seen: awslabs/spot-tagging-bot-for-digital-assets#2, "Cannot create already existing endpoint …"',
        ),
        "job-names-for-ever": Constraint(
            "The name of a training or transform job cannot be used again in a region of an account.",
            "api CreateTrainingJob, TrainingJobName: must be unique within a Region in an account",
        ),
        "config-needs-models": Constraint(
            "An endpoint configuration names models that exist.", "api CreateEndpointConfig, ProductionVariants"
        ),
        "endpoint-needs-config": Constraint(
            "An endpoint names a configuration that exists; an update needs the present one too.",
            'seen: hashicorp/terraform-provider-aws#40048, "Could not find endpoint configuration"',
        ),
        "config-in-use": Constraint(
            "A configuration that an endpoint uses is not deleted. AWS's page forbids it; the service lets it happen"
            " and fails at the next update, which is what this fake does with the constraint off.",
            "api DeleteEndpointConfig: You must not delete an EndpointConfig in use by an endpoint that is live",
        ),
        "endpoint-busy": Constraint(
            "An endpoint that is being created, updated or rolled back takes neither an update nor a deletion.",
            "api UpdateEndpoint: You must not update or delete an endpoint while its status is Creating or Updating",
        ),
        "image-exists": Constraint(
            "An image was pushed before a job or a model names it.",
            'seen: aws/amazon-sagemaker-examples#1476, "Cannot find the requested image"; '
            'aws-samples/easy-amazon-sagemaker-deployments#4, "Requested image not found"',
        ),
        "input-exists": Constraint(
            "There are objects under the address of a channel, and at a model's.",
            'seen: aws/amazon-sagemaker-examples#2267, "No S3 objects found under S3 URL"; #2264, "Could not find model'
            ' data"',
        ),
        "job-environment": Constraint(
            "A training job has at most 100 variables, names and values of at most 512 characters.",
            "service model, CreateTrainingJobRequest.Environment",
        ),
        "model-environment": Constraint(
            "A container has at most 100 variables, names and values of at most 1024 bytes, 32 KB in all.",
            "api ContainerDefinition, Environment",
        ),
        "model-prefix": Constraint(
            "The address of a model that is not packed ends in a slash.",
            "api S3ModelDataSource: If S3DataType is S3Prefix, a forward slash at the end of S3Uri",
        ),
        "spot-wait": Constraint(
            "Managed spot training names MaxWaitTimeInSeconds, no less than MaxRuntimeInSeconds; no other job has it.",
            "api StoppingCondition, MaxWaitTimeInSeconds",
        ),
        "canary-size": Constraint(
            "A canary is at most half of the capacity; a linear step between 10 and 50 percent of it.",
            "api TrafficRoutingConfig, CanarySize and LinearStepSize",
        ),
        "autoscaled-variants": Constraint(
            "A variant that is a scalable target is neither removed by an update nor given another instance type.",
            "guide endpoint-scaling-update; hashicorp/terraform-provider-aws#14337",
        ),
        "shadow-alone": Constraint(
            "A configuration with a shadow has one production variant and one shadow.",
            "service model, CreateEndpointConfigInput.ShadowProductionVariants: you can only specify one variant for"
            " ProductionVariants and one variant for ShadowProductionVariants",
        ),
        "invocation-body": Constraint(
            "A request to an endpoint is at most 6 291 456 bytes; 4 MB to a serverless one.",
            "service model, InvokeEndpointInput.Body; guide serverless-endpoints-invoke",
        ),
        "invocation-time": Constraint(
            "A container answers within 60 seconds.", "api InvokeEndpoint: respond to requests within 60 seconds"
        ),
        "group-empty": Constraint(
            "A group of model packages is deleted only when it is empty.", "api DeleteModelPackageGroup"
        ),
        "package-one-name": Constraint(
            "A model package names either itself or its group.", "api CreateModelPackage, ModelPackageGroupName"
        ),
    }
)


class Constraints:
    """Which of the table hold. All do at first."""

    def __init__(self) -> None:
        self._off: set[str] = set()

    def switch(self, name: str, on: bool) -> None:
        """Let one hold or not.

        :raises ConfigError: where the table has no such entry.
        """
        if name not in TABLE:
            raise ConfigError(f"{name} is no constraint of this fake.", f"Choose one of: {', '.join(TABLE)}.")
        (self._off.discard if on else self._off.add)(name)

    def reset(self) -> None:
        """Let all hold."""
        self._off.clear()

    def holds(self, name: str) -> bool:
        """Whether it is on."""
        if name not in TABLE:
            raise KeyError(name)
        return name not in self._off

    def demand(self, name: str, met: bool, message: str, code: str = "ValidationException") -> None:
        """:raises Refused: where the constraint holds and is not met."""
        if self.holds(name) and not met:
            raise Refused(code, message)

    def states(self) -> dict[str, bool]:
        """Every constraint, and whether it is on."""
        return {name: self.holds(name) for name in TABLE}
