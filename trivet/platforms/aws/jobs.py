"""Jobs as training jobs of SageMaker, and batch scoring as its batch transform."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from trivet.clouds import awsprices
from trivet.clouds.awsinstances import has_local_disks
from trivet.core.canonical import digest
from trivet.core.errors import ConfigError
from trivet.core.faults import point
from trivet.core.platform import Jobs
from trivet.core.refs import JobRef
from trivet.core.specs import AwsJob, AwsScoring, JobSpec, JobState, ScoringSpec
from trivet.platforms.aws.attempts import TRAINING, TRANSFORM, Attempt, Attempts
from trivet.platforms.aws.ensuring import ensure
from trivet.platforms.aws.images import TRAINING as TRAINING_IMAGE
from trivet.platforms.aws.images import image
from trivet.platforms.aws.logs import lines
from trivet.platforms.aws.part import Part
from trivet.platforms.aws.scoring import scoring_model, transform
from trivet.platforms.aws.tags import tags
from trivet.platforms.container import STORE, TASK, ContainerTask
from trivet.platforms.jobplaces import check_places
from trivet.platforms.scoring import check_scoring


class AwsJobs(Part, Jobs):
    """Jobs in the stack's network, with its role and its key."""

    def submit(self, spec: JobSpec) -> JobRef:
        self._check(spec)
        check_places(spec)
        ref = JobRef(spec.name)
        self._attempts.begin(TRAINING, ref, lambda name: self._training(spec, name))
        return ref

    def score(self, spec: ScoringSpec) -> JobRef:
        self._check(spec)
        form = check_scoring(spec, self._store)
        seconds = runtime_limit(spec.native.aws, spec.timeout, self._outputs.region)
        ref = JobRef(spec.name)
        self._attempts.begin(TRANSFORM, ref, lambda name: self._transform(spec, form, seconds, name))
        return ref

    def state(self, ref: JobRef) -> JobState:
        return self._attempts.known(ref).state

    def logs(self, ref: JobRef) -> Iterator[str]:
        found = self._attempts.known(ref)
        return lines(self._clients("logs"), found.kind.log_group, f"{found.name}/")

    def cancel(self, ref: JobRef) -> None:
        self._attempts.stop(ref)

    def newest(self, ref: JobRef) -> Attempt | None:
        """SageMaker's own job that is this one now."""
        return self._attempts.newest(ref)

    @property
    def _attempts(self) -> Attempts:
        return Attempts(self._clients, self._native.prefix)

    def _transform(self, spec: ScoringSpec, form: str, seconds: int, name: str) -> dict[str, Any]:
        """The request of a batch transform, once the model that it names is there."""
        sagemaker: Any = self._clients("sagemaker")
        model = scoring_model(spec, self._outputs, self._native)
        ensure(
            lambda: sagemaker.describe_model(ModelName=model["ModelName"]),
            lambda: sagemaker.create_model(**model),
            f"The model {model['ModelName']}",
        )
        point("scoring.model")
        return transform(spec, form, seconds, name, self._outputs, self._native)

    def _training(self, spec: JobSpec, name: str) -> dict[str, Any]:
        """The request of a training job, once its task lies in the store."""
        task = ContainerTask(source=spec.source, command=spec.command, environment=spec.environment, output=spec.output)
        # Named by what it says: who submits another task under this name at the same time changes nothing of ours.
        key = f"jobs/{spec.name}/{digest(task.canonical()).removeprefix('sha256:')}.json"
        self._store.put(key, task.canonical())
        point("job.written")
        return self._request(spec, name, key)

    def _request(self, spec: JobSpec, name: str, task: str) -> dict[str, Any]:
        native, chosen = self._native, spec.native.aws
        store = self._outputs.store
        limit = runtime_limit(chosen, spec.timeout, self._outputs.region)
        stopping = {"MaxRuntimeInSeconds": limit}
        request: dict[str, Any] = {
            "TrainingJobName": name,
            "RoleArn": native.trainer_role,
            "AlgorithmSpecification": {
                "TrainingImage": chosen.image or image(native, TRAINING_IMAGE),
                "TrainingInputMode": "File",
            },
            "OutputDataConfig": {"S3OutputPath": f"{store}/jobs/{spec.name}/sagemaker", "KmsKeyId": native.key},
            "ResourceConfig": {
                "InstanceType": chosen.instance_type,
                "InstanceCount": chosen.instances,
                "VolumeSizeInGB": chosen.volume_gb,
                **({} if has_local_disks(chosen.instance_type) else {"VolumeKmsKeyId": native.key}),
            },
            "StoppingCondition": stopping,
            "Environment": {STORE: store, TASK: task, "AWS_REGION": self._outputs.region},
            "EnableInterContainerTrafficEncryption": chosen.instances > 1,
            "Tags": tags(self._outputs),
        }
        if spec.inputs:
            request["InputDataConfig"] = [_channel(name, f"{store}/{key}/") for name, key in spec.inputs.items()]
        if native.subnets:
            groups = list(native.security_groups)
            request["VpcConfig"] = {"Subnets": list(native.subnets), "SecurityGroupIds": groups}
        if chosen.spot:
            request["EnableManagedSpotTraining"] = True
            stopping["MaxWaitTimeInSeconds"] = limit + _seconds(chosen.patience)
            request["CheckpointConfig"] = {"S3Uri": f"{store}/checkpoints/{spec.name}"}
        return request


def runtime_limit(chosen: AwsJob | AwsScoring, timeout: timedelta, region: str) -> int:
    """Seconds after which a job is ended: its timeout, or when its machines have cost what they may.

    :raises ConfigError: when a limit of cost was given and the machine's list price is not known.
    """
    seconds = _seconds(timeout)
    if chosen.most_cost is None:
        return seconds
    price = awsprices.hourly(chosen.instance_type, region)
    if price is None:
        raise ConfigError(
            f"The price of {chosen.instance_type} in {region} is not known, so its cost cannot be limited.",
            "Give a timeout instead of most_cost.",
        )
    affordable = Decimal(str(chosen.most_cost)) / (price * chosen.instances) * 3600
    if affordable < 1:
        raise ConfigError(f"USD {chosen.most_cost:g} buys no second of {chosen.instance_type}.", "Raise most_cost.")
    return min(seconds, int(affordable))


def _channel(name: str, url: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": url, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "InputMode": "File"}


def _seconds(period: timedelta) -> int:
    return max(1, math.ceil(period.total_seconds()))
