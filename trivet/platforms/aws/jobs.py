"""Jobs as training jobs of SageMaker, and batch scoring as its batch transform."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trivet.core.canonical import digest
from trivet.core.faults import point
from trivet.core.outputs import AwsNative
from trivet.core.platform import Jobs
from trivet.core.refs import JobRef
from trivet.core.specs import JobSpec, JobState, ScoringSpec
from trivet.platforms.aws.attempts import TRAINING, TRANSFORM, Attempt, Attempts
from trivet.platforms.aws.clients import Clients
from trivet.platforms.aws.ensuring import ensure
from trivet.platforms.aws.images import TRAINING as TRAINING_IMAGE
from trivet.platforms.aws.images import image
from trivet.platforms.aws.logs import lines
from trivet.platforms.aws.requests import Surroundings, runtime_limit, training_request
from trivet.platforms.aws.scoring import scoring_model, transform
from trivet.platforms.aws.tags import tags
from trivet.platforms.container import STORE, TASK, ContainerTask
from trivet.platforms.jobplaces import check_places
from trivet.platforms.packed import put_packed
from trivet.platforms.part import Part
from trivet.platforms.scoring import check_scoring
from trivet.platforms.serverlog import error_in


class AwsJobs(Part[Clients, AwsNative], Jobs):
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
        found, server = self._attempts.known(ref), ""
        for line in lines(self._clients("logs"), found.kind.log_group, f"{found.name}/"):
            server = error_in(line) or server
            yield line
        if reason := found.reason:
            yield f"SageMaker: {reason}{f' The server: {server}' if server else ''}"

    def cancel(self, ref: JobRef) -> None:
        self._attempts.stop(ref)

    def newest(self, ref: JobRef) -> Attempt | None:
        """SageMaker's own job that is this one now."""
        return self._attempts.newest(ref)

    @property
    def _attempts(self) -> Attempts:
        return Attempts(self._clients, self._native.prefix)

    def _transform(self, spec: ScoringSpec, form: str, seconds: int, name: str) -> dict[str, Any]:
        """The request of a batch transform, once the archive that its model names is there, and the model."""
        sagemaker: Any = self._clients("sagemaker")
        put_packed(self._store, spec.release.digest, self._outputs.signing.public_key)
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
        native, chosen, outputs = self._native, spec.native.aws, self._outputs
        around = Surroundings(outputs.store, native.trainer_role, native.key, native.subnets, native.security_groups)
        request = training_request(
            around,
            name,
            spec.name,
            chosen,
            image=chosen.image or image(native, TRAINING_IMAGE),
            seconds=runtime_limit(chosen, spec.timeout, outputs.region),
            environment={STORE: outputs.store, TASK: task, "AWS_REGION": outputs.region},
            tags=tags(outputs),
        )
        if spec.inputs:
            channels = [_channel(channel, f"{outputs.store}/{key}/") for channel, key in spec.inputs.items()]
            request["InputDataConfig"] = channels
        return request


def _channel(name: str, url: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": url, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "InputMode": "File"}
