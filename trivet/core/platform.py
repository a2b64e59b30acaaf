"""The platform interface: few verbs, which each cloud implements. All else is written once on top."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from trivet.core.capabilities import Capability, Cloud
from trivet.core.checkup import Check
from trivet.core.errors import ConfigError
from trivet.core.outputs import Outputs
from trivet.core.refs import JobRef, ModelRef, RunRef, WorkflowRef
from trivet.core.specs import (
    Approval,
    EndpointSpec,
    EndpointState,
    JobSpec,
    JobState,
    MetricPoint,
    ModelVersion,
    RunState,
    ScoringSpec,
    WorkflowSpec,
)


class Store(ABC):
    """Whole files by key. How source, data, packages and records travel."""

    @abstractmethod
    def put(self, key: str, source: Path | bytes) -> str:
        """Store a file or bytes under ``key`` and return the digest; atomic, and nothing happens if it is there."""

    @abstractmethod
    def create(self, key: str, data: bytes) -> bool:
        """Store bytes under ``key`` if there is nothing yet, and say whether it was this call that did.

        Of callers that race, one is told so; what is there afterwards is that one's. Where a store's answer was lost,
        nobody may be told although something is there: read it to see whose it is.
        """

    @abstractmethod
    def get(self, key: str) -> bytes:
        """The bytes under ``key``.

        :raises NotFound: when there are none.
        """

    @abstractmethod
    def stream(self, key: str) -> Iterator[bytes]:
        """The bytes under ``key`` in chunks, none of which is empty: for what is larger than memory.

        :raises NotFound: when there are none, before the first chunk.
        """

    @abstractmethod
    def list(self, prefix: str) -> Sequence[str]:
        """Every key that starts with ``prefix``, sorted."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove ``key``; nothing happens if it is not there."""


class Jobs(ABC):
    """Processes over inputs that leave outputs."""

    @abstractmethod
    def submit(self, spec: JobSpec) -> JobRef:
        """Start a job without waiting for it. The name of a live or succeeded job gives that job."""

    @abstractmethod
    def score(self, spec: ScoringSpec) -> JobRef:
        """Start a job in which a model scores files, without waiting for it. A name is one job, of either kind.

        :raises NotFound: when the store does not hold the model's package.
        :raises ConfigError: when there is nothing to score, or a file is not what its name says or not for the model.
        """

    @abstractmethod
    def state(self, ref: JobRef) -> JobState:
        """Where the job stands.

        :raises NotFound: for an unknown job.
        :raises PlatformError: for a state that the cloud reports and we do not know.
        """

    @abstractmethod
    def logs(self, ref: JobRef) -> Iterator[str]:
        """The lines that the job has written so far."""

    @abstractmethod
    def cancel(self, ref: JobRef) -> None:
        """End the job; nothing happens if it has ended."""


class Models(ABC):
    """The registry: versions, aliases and approvals mean the same on every cloud."""

    @abstractmethod
    def register(self, name: str, package: Path, *, author: str, tags: dict[str, str]) -> ModelVersion:
        """Sign and store a package and give it a version. The same digest twice is one version.

        :raises IntegrityError: when the package is not what its manifest says.
        """

    @abstractmethod
    def get(self, ref: ModelRef | str) -> ModelVersion:
        """One version.

        :raises NotFound: when there is none.
        """

    @abstractmethod
    def list(self, name: str = "") -> Sequence[ModelVersion]:
        """Every version of one model or of all, newest first."""

    @abstractmethod
    def tag(
        self,
        version: ModelVersion,
        *,
        tags: dict[str, str] | None = None,
        alias: str | None = None,
        approval: Approval | None = None,
    ) -> ModelVersion:
        """Set tags, point an alias here, or record an approval; returns the version as it now is."""


class Endpoints(ABC):
    """Models that answer over HTTP."""

    @abstractmethod
    def apply(self, spec: EndpointSpec) -> EndpointState:
        """Make the endpoint be what ``spec`` says and wait until it is ready; create, update and traffic in one verb.

        :raises NotReady: when it did not become ready; what served before goes on serving.
        """

    @abstractmethod
    def state(self, name: str) -> EndpointState:
        """What the cloud really holds.

        :raises NotFound: when the stack has no such endpoint.
        :raises ForeignRelease: when it serves what no release of Trivet's is.
        """

    @abstractmethod
    def held(self, name: str) -> EndpointSpec | None:
        """The wanted state that would make the endpoint what it is now; none where it serves nothing.

        :raises NotFound: when the stack has no such endpoint.
        """

    @abstractmethod
    def invoke(self, name: str, request: dict[str, Any]) -> dict[str, Any]:
        """Send an Open Inference Protocol v2 request and return the response.

        :raises ConfigError: when the endpoint says that the request is wrong.
        :raises NotReady: when nothing answers.
        """

    @abstractmethod
    def delete(self, name: str) -> None:
        """Take the models off; the shell, which the stack owns, remains."""

    @abstractmethod
    def pause(self, name: str) -> EndpointState:
        """Let go of the machines, and remember what was served; nothing happens when nothing is."""

    @abstractmethod
    def resume(self, name: str) -> EndpointState:
        """Serve again what was served before the pause, and wait until it is ready.

        :raises NotReady: when nothing was paused, or it did not become ready.
        """

    @abstractmethod
    def logs(self, name: str) -> Iterator[str]:
        """The lines that the endpoint has written so far."""


