"""AWS's own SDK, in an environment of its own, on what Trivet has made: what it sees of it, and what it does with it.

Reads a case from its standard input and prints what it found, as JSON. Nothing of Trivet is imported.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from sagemaker.core.resources import Endpoint, EndpointConfig, Model, ModelPackage, TrainingJob
from sagemaker.core.shapes import ContainerDefinition, ProductionVariant

NAME = "somebody-s-own"
JSON = "application/json"
PATIENCE = 60  # seconds


def main() -> None:
    """Look, and deploy the package without Trivet."""
    case = json.load(sys.stdin)
    package = ModelPackage.get(case["package"])
    job = TrainingJob.get(case["job"])
    served = Endpoint.get(case["endpoint"])
    found = {
        "package": [package.model_package_status, package.model_approval_status],
        "metadata": package.customer_metadata_properties,
        "job": [job.training_job_status, job.role_arn],
        "endpoint": [served.endpoint_status, [one.variant_name for one in served.production_variants]],
        "answer": asked(served, case["request"]),
    }
    found["own"] = deployed(case)
    sys.stdout.write(f"\n{json.dumps(found)}\n")  # the SDK shows how it waits, there too


def deployed(case: dict[str, Any]) -> Any:
    """What an endpoint of the SDK's own answers, made of the registered package alone; it is gone afterwards."""
    container = ContainerDefinition(model_package_name=case["package"])
    made: list[Any] = []
    try:
        made.append(Model.create(NAME, execution_role_arn=case["role"], containers=[container]))
        variant = ProductionVariant(
            variant_name="all", model_name=NAME, instance_type="ml.m5.large", initial_instance_count=1
        )
        made.append(EndpointConfig.create(endpoint_config_name=NAME, production_variants=[variant]))
        made.append(Endpoint.create(endpoint_name=NAME, endpoint_config_name=NAME))
        made[-1].wait_for_status("InService", poll=1, timeout=PATIENCE)
        return asked(made[-1], case["request"])
    finally:
        for one in reversed(made):
            one.delete()
            if isinstance(one, Endpoint):
                one.wait_for_delete(poll=1, timeout=PATIENCE)


def asked(endpoint: Endpoint, request: dict[str, Any]) -> Any:
    """What it answers."""
    answer = endpoint.invoke(body=json.dumps(request), content_type=JSON, accept=JSON)
    return json.loads(answer.body.read())


main()
