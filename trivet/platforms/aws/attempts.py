"""Jobs of SageMaker by our names.

A name of SageMaker's is taken for ever, also by a job that failed, and a job of ours may be run again then. So each
attempt is a job of its own, ``<prefix>-<name>-<attempt>``, and the newest is the job. SageMaker's kinds of jobs have
names of their own; ours is one, whichever kind it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from trivet.core.errors import ConfigError, NotFound, PlatformError
from trivet.core.refs import JobRef
from trivet.core.specs import JobState
from trivet.core.waiting import wait_for
from trivet.platforms.aws.clients import Clients
from trivet.platforms.aws.errors import PROPAGATION_SECONDS, is_missing, is_taken, once_the_role_is_known, told

MOST_NAME = 63
STATES = {
    "InProgress": JobState.RUNNING,
    "Stopping": JobState.RUNNING,
    "Completed": JobState.SUCCEEDED,
    "Failed": JobState.FAILED,
    "Stopped": JobState.CANCELLED,
}
OUT_OF_TIME = ("MaxRuntimeExceeded", "MaxWaitTimeExceeded")  # SageMaker's own endings, which nobody asked for


class Kind(NamedTuple):
    """One of SageMaker's kinds of jobs, in the words of its API."""

    word: str

    @property
    def verb(self) -> str:
        """As the methods of boto3 call it."""
        return f"{self.word.lower()}_job"

    @property
    def name(self) -> str:
        """The field with the name of one."""
        return f"{self.word}JobName"

    @property
    def log_group(self) -> str:
        """Where its containers write."""
        return f"/aws/sagemaker/{self.word}Jobs"


TRAINING, TRANSFORM = Kind("Training"), Kind("Transform")
KINDS = (TRAINING, TRANSFORM)


class Attempt(NamedTuple):
    """One job of SageMaker."""

    kind: Kind
    number: int
    name: str
    described: Mapping[str, Any]

    @property
    def state(self) -> JobState:
        """Where it stands.

        :raises PlatformError: for a status that is not known.
        """
        status = self.described[f"{self.kind.word}JobStatus"]
        if status not in STATES:
            raise PlatformError(f"SageMaker says that job {self.name} is {status!r}, which is unknown.")
        state = STATES[status]
        if state is JobState.CANCELLED and self.described.get("SecondaryStatus") in OUT_OF_TIME:
            return JobState.FAILED
        return state

    @property
    def reason(self) -> str:
        """Why it failed, as SageMaker says it, in a line; empty where it says nothing."""
        said = " ".join(self.described.get("FailureReason", "").split())
        return said and f"{said.rstrip('.')}."


class Attempts:
    """The jobs of one stack."""

    def __init__(self, clients: Clients, prefix: str) -> None:
        self._clients = clients
        self._prefix = prefix

    def known(self, ref: JobRef) -> Attempt:
        """The newest attempt of a job.

        :raises NotFound: when there is none.
        """
        if (found := self.newest(ref)) is None:
            raise NotFound(f"The job {ref.id} was never submitted.")
        return found

    def newest(self, ref: JobRef) -> Attempt | None:
        """The newest attempt: their numbers have no gaps, and asking by name is consistent where listing is not."""
        for kind in KINDS:
            found = None
            for number in range(1, 10_000):
                if (following := self._attempt(kind, ref, number)) is None:
                    break
                found = following
            if found is not None:
                return found
        return None

    def begin(self, kind: Kind, ref: JobRef, request: Callable[[str], dict[str, Any]]) -> None:
        """Create a job of SageMaker, unless the job runs or has succeeded, and wait until it is known.

        :param request: makes the request from the name.
        :raises ConfigError: when the name is that of a job of another kind.
        """
        newest = self.newest(ref)
        if newest and newest.kind is not kind:
            raise ConfigError(f"{ref.id} is the name of a job of another kind.", "Choose another name.")
        if newest and newest.state in (JobState.RUNNING, JobState.SUCCEEDED):
            return
        number = newest.number + 1 if newest else 1
        asked = request(self.physical(ref.id, number))
        create = getattr(self._sagemaker, f"create_{kind.verb}")
        with told(f"Job {ref.id}"):
            try:
                once_the_role_is_known(lambda: create(**asked), f"The role of job {ref.id}")
            except ClientError as error:
                if not is_taken(error):
                    raise
        wait_for(lambda: self._attempt(kind, ref, number), f"Job {ref.id}", seconds=PROPAGATION_SECONDS)

    def stop(self, ref: JobRef) -> None:
        """End a job; nothing happens if it has ended."""
        found = self.known(ref)
        if found.state is not JobState.RUNNING:
            return
        with told(f"Cancelling job {ref.id}"):
            try:
                getattr(self._sagemaker, f"stop_{found.kind.verb}")(**{found.kind.name: found.name})
            except ClientError:
                if self.known(ref).state is JobState.RUNNING:  # else it ended meanwhile
                    raise

    @property
    def _sagemaker(self) -> Any:
        return self._clients("sagemaker")

    def _attempt(self, kind: Kind, ref: JobRef, number: int) -> Attempt | None:
        name = self.physical(ref.id, number)
        with told(f"Job {ref.id}"):
            try:
                described = getattr(self._sagemaker, f"describe_{kind.verb}")(**{kind.name: name})
            except ClientError as error:
                if is_missing(error):
                    return None
                raise
        return Attempt(kind, number, name, described)

    def physical(self, name: str, attempt: int) -> str:
        """The name that SageMaker knows an attempt by."""
        whole = f"{self._prefix}-{name}"
        most = MOST_NAME - 5  # four digits of the attempt
        if len(whole) > most:
            whole = f"{whole[: most - 9]}-{sha256(whole.encode()).hexdigest()[:8]}"
        return f"{whole}-{attempt}"