class Workflows(ABC):
    """The end-to-end workflow as the cloud's own pipeline service runs it."""

    @abstractmethod
    def apply(self, spec: WorkflowSpec) -> WorkflowRef:
        """Create or update a workflow and its schedule."""

    @abstractmethod
    def run(self, ref: WorkflowRef) -> RunRef:
        """Start a run now, without waiting for it."""

    @abstractmethod
    def state(self, ref: WorkflowRef) -> Sequence[RunState]:
        """Its runs, newest first."""

    @abstractmethod
    def delete(self, ref: WorkflowRef) -> None:
        """Remove the workflow and its schedule."""


class Metrics(ABC):
    """One namespace for monitors, alarms and rollouts."""

    @abstractmethod
    def put(self, points: Sequence[MetricPoint]) -> None:
        """Store points."""

    @abstractmethod
    def query(self, name: str, since: datetime, dimensions: dict[str, str] | None = None) -> Sequence[MetricPoint]:
        """Points of a metric with at least these dimensions, oldest first."""


@dataclass(frozen=True)
class Login:
    """As whom to log in to a stack's database."""

    user: str
    password: Callable[[], str]
    """Asked anew for each connection: what a cloud gives is a token that lives for minutes."""


class Platform(ABC):
    """The runtime object of one stack."""

    cloud: Cloud
    outputs: Outputs
    store: Store
    jobs: Jobs
    models: Models
    endpoints: Endpoints
    workflows: Workflows
    metrics: Metrics

    def check(self, spec: EndpointSpec | JobSpec | ScoringSpec | WorkflowSpec) -> None:
        """Refuse, before any adapter runs, what the cloud does not claim or the stack does not allow.

        :raises Unsupported: with the cloud's reason.
        :raises ConfigError: for more machines than the stack lets an endpoint have.
        """
        self.cloud.check(*needs(spec))
        if isinstance(spec, EndpointSpec) and spec.name in self.outputs.endpoints:
            most = self.outputs.endpoints[spec.name].most_instances
            if spec.asks_for > most:
                raise ConfigError(
                    f"Endpoint {spec.name} may have {most} instances at most, not {spec.asks_for}.",
                    "Ask for fewer, or raise its most_instances in trivet:endpoints.",
                )

    def database_login(self) -> Login | None:
        """As whom to log in to the database that ``outputs.ledger`` names, where the cloud's identity does.

        ``None`` leaves that to the URL and to libpq's own settings: on ``local``, which has none, and for a database
        that is none of the cloud's.
        """
        return None

    @abstractmethod
    def store_at(self, url: str) -> Store:
        """Another store than the stack's own, such as that of its records, opened with the same identity."""

    @abstractmethod
    def clear(self) -> None:
        """Remove what the runtime made and the stack does not own, so that the stack can be destroyed."""

    @abstractmethod
    def doctor(self) -> Iterator[Check]:
        """Look whether work can begin: identity, rights, quotas, and what the stack should have."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections."""

    def __enter__(self) -> Platform:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def needs(spec: EndpointSpec | JobSpec | ScoringSpec | WorkflowSpec) -> list[Capability]:
    """The capabilities that a spec asks for."""
    if isinstance(spec, JobSpec):
        return [Capability.JOBS]
    if isinstance(spec, ScoringSpec):
        return [Capability.BATCH_SCORING]
    if isinstance(spec, WorkflowSpec):
        return [Capability.WORKFLOWS, *([Capability.SCHEDULES] if spec.every else [])]
    wanted = [Capability.ENDPOINTS]
    if len(spec.releases) > 1:
        wanted.append(Capability.TRAFFIC_SPLIT)
    if spec.shadow:
        wanted.append(Capability.SHADOW_TRAFFIC)
    if spec.minimum_instances == 0:
        wanted.append(Capability.SCALE_TO_ZERO)
    if spec.asks_for > 1:
        wanted.append(Capability.AUTOSCALING)
    return wanted
