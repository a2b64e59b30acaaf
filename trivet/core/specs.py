"""What a user asks a platform for. Shared by all clouds; ``native`` holds what only one of them knows."""

from __future__ import annotations

import math
from datetime import timedelta
from enum import StrEnum
from typing import Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from trivet.core.document import Document
from trivet.core.records import Mode

LEAST_LINEAR = 10  # percent
MOST_ROLLOUT = timedelta(hours=7)  # of the 8 that SageMaker gives an update at most; machines need some of them
NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"


class LocalJob(Document):
    """Options of a job that only ``local`` has."""

    nice: int = Field(default=0, ge=0, le=19, description="Scheduling priority of the process.")


class AwsJob(Document):
    """Options of a job that only ``aws`` has."""

    instance_type: str = Field(default="ml.m5.large", pattern=r"^ml\.", description="Of each machine.")
    instances: int = Field(default=1, ge=1, le=100)
    volume_gb: int = Field(default=30, ge=1, le=16384, description="Encrypted with the stack's key.")
    image: str | None = Field(default=None, description="With Trivet in it; none: the stack's own for training.")
    spot: bool = Field(default=False, description="Spare machines, which may be taken away: leave checkpoints.")
    patience: timedelta = Field(default=timedelta(hours=1), description="How long it may wait for spot machines.")
    most_cost: float | None = Field(default=None, gt=0, description="USD of list price at which it is ended.")


class GcpAccelerator(Document):
    """What is attached to a machine."""

    kind: str = Field(pattern=r"^[A-Z][A-Z0-9_]+$", description="Such as `NVIDIA_TESLA_T4`.")
    count: int = Field(default=1, ge=1, le=16)


class GcpJob(Document):
    """Options of a job that only ``gcp`` has."""

    machine_type: str = Field(default="e2-standard-4", pattern=r"^[a-z][a-z0-9-]+$")
    accelerator: GcpAccelerator | None = None
    disk_gb: int = Field(default=100, ge=100, le=64000, description="Encrypted with the stack's key.")
    image: str | None = Field(default=None, description="With Trivet in it; none: the stack's own for training.")
    spot: bool = Field(default=False, description="Spare machines, which may be taken away: leave checkpoints.")
    patience: timedelta = Field(
        default=timedelta(hours=1),
        description="How long it may wait for spot machines; Trivet ends it when it is asked for its state then.",
    )


class JobNative(Document):
    """A job's options by cloud."""

    local: LocalJob = LocalJob()
    aws: AwsJob = AwsJob()
    gcp: GcpJob = GcpJob()

    def waits(self, cloud: str) -> timedelta:
        """How long a job may wait for machines on that cloud, beside its own time."""
        chosen = {"aws": self.aws, "gcp": self.gcp}.get(cloud)
        return chosen.patience if chosen and chosen.spot else timedelta(0)


class JobSpec(Document):
    """A process that runs a packed source over inputs and leaves outputs.

    ``inputs`` maps a channel to a key prefix of the store; the job finds it under ``$TRIVET_INPUT/<channel>``.
    What it leaves under ``$TRIVET_OUTPUT`` lies under ``output`` in the store when the job has succeeded. Where a cloud
    interrupts jobs, what it keeps under ``$TRIVET_CHECKPOINTS`` is there when it is started again.
    ``command`` runs in the unpacked source; the word ``python`` means the interpreter of the platform's image.
    A job with the same name is the same job.
    """

    name: str = Field(pattern=NAME)
    source: str = Field(description="Store key of the packed source (tar.gz).")
    command: tuple[str, ...] = Field(min_length=1)
    inputs: dict[str, str] = {}
    output: str
    environment: dict[str, str] = {}
    timeout: timedelta = timedelta(hours=1)
    native: JobNative = JobNative()


