"""From the wanted state of an endpoint to what SageMaker calls models, variants and configurations.

Models and configurations cannot be changed, so each is named by a digest of what it says: the same wanted state has the
same names, and what is there under a name is right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from trivet.clouds.awsinstances import has_local_disks
from trivet.clouds.awsnames import FAMILY
from trivet.core.canonical import digest_json
from trivet.core.errors import ForeignRelease
from trivet.core.modelpackage import package_key
from trivet.core.outputs import AwsNative, EndpointShell, Outputs
from trivet.core.specs import EndpointSpec, Release
from trivet.platforms.aws.images import SERVING, image
from trivet.platforms.aws.tags import tags

NAME, VERSION, MODE = "TRIVET_MODEL_NAME", "TRIVET_MODEL_VERSION", "TRIVET_RECORDS_MODE"
MOST_NAME, DIGITS = 63, 12
SHADOW = "shadow"

Request = dict[str, Any]


class Machines(NamedTuple):
    """What a variant begins with where the spec does not say another kind."""

    kind: str = "ml.m5.large"
    number: int = 1


FIRST = Machines()


@dataclass(frozen=True)
class Plan:
    """What has to be there for the wanted state, as requests of SageMaker's API."""

    models: tuple[Request, ...]
    config: Request

    @property
    def name(self) -> str:
        """The configuration's name."""
        return self.config["EndpointConfigName"]

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of the variants that answer."""
        return tuple(one["VariantName"] for one in self.config["ProductionVariants"])

    def alike(self, held: Mapping[str, Any]) -> list[str]:
        """The variants that a configuration has too, on machines of the same type."""
        there = {one["VariantName"]: one.get("InstanceType") for one in held["ProductionVariants"]}
        every = self.config["ProductionVariants"]
        return [one["VariantName"] for one in every if there.get(one["VariantName"]) == one["InstanceType"]]

    def unlike(self, there: Mapping[str, Any], *, counts: bool) -> list[Request]:
        """What somebody has changed of variants that serve by this plan: how it should be.

        :param counts: whether the number of machines is the plan's, and not left to autoscaling.
        """
        held = {one["VariantName"]: one for one in there["ProductionVariants"]}
        wanted = []
        for one in self.config["ProductionVariants"]:
            name, weight, count = one["VariantName"], one["InitialVariantWeight"], one["InitialInstanceCount"]
            if not math.isclose(held[name]["DesiredWeight"], weight, abs_tol=1e-3) or (
                counts and held[name]["DesiredInstanceCount"] != count
            ):
                found: Request = {"VariantName": name, "DesiredWeight": weight}
                wanted.append(found | ({"DesiredInstanceCount": count} if counts else {}))
        return wanted


def plan_of(
    spec: EndpointSpec, shell: EndpointShell, outputs: Outputs, native: AwsNative, machines: Machines = FIRST
) -> Plan:
    """The plan of a wanted state."""
    machines = machines._replace(kind=spec.native.aws.instance_type or machines.kind)
    models, variants = [], []
    for number, release in enumerate(spec.releases):
        models.append(_model(spec, release, shell, outputs, native))
        # The first variant has the endpoint's own name: the stack's alarms and its dashboard look at it.
        name = spec.name if number == 0 else f"{spec.name[: MOST_NAME - 4]}-{number + 1}"
        variants.append(_variant(spec, name, models[-1]["ModelName"], release.traffic, machines))
    config: Request = {"ProductionVariants": variants}
    if not has_local_disks(machines.kind):  # which encrypt themselves, and take no key
        config["KmsKeyId"] = native.key
    if spec.shadow:
        models.append(_model(spec, spec.shadow, shell, outputs, native))
        name = f"{spec.name[: MOST_NAME - len(SHADOW) - 1]}-{SHADOW}"
        # A shadow gets its weight's share of what the first variant gets: all of it.
        shadow = _variant(spec, name, models[-1]["ModelName"], spec.releases[0].traffic, machines)
        config["ShadowProductionVariants"] = [shadow]
    config |= {"EndpointConfigName": named(shell, config), "Tags": tags(outputs, endpoint=spec.name)}
    return Plan(tuple(models), config)


def named(shell: EndpointShell, content: Request) -> str:
    """The name of what says this."""
    return f"{family(shell)}{digest_json(content)[7 : 7 + DIGITS]}"


def family(shell: EndpointShell) -> str:
    """What the names of an endpoint's models and configurations begin with, and no other endpoint's do."""
    short = shell.name[:FAMILY]
    own = "" if short == shell.name else f"{digest_json(shell.name)[7:17]}-"
    return f"{short}-{own}"


def _model(spec: EndpointSpec, release: Release, shell: EndpointShell, outputs: Outputs, native: AwsNative) -> Request:
    environment = {
        "TRIVET_ENDPOINT": spec.name,
        "TRIVET_RECORDS": outputs.records,
        MODE: spec.records,
        "AWS_REGION": outputs.region,
    }
    request = model_of(release, native.server_roles[spec.name], spec.native.aws.image, environment, outputs, native)
    named_tags = tags(outputs, endpoint=spec.name, model=release.model, model_version=str(release.version))
    return request | {"ModelName": named(shell, request), "Tags": named_tags}


def container_of(key: str, name: str, version: int, image: str, outputs: Outputs) -> Request:
    """What serves a package as a version of a model, whoever deploys it: nothing that the stack has not signed.

    :param key: of the package in the stack's store.
    """
    source = {"S3Uri": f"{outputs.store}/{key}/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    known = {NAME: name, VERSION: str(version), "TRIVET_PUBLIC_KEY": outputs.signing.public_key}
    return {"Image": image, "ModelDataSource": {"S3DataSource": source}, "Environment": known}


def packed(container: Request, key: str, outputs: Outputs) -> Request:
    """The same with the package as one archive: for a batch transform, which takes no folder."""
    rest = {member: value for member, value in container.items() if member != "ModelDataSource"}
    return rest | {"ModelDataUrl": f"{outputs.store}/{key}"}


def model_of(
    release: Release, role: str, own_image: str | None, environment: dict[str, str], outputs: Outputs, native: AwsNative
) -> Request:
    """A model of SageMaker's, without a name: the release in a container that serves it, in the stack's network.

    :param own_image: the user's; none: the stack's own.
    """
    key = package_key(release.digest)
    container = container_of(key, release.model, release.version, own_image or image(native, SERVING), outputs)
    container["Environment"] |= environment
    request: Request = {"PrimaryContainer": container, "ExecutionRoleArn": role}
    if native.subnets:
        groups = list(native.security_groups)
        request["VpcConfig"] = {"Subnets": list(native.subnets), "SecurityGroupIds": groups}
    return request


def _variant(spec: EndpointSpec, name: str, model: str, weight: int, machines: Machines) -> Request:
    return {
        "VariantName": name,
        "ModelName": model,
        "InstanceType": machines.kind,
        "InitialInstanceCount": machines.number,
        "InitialVariantWeight": float(weight),
        "ContainerStartupHealthCheckTimeoutInSeconds": math.ceil(spec.native.aws.startup.total_seconds()),
    }


def release_of(model: Mapping[str, Any]) -> Release:
    """The release that a model of SageMaker's holds.

    :raises ForeignRelease: when Trivet did not make it.
    """
    try:
        container = model["PrimaryContainer"]
        environment = container["Environment"]
        url = container["ModelDataSource"]["S3DataSource"]["S3Uri"].rstrip("/")
        prefix = package_key("sha256:")
        if not url.rpartition("/")[0].endswith(f"/{prefix.rstrip('/')}"):
            raise KeyError(url)
        return Release(
            model=environment[NAME], version=int(environment[VERSION]), digest=f"sha256:{url.rpartition('/')[2]}"
        )
    except (KeyError, ValueError) as error:
        raise ForeignRelease(
            f"The model {model['ModelName']} that SageMaker serves was not made by Trivet.",
            "Deploy a release over it, or delete the endpoint.",
        ) from error
