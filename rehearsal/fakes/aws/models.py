"""SageMaker's operations on models and endpoint configurations: both are made once and never changed."""

from __future__ import annotations

from typing import Any

from trivet.rehearsal.fakes.aws import objects
from trivet.rehearsal.fakes.aws.objects import Place
from trivet.rehearsal.fakes.aws.refusals import invalid
from trivet.rehearsal.fakes.aws.state import Record, Region, Request, listing

MODEL, CONFIG = "model", "endpoint-config"


def create_model(region: Region, request: Request) -> dict[str, Any]:
    """Hold a model."""
    for container in containers(request):
        _check_container(region, request, container)
    record = Record(MODEL, request["ModelName"], region.arn(MODEL, request["ModelName"]), request)
    _add(region, record, "model")
    return {"ModelArn": record.arn}


def describe_model(region: Region, request: Request) -> dict[str, Any]:
    """A model as it was made."""
    record = region.get(MODEL, request["ModelName"], _no_model(region, request["ModelName"]))
    return {
        "ModelArn": record.arn,
        "CreationTime": record.created,
        "EnableNetworkIsolation": False,
        **_echo(record.request),
    }


def delete_model(region: Region, request: Request) -> dict[str, Any]:
    """Let go of a model; endpoints that run go on."""
    with region.lock:
        region.remove(region.get(MODEL, request["ModelName"], _no_model(region, request["ModelName"])))
    return {}


def list_models(region: Region, request: Request) -> dict[str, Any]:
    """Their names."""
    with region.lock:
        return listing(region.all(MODEL).values(), request, "Models", lambda record: _summary(record, "Model"))


def create_endpoint_config(region: Region, request: Request) -> dict[str, Any]:
    """Hold a configuration."""
    serverless = [variant for variant in variants(request) if "ServerlessConfig" in variant]
    names = [variant["VariantName"] for variant in variants(request)]
    if len(set(names)) != len(names):
        raise invalid("Variant names within an endpoint configuration must be unique.")
    shadows = len(request.get("ShadowProductionVariants", []))
    region.world.constraints.demand(
        "shadow-alone",
        not shadows or shadows == len(request["ProductionVariants"]) == 1,
        "An endpoint configuration with a shadow variant has one production variant and one shadow variant.",
    )
    for variant in variants(request):
        name = variant.get("ModelName", "")
        found = region.find(MODEL, name) is not None
        region.world.constraints.demand("config-needs-models", found, _no_model(region, name))
        if "ServerlessConfig" not in variant and not {"InstanceType", "InitialInstanceCount"} <= set(variant):
            raise invalid(f"Variant {variant['VariantName']} names neither instances nor ServerlessConfig.")
    if serverless and len(variants(request)) > 1:
        raise invalid("A serverless endpoint has exactly one production variant.")
    record = Record(CONFIG, request["EndpointConfigName"], region.arn(CONFIG, request["EndpointConfigName"]), request)
    _add(region, record, "endpoint configuration")
    return {"EndpointConfigArn": record.arn}


def describe_endpoint_config(region: Region, request: Request) -> dict[str, Any]:
    """A configuration as it was made."""
    record = config(region, request["EndpointConfigName"])
    echoed = _echo(record.request)
    for member in ("ProductionVariants", "ShadowProductionVariants"):
        if member in echoed:
            echoed[member] = [{"InitialVariantWeight": 1.0, **variant} for variant in echoed[member]]
    return {"EndpointConfigArn": record.arn, "CreationTime": record.created, **echoed}


def delete_endpoint_config(region: Region, request: Request) -> dict[str, Any]:
    """Let go of a configuration."""
    with region.lock:
        record = config(region, request["EndpointConfigName"])
        users = [
            endpoint.name for endpoint in region.all("endpoint").values() if record.name in endpoint.uses_configs()
        ]
        region.world.constraints.demand(
            "config-in-use",
            not users,
            f'Cannot delete endpoint configuration "{record.arn}": it is in use by endpoint(s) {", ".join(users)}.',
        )
        region.remove(record)
    return {}


def list_endpoint_configs(region: Region, request: Request) -> dict[str, Any]:
    """Their names."""
    with region.lock:
        return listing(
            region.all(CONFIG).values(),
            request,
            "EndpointConfigs",
            lambda record: _summary(record, "EndpointConfig"),
        )


def config(region: Region, name: str) -> Record:
    """A configuration.

    :raises Refused: where there is none of that name.
    """
    return region.get(CONFIG, name, f'Could not find endpoint configuration "{region.arn(CONFIG, name)}".')


def variants(request: Request) -> list[dict[str, Any]]:
    """The variants that a configuration's request names, shadows too."""
    return [*request["ProductionVariants"], *request.get("ShadowProductionVariants", [])]


def containers(request: Request) -> list[dict[str, Any]]:
    """The containers that a model's request names."""
    primary = request.get("PrimaryContainer")
    return [*([primary] if primary else []), *request.get("Containers", [])]


def _check_container(region: Region, request: Request, container: dict[str, Any]) -> None:
    demand = region.world.constraints.demand
    image = container.get("Image", "")
    if not image and "ModelPackageName" not in container:
        raise invalid("A container definition names an Image or a ModelPackageName.")
    if image:
        demand("image-exists", region.world.images.find(image) is not None, f"Requested image {image} not found.")
    environment = container.get("Environment", {})
    sizes = [len(text.encode()) for pair in environment.items() for text in pair]
    demand(
        "model-environment",
        len(environment) <= 100 and max(sizes, default=0) <= 1024 and sum(sizes) <= 32 << 10,
        "Environment has more than 100 entries, one of more than 1024 bytes, or more than 32 KB in all.",
    )
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    address = source.get("S3Uri") or container.get("ModelDataUrl", "")
    if source.get("S3DataType") == "S3Prefix":
        demand("model-prefix", address.endswith("/"), f"S3Uri of the type S3Prefix must end with '/': {address}")
    if address:
        found = bool(objects.keys(region.world.client("s3", region.name), Place.of(address)))
        demand("input-exists", found, f"Could not find model data at {address}.")
    if "ExecutionRoleArn" not in request:
        raise invalid("A model names an ExecutionRoleArn.")


def _add(region: Region, record: Record, said: str) -> None:
    with region.lock:
        region.world.constraints.demand(
            "names-taken",
            region.find(record.kind, record.name) is None,
            f'Cannot create already existing {said} "{record.arn}".',
        )
        region.add(record, record.request.get("Tags", []))


def _no_model(region: Region, name: str) -> str:
    return f'Could not find model "{region.arn(MODEL, name)}".'


def _echo(request: Request) -> dict[str, Any]:
    return {member: value for member, value in request.items() if member != "Tags"}


def _summary(record: Record, word: str) -> dict[str, Any]:
    return {f"{word}Name": record.name, f"{word}Arn": record.arn, "CreationTime": record.created}


OPERATIONS = {
    "CreateModel": create_model,
    "DescribeModel": describe_model,
    "DeleteModel": delete_model,
    "ListModels": list_models,
    "CreateEndpointConfig": create_endpoint_config,
    "DescribeEndpointConfig": describe_endpoint_config,
    "DeleteEndpointConfig": delete_endpoint_config,
    "ListEndpointConfigs": list_endpoint_configs,
}
