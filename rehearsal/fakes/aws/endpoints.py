"""SageMaker's operations on endpoints."""

from __future__ import annotations

import threading
import time
from typing import Any

from trivet.rehearsal.fakes.aws import models
from trivet.rehearsal.fakes.aws.endpoint import KIND, Endpoint
from trivet.rehearsal.fakes.aws.refusals import invalid
from trivet.rehearsal.fakes.aws.rollout import Rollout
from trivet.rehearsal.fakes.aws.serving import Failed, Fleet, Server
from trivet.rehearsal.fakes.aws.state import Record, Region, Request, listing

_SCALES = {"ServiceNamespace": "sagemaker", "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}


def create_endpoint(region: Region, request: Request) -> dict[str, Any]:
    """Start an endpoint."""
    name, arn = request["EndpointName"], region.arn(KIND, request["EndpointName"])
    with region.lock:
        region.world.constraints.demand(
            "names-taken", region.find(KIND, name) is None, f'Cannot create already existing endpoint "{arn}".'
        )
        config = models.config(region, request["EndpointConfigName"])
        endpoint = Endpoint(KIND, name, arn, request, "Creating", region=region, config=config.name)
        endpoint.deployment = request.get("DeploymentConfig")
        region.add(endpoint, request.get("Tags", []))
    _in_background(_create, endpoint, config.request)
    return {"EndpointArn": arn}


def describe_endpoint(region: Region, request: Request) -> dict[str, Any]:
    """What serves, and what is to follow it."""
    endpoint: Endpoint = region.get(KIND, request["EndpointName"])
    with region.lock:
        config = region.find(models.CONFIG, endpoint.config)
        content = config.request if config else {}
        answer = {
            "EndpointName": endpoint.name,
            "EndpointArn": endpoint.arn,
            "EndpointConfigName": endpoint.config,
            "EndpointStatus": endpoint.status,
            "FailureReason": endpoint.reason or None,
            "CreationTime": endpoint.created,
            "LastModifiedTime": endpoint.modified,
            "LastDeploymentConfig": endpoint.deployment,
            "AsyncInferenceConfig": content.get("AsyncInferenceConfig"),
            **({"DataCaptureConfig": _capture(content["DataCaptureConfig"])} if "DataCaptureConfig" in content else {}),
        }
        if endpoint.fleet and endpoint.status != "Failed":
            answer["ProductionVariants"] = [_variant(endpoint.fleet, one) for one in endpoint.fleet.servers.values()]
            shadows = [_variant(endpoint.fleet, one) for one in endpoint.fleet.shadows.values()]
            answer["ShadowProductionVariants"] = shadows or None
        if endpoint.candidate:
            answer["PendingDeploymentSummary"] = {
                "EndpointConfigName": endpoint.candidate.config,
                "ProductionVariants": [_pending(endpoint.candidate, o) for o in endpoint.candidate.servers.values()],
                "StartTime": endpoint.modified,
            }
        return answer


def list_endpoints(region: Region, request: Request) -> dict[str, Any]:
    """Their names and statuses."""
    with region.lock:
        return listing(
            region.all(KIND).values(),
            request,
            "Endpoints",
            lambda endpoint: {
                "EndpointName": endpoint.name,
                "EndpointArn": endpoint.arn,
                "CreationTime": endpoint.created,
                "LastModifiedTime": endpoint.modified,
                "EndpointStatus": endpoint.status,
            },
        )


def update_endpoint(region: Region, request: Request) -> dict[str, Any]:
    """Replace what serves by what another configuration says, as the deployment configuration wants it."""
    endpoint: Endpoint = region.get(KIND, request["EndpointName"])
    targets = _scalable_variants(region, endpoint.name)
    with region.lock:
        _check_idle(endpoint, "update")
        config = models.config(region, request["EndpointConfigName"])
        if region.world.constraints.holds("endpoint-needs-config"):
            models.config(region, endpoint.config)
        _check_scaled(endpoint, config, targets)
        if request.get("RetainDeploymentConfig") and "DeploymentConfig" in request:
            raise invalid("Only one of DeploymentConfig and RetainDeploymentConfig is taken.")
        deployment = endpoint.deployment if request.get("RetainDeploymentConfig") else request.get("DeploymentConfig")
        rollout = Rollout(endpoint, config, deployment or {}, request)
        endpoint.to("Updating")
    _in_background(rollout.run)
    return {"EndpointArn": endpoint.arn}


def update_endpoint_weights_and_capacities(region: Region, request: Request) -> dict[str, Any]:
    """Change weights and instance counts of what serves."""
    endpoint: Endpoint = region.get(KIND, request["EndpointName"])
    with region.lock:
        _check_idle(endpoint, "update")
        fleet = endpoint.fleet
        wanted = request["DesiredWeightsAndCapacities"]
        if fleet is None or any(one["VariantName"] not in fleet.counts for one in wanted):
            raise invalid(f'The variants named are not all of endpoint "{endpoint.arn}".')
        endpoint.to("Updating")
    _in_background(_weigh, endpoint, fleet, wanted)
    return {"EndpointArn": endpoint.arn}


def delete_endpoint(region: Region, request: Request) -> dict[str, Any]:
    """End an endpoint; what scales it goes with it."""
    endpoint: Endpoint = region.get(KIND, request["EndpointName"])
    with region.lock:
        _check_idle(endpoint, "delete")
        if endpoint.status == "Deleting":
            return {}
        endpoint.to("Deleting")
        endpoint.cancelled.set()
    _in_background(_delete, endpoint)
    return {}


def _create(endpoint: Endpoint, request: dict[str, Any]) -> None:
    fleet = Fleet(endpoint.region, endpoint.name, endpoint.config, request)
    endpoint.fleet = fleet
    try:
        fleet.launch(endpoint.cancelled)
    except Failed as error:
        fleet.stop()
        with endpoint.region.lock:
            endpoint.fleet = None
            if endpoint.status == "Creating":
                endpoint.to("Failed", str(error))
        return
    with endpoint.region.lock:
        if endpoint.status == "Creating":
            endpoint.to("InService")


def _weigh(endpoint: Endpoint, fleet: Fleet, wanted: list[dict[str, Any]]) -> None:
    time.sleep(0.05)  # so that the status is seen, as it always is on AWS
    with endpoint.region.lock:
        for one in wanted:
            fleet.weights[one["VariantName"]] = one.get("DesiredWeight", fleet.weights[one["VariantName"]])
            fleet.counts[one["VariantName"]] = one.get("DesiredInstanceCount", fleet.counts[one["VariantName"]])
        if endpoint.status == "Updating":
            endpoint.to("InService")


def _delete(endpoint: Endpoint) -> None:
    for variant in _scalable_variants(endpoint.region, endpoint.name):
        scaling = endpoint.region.world.client("application-autoscaling", endpoint.region.name)
        scaling.deregister_scalable_target(**_SCALES, ResourceId=f"endpoint/{endpoint.name}/variant/{variant}")
    for fleet in (endpoint.fleet, endpoint.candidate):
        if fleet is not None:
            fleet.stop()
    with endpoint.region.lock:
        endpoint.region.remove(endpoint)


def _check_idle(endpoint: Endpoint, what: str) -> None:
    busy = endpoint.status in ("Creating", "Updating", "SystemUpdating", "RollingBack")
    endpoint.region.world.constraints.demand(
        "endpoint-busy", not busy, f'Cannot {what} in-progress endpoint "{endpoint.arn}".'
    )
    if what == "update" and endpoint.status not in ("InService", "Failed", "Updating", "Creating", "RollingBack"):
        raise invalid(f'Cannot update endpoint "{endpoint.arn}" in status {endpoint.status}.')


def _check_scaled(endpoint: Endpoint, config: Record, targets: list[str]) -> None:
    present = endpoint.fleet.servers if endpoint.fleet else {}
    wanted = {one["VariantName"]: one.get("InstanceType") for one in config.request["ProductionVariants"]}
    touched = [
        name
        for name in targets
        if name in present and wanted.get(name, "") != present[name].variant.get("InstanceType")
    ]
    endpoint.region.world.constraints.demand(
        "autoscaled-variants",
        not touched,
        f'The variant(s) "{touched}" must be deregistered as scalable targets with AWS Auto Scaling before they can be'
        " removed or have their instance type updated.",
    )


def _scalable_variants(region: Region, endpoint: str) -> list[str]:
    if not region.world.scaling:
        return []
    scaling = region.world.client("application-autoscaling", region.name)
    found = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    begin = f"endpoint/{endpoint}/variant/"
    return [one["ResourceId"].removeprefix(begin) for one in found if one["ResourceId"].startswith(begin)]


def _variant(fleet: Fleet, server: Server) -> dict[str, Any]:
    weight = fleet.weights.get(server.name, 1.0)
    serverless = server.variant.get("ServerlessConfig")
    counts = {f"{word}InstanceCount": fleet.counts[server.name] for word in ("Current", "Desired")}
    return {
        "VariantName": server.name,
        "DeployedImages": server.images(),
        "CurrentWeight": weight,
        "DesiredWeight": weight,
        **({"CurrentServerlessConfig": serverless} if serverless else counts),
    }


def _pending(fleet: Fleet, server: Server) -> dict[str, Any]:
    return {**_variant(fleet, server), "InstanceType": server.variant.get("InstanceType")}


def _capture(config: dict[str, Any]) -> dict[str, Any]:
    return {
        "EnableCapture": config.get("EnableCapture", False),
        "CaptureStatus": "Started" if config.get("EnableCapture") else "Stopped",
        "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
        "DestinationS3Uri": config["DestinationS3Uri"],
        "KmsKeyId": config.get("KmsKeyId", ""),
    }


def _in_background(work: Any, *arguments: Any) -> None:
    threading.Thread(target=work, args=arguments, daemon=True).start()


OPERATIONS = {
    "CreateEndpoint": create_endpoint,
    "DescribeEndpoint": describe_endpoint,
    "ListEndpoints": list_endpoints,
    "UpdateEndpoint": update_endpoint,
    "UpdateEndpointWeightsAndCapacities": update_endpoint_weights_and_capacities,
    "DeleteEndpoint": delete_endpoint,
}