class JobState(StrEnum):
    """Where a job stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Approval(Document):
    """Who let a model version through, why, and how it was established who they are."""

    actor: str
    status: str = Field(pattern=r"^(approved|rejected)$")
    reason: str = Field(min_length=3)
    identity: str = Field(description="How the actor's identity was established.")
    time: AwareDatetime


class ModelVersion(Document):
    """One version in the registry."""

    name: str
    version: int
    digest: str
    key: str = Field(description="Store key prefix of the package.")
    author: str
    created: AwareDatetime
    aliases: tuple[str, ...] = ()
    approval: Approval | None = None
    tags: dict[str, str] = {}

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"


class Release(Document):
    """One model version on an endpoint, with its share of the traffic in percent."""

    model: str
    version: int
    digest: str
    traffic: int = Field(default=100, ge=0, le=100)


class AwsScoring(Document):
    """Options of batch scoring that only ``aws`` has."""

    instance_type: str = Field(default="ml.m5.large", pattern=r"^ml\.", description="Of each machine.")
    instances: int = Field(default=1, ge=1, le=100, description="Each takes whole files.")
    image: str | None = Field(default=None, description="That serves Trivet's packages; none: the stack's own.")
    most_cost: float | None = Field(default=None, gt=0, description="USD of list price at which it is ended.")


class GcpScoring(Document):
    """Options of batch scoring that only ``gcp`` has."""

    machine_type: str = Field(default="e2-standard-4", pattern=r"^[a-z][a-z0-9-]+$")
    image: str | None = Field(default=None, description="That serves Trivet's packages; none: the stack's own.")


class ScoringNative(Document):
    """Options of batch scoring by cloud."""

    local: LocalJob = LocalJob()
    aws: AwsScoring = AwsScoring()
    gcp: GcpScoring = GcpScoring()


class ScoringSpec(Document):
    """A model that scores every row of some files, without an endpoint.

    Under ``input``, a key prefix of the store, lie files of JSON lines (``.jsonl``), each an object by the names of the
    model's inputs or an array in their order, or of CSV (``.csv``) without a header, in their order; all of one kind,
    and a line is a row. When the job has succeeded there is for each, under ``output`` and by the same name with
    ``.out`` after it, a file of JSON lines, one a line in the same order: ``score``, ``decision``, ``model_name``,
    ``model_version`` and ``package``, its digest. A row that the model does not take has ``error`` in place of the
    first two. No records are written.
    """

    name: str = Field(pattern=NAME)
    release: Release
    input: str
    output: str
    timeout: timedelta = timedelta(hours=1)
    native: ScoringNative = ScoringNative()


class LocalEndpoint(Document):
    """Options of an endpoint that only ``local`` has."""

    restarts_per_minute: int = Field(default=5, ge=1, description="More crashes than this within a minute is failure.")


class Rollout(Document):
    """How a release takes over on a cloud: ``at once``, or by a ``canary`` or ``linear`` steps of ``step`` percent.

    Each step bakes; while it does, an alarm takes the release back.
    """

    rollout: Literal["at once", "canary", "linear"] = "at once"
    step: int = Field(default=10, ge=1, le=50, description="Percent that each step adds, or the canary gets.")
    bake: timedelta = Field(default=timedelta(0), le=timedelta(hours=1), description="How long each step is watched.")

    @property
    def steps(self) -> int:
        """How many times traffic is shifted, and baked, until all of it is."""
        return {"at once": 1, "canary": 2, "linear": math.ceil(100 / self.step)}[self.rollout]


class AwsEndpoint(Rollout):
    """Options of an endpoint that only ``aws`` has; alarms are about the new machines alone."""

    instance_type: str | None = Field(
        default=None, pattern=r"^ml\.", description="Of each machine; none: as it is, ml.m5.large at first."
    )
    image: str | None = Field(default=None, description="That serves Trivet's packages; none: the stack's own.")
    startup: timedelta = Field(default=timedelta(minutes=10), ge=timedelta(minutes=1), le=timedelta(hours=1))
    requests_per_instance: float | None = Field(
        default=None, gt=0, description="Per minute: what autoscaling aims at; none: as it is, 1000 at first."
    )

    @model_validator(mode="after")
    def _can_be_done(self) -> Self:
        """Source: API reference of SageMaker, ``TrafficRoutingConfig`` and ``BlueGreenUpdatePolicy``."""
        if self.rollout == "linear" and self.step < LEAST_LINEAR:
            raise ValueError(f"a linear step is at least {LEAST_LINEAR} percent, not {self.step}")
        if (whole := self.startup + self.steps * self.bake) > MOST_ROLLOUT:
            raise ValueError(f"starting and baking {self.steps} times takes {whole}, and SageMaker gives it 7 hours")
        return self


class GcpEndpoint(Rollout):
    """Options of an endpoint that only ``gcp`` has; alarms are the stack's alert policies about the endpoint."""

    machine_type: str | None = Field(
        default=None, pattern=r"^[a-z][a-z0-9-]+$", description="None: as it is, e2-standard-2 at first."
    )
    accelerator: GcpAccelerator | None = Field(default=None, description="None: as it is where the machine stays.")
    image: str | None = Field(default=None, description="That serves Trivet's packages; none: the stack's own.")
    startup: timedelta = Field(default=timedelta(minutes=10), ge=timedelta(minutes=1), le=timedelta(hours=2))
    cpu_target: int | None = Field(
        default=None, ge=1, le=100, description="Percent that autoscaling aims at; none: as it is, 60 at first."
    )


