"""How long jobs may run, and the request of a training job without an SDK: the stack's schedules send one, too."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from trivet.clouds import awsprices
from trivet.clouds.awsinstances import has_local_disks
from trivet.core.errors import ConfigError
from trivet.core.specs import AwsJob, AwsScoring

Request = dict[str, Any]


class Surroundings(NamedTuple):
    """Where a stack's jobs run: URL of the store, ARNs of the role and the key, ids of the network."""

    store: str
    role: str
    key: str
    subnets: Sequence[str]
    security_groups: Sequence[str]


def training_request(
    around: Surroundings,
    name: str,
    folder: str,
    machines: AwsJob,
    *,
    image: str,
    seconds: int,
    environment: Mapping[str, str],
    tags: Sequence[Mapping[str, str]],
) -> Request:
    """A job in the stack's network, with its role and its key.

    :param folder: of the store's ``jobs/`` and ``checkpoints/``, in which SageMaker leaves what is its own.
    :param seconds: after which it is ended.
    """
    disks = {} if has_local_disks(machines.instance_type) else {"VolumeKmsKeyId": around.key}
    request: Request = {
        "TrainingJobName": name,
        "RoleArn": around.role,
        "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": f"{around.store}/jobs/{folder}/sagemaker", "KmsKeyId": around.key},
        "ResourceConfig": {
            "InstanceType": machines.instance_type,
            "InstanceCount": machines.instances,
            "VolumeSizeInGB": machines.volume_gb,
            **disks,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": seconds},
        "Environment": dict(environment),
        "EnableInterContainerTrafficEncryption": machines.instances > 1,
        "Tags": list(tags),
    }
    if around.subnets:
        request["VpcConfig"] = {"Subnets": [*around.subnets], "SecurityGroupIds": [*around.security_groups]}
    if machines.spot:
        request["EnableManagedSpotTraining"] = True
        request["StoppingCondition"]["MaxWaitTimeInSeconds"] = seconds + whole_seconds(machines.patience)
        request["CheckpointConfig"] = {"S3Uri": f"{around.store}/checkpoints/{folder}"}
    return request


def runtime_limit(machines: AwsJob | AwsScoring, timeout: timedelta, region: str) -> int:
    """Seconds after which a job is ended: its timeout, or when its machines have cost what they may.

    :raises ConfigError: when a limit of cost was given and the machine's list price is not known.
    """
    seconds = whole_seconds(timeout)
    if machines.most_cost is None:
        return seconds
    price = awsprices.hourly(machines.instance_type, region)
    if price is None:
        raise ConfigError(
            f"The price of {machines.instance_type} in {region} is not known, so its cost cannot be limited.",
            "Give a timeout instead of most_cost.",
        )
    affordable = Decimal(str(machines.most_cost)) / (price * machines.instances) * 3600
    if affordable < 1:
        raise ConfigError(f"USD {machines.most_cost:g} buys no second of {machines.instance_type}.", "Raise most_cost.")
    return min(seconds, int(affordable))


def whole_seconds(period: timedelta) -> int:
    """At least one; SageMaker knows no parts of them."""
    return max(1, math.ceil(period.total_seconds()))
