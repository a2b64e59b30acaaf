"""Jobs as training jobs of SageMaker.

A name of SageMaker's is taken for ever, also by a job that failed, and a job of ours may be run again then. So each
attempt is a job of its own, ``<prefix>-<name>-<attempt>``, and the newest is the job.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from trivet.core.canonical import digest
from trivet.core.errors import NotFound, PlatformError
from trivet.core.faults import point
from trivet.core.platform import Jobs
from trivet.core.refs import JobRef
from trivet.core.specs import JobSpec, JobState
from trivet.core.waiting import wait_for
from trivet.platforms.aws.errors import PROPAGATION_SECONDS, is_missing, is_taken, once_the_role_is_known, told
from trivet.platforms.aws.images import TRAINING, image
from trivet.platforms.aws.logs import lines
from trivet.platforms.aws.part import Part
from trivet.platforms.aws.requests import Surroundings, runtime_limit, training_request
from trivet.platforms.aws.tags import tags
from trivet.platforms.container import STORE, TASK, ContainerTask
from trivet.platforms.jobplaces import check_places

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
MOST_NAME = 63
STATES = {
    "InProgress": JobState.RUNNING,
    "Stopping": JobState.RUNNING,
    "Completed": JobState.SUCCEEDED,
    "Failed": JobState.FAILED,
    "Stopped": JobState.CANCELLED,
}
OUT_OF_TIME = ("MaxRuntimeExceeded", "MaxWaitTimeExceeded")  # SageMaker's own endings, which nobody asked for


class Attempt(NamedTuple):
    """One training job of SageMaker."""

    number: int
    name: str
    described: Mapping[str, Any]


class AwsJobs(Part, Jobs):
    """Training jobs in the stack's network, with its role and its key."""

    def submit(self, spec: JobSpec) -> JobRef:
        self._check(spec)
        check_places(spec)
        ref = JobRef(spec.name)
        newest = self.newest(ref)
        if newest and _state(newest) in (JobState.RUNNING, JobState.SUCCEEDED):
            return ref
        number = newest.number + 1 if newest else 1
        task = ContainerTask(source=spec.source, command=spec.command, environment=spec.environment, output=spec.output)
        # Named by what it says: who submits another task under this name at the same time changes nothing of ours.
        key = f"jobs/{spec.name}/{digest(task.canonical()).removeprefix('sha256:')}.json"
        self._store.put(key, task.canonical())
        point("job.written")
        request = self._request(spec, self._name(ref.id, number), key)
        with told(f"Job {spec.name}"):
            try:
                once_the_role_is_known(
                    lambda: self._sagemaker.create_training_job(**request), f"The role of job {spec.name}"
                )
            except ClientError as error:
                if not is_taken(error):
                    raise
        wait_for(lambda: self._attempt(ref, number), f"Job {spec.name}", seconds=PROPAGATION_SECONDS)
        return ref

    def state(self, ref: JobRef) -> JobState:
        return _state(self._known(ref))

    def logs(self, ref: JobRef) -> Iterator[str]:
        found = self._known(ref)
        return lines(self._clients("logs"), LOG_GROUP, f"{found.name}/")

    def cancel(self, ref: JobRef) -> None:
        found = self._known(ref)
        if _state(found) is not JobState.RUNNING:
            return
        with told(f"Cancelling job {ref.id}"):
            try:
                self._sagemaker.stop_training_job(TrainingJobName=found.name)
            except ClientError:
                if _state(self._known(ref)) is JobState.RUNNING:  # else it ended meanwhile
                    raise

    @property
    def _sagemaker(self) -> Any:
        return self._clients("sagemaker")

    def _known(self, ref: JobRef) -> Attempt:
        found = self.newest(ref)
        if found is None:
            raise NotFound(f"The job {ref.id} was never submitted.")
        return found

    def newest(self, ref: JobRef) -> Attempt | None:
        """The newest attempt: their numbers have no gaps, and asking by name is consistent where listing is not."""
        found = None
        for number in range(1, 10_000):
            following = self._attempt(ref, number)
            if following is None:
                break
            found = following
        return found

    def _attempt(self, ref: JobRef, number: int) -> Attempt | None:
        physical = self._name(ref.id, number)
        with told(f"Job {ref.id}"):
            try:
                return Attempt(number, physical, self._sagemaker.describe_training_job(TrainingJobName=physical))
            except ClientError as error:
                if is_missing(error):
                    return None
                raise

    def _name(self, name: str, attempt: int) -> str:
        whole = f"{self._native.prefix}-{name}"
        most = MOST_NAME - 5  # four digits of the attempt
        if len(whole) > most:
            whole = f"{whole[: most - 9]}-{sha256(whole.encode()).hexdigest()[:8]}"
        return f"{whole}-{attempt}"

    def _request(self, spec: JobSpec, name: str, task: str) -> dict[str, Any]:
        native, chosen, outputs = self._native, spec.native.aws, self._outputs
        around = Surroundings(outputs.store, native.trainer_role, native.key, native.subnets, native.security_groups)
        request = training_request(
            around,
            name,
            spec.name,
            chosen,
            image=chosen.image or image(native, TRAINING),
            seconds=runtime_limit(chosen, spec.timeout, outputs.region),
            environment={STORE: outputs.store, TASK: task, "AWS_REGION": outputs.region},
            tags=tags(outputs),
        )
        if spec.inputs:
            channels = [_channel(channel, f"{outputs.store}/{key}/") for channel, key in spec.inputs.items()]
            request["InputDataConfig"] = channels
        return request


def _state(found: Attempt) -> JobState:
    status = found.described["TrainingJobStatus"]
    if status not in STATES:
        raise PlatformError(f"SageMaker says that job {found.name} is {status!r}, which is unknown.")
    state = STATES[status]
    if state is JobState.CANCELLED and found.described.get("SecondaryStatus") in OUT_OF_TIME:
        return JobState.FAILED
    return state


def _channel(name: str, url: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": url, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "InputMode": "File"}