class EndpointNative(Document):
    """An endpoint's options by cloud."""

    local: LocalEndpoint = LocalEndpoint()
    aws: AwsEndpoint = AwsEndpoint()
    gcp: GcpEndpoint = GcpEndpoint()


class Instances(Document):
    """Between how many machines an endpoint scales, equal ones for a number that is fixed.

    What is not said stays as it is on the endpoint; a new one begins with one machine.
    """

    minimum_instances: int | None = Field(default=None, ge=0, description="None: as it is, 1 at first.")
    maximum_instances: int | None = Field(default=None, ge=1, description="None: as it is, 1 at first.")

    @property
    def asks_for(self) -> int:
        """The most machines that are asked for; 0 where nothing is said."""
        return max(self.minimum_instances or 0, self.maximum_instances or 0)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        least, most = self.minimum_instances, self.maximum_instances
        if least is not None and most is not None and least > most:
            raise ValueError("minimum_instances is above maximum_instances")
        return self


class EndpointSpec(Instances):
    """The wanted state of an endpoint."""

    name: str = Field(pattern=NAME)
    releases: tuple[Release, ...] = Field(min_length=1)
    shadow: Release | None = None
    records: Mode = "complete"
    native: EndpointNative = EndpointNative()

    @model_validator(mode="after")
    def _traffic_adds_up(self) -> Self:
        total = sum(release.traffic for release in self.releases)
        if total != 100:
            raise ValueError(f"traffic adds up to {total} percent, not 100")
        return self


class EndpointStatus(StrEnum):
    """Where an endpoint stands."""

    EMPTY = "empty"  # a shell without a model
    STARTING = "starting"
    READY = "ready"
    STOPPED = "stopped"  # a model is wanted, but no process serves it
    FAILED = "failed"


class EndpointState(Document):
    """What the cloud really holds, read back."""

    name: str
    status: EndpointStatus
    url: str
    releases: tuple[Release, ...] = ()
    shadow: Release | None = Field(default=None, description="What gets a copy of the requests, and has no say.")
    reason: str = ""
    since: AwareDatetime | None = None
    restarts: int = 0


class WorkflowSpec(Document):
    """A command that the cloud repeats: the end-to-end workflow of a project, on a schedule or on demand."""

    name: str = Field(pattern=NAME)
    command: tuple[str, ...] = Field(min_length=1)
    every: timedelta | None = Field(default=None, description="Period of the schedule; none runs on demand only.")


class RunState(Document):
    """One run of a workflow."""

    id: str
    state: JobState
    started: AwareDatetime


class MetricPoint(Document):
    """One value of one metric."""

    name: str
    value: float
    time: AwareDatetime
    dimensions: dict[str, str] = {}
