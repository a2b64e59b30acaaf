"""Jobs as custom jobs of Vertex AI, and batch scoring as one that scores file after file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from trivet.core.canonical import digest
from trivet.core.faults import point
from trivet.core.outputs import GcpNative
from trivet.core.platform import Jobs
from trivet.core.refs import JobRef
from trivet.core.specs import GcpJob, JobSpec, JobState, ScoringSpec
from trivet.platforms.container import STORE, TASK, ContainerTask
from trivet.platforms.gcp.attempts import Attempt, Attempts
from trivet.platforms.gcp.clients import Clients
from trivet.platforms.gcp.images import SERVING, TRAINING, image
from trivet.platforms.gcp.labels import labels
from trivet.platforms.gcp.logs import lines, of_job
from trivet.platforms.gcp.requests import Surroundings, job_request
from trivet.platforms.jobplaces import REPRODUCIBLE, check_places
from trivet.platforms.part import Part
from trivet.platforms.scoring import TASK as SCORING
from trivet.platforms.scoring import check_scoring, scoring_task


class GcpJobs(Part[Clients, GcpNative], Jobs):
    """Jobs in the stack's network, with its identity and its key."""

    def submit(self, spec: JobSpec) -> JobRef:
        self._check(spec)
        check_places(spec)
        ref = JobRef(spec.name)
        self._attempts.begin("training", ref, lambda name: self._training(spec, name))
        return ref

    def score(self, spec: ScoringSpec) -> JobRef:
        self._check(spec)
        check_scoring(spec, self._store)
        ref = JobRef(spec.name)
        self._attempts.begin("scoring", ref, lambda name: self._scoring(spec, name))
        return ref

    def state(self, ref: JobRef) -> JobState:
        attempts = self._attempts
        found = attempts.known(ref)
        if found.is_overdue:
            attempts.stop(ref)
        return found.state

    def logs(self, ref: JobRef) -> Iterator[str]:
        found = self._attempts.known(ref)
        yield from lines(self._clients, of_job(found.id))
        if reason := found.reason:
            yield f"Vertex AI: {reason}"

    def cancel(self, ref: JobRef) -> None:
        self._attempts.stop(ref)

    def newest(self, ref: JobRef) -> Attempt | None:
        """Vertex AI's own job that is this one now."""
        return self._attempts.newest(ref)

    @property
    def _attempts(self) -> Attempts:
        return Attempts(self._clients, self._store, self._native.prefix)

    @property
    def _around(self) -> Surroundings:
        native = self._native
        return Surroundings(
            self._outputs.store, native.trainer, native.key, native.attachment, native.network, native.zones
        )

    def _training(self, spec: JobSpec, name: str) -> dict[str, Any]:
        """The request of a job, once its task lies in the store; its container fetches its inputs itself."""
        task = ContainerTask(
            source=spec.source,
            command=spec.command,
            environment=spec.environment,
            output=spec.output,
            inputs=spec.inputs,
        )
        # Named by what it says: who submits another task under this name at the same time changes nothing of ours.
        key = f"jobs/{spec.name}/{digest(task.canonical()).removeprefix('sha256:')}.json"
        self._store.put(key, task.canonical())
        point("job.written")
        chosen = spec.native.gcp
        return job_request(
            self._around,
            name,
            spec.name,
            chosen,
            image=chosen.image or image(self._native, TRAINING),
            seconds=math.ceil(spec.timeout.total_seconds()),
            environment={STORE: self._outputs.store, TASK: key},
            labels=labels(self._outputs, job=spec.name),
        )

    def _scoring(self, spec: ScoringSpec, name: str) -> dict[str, Any]:
        chosen, release = spec.native.gcp, spec.release
        task = scoring_task(spec, self._outputs.store, self._outputs.signing.public_key)
        return job_request(
            self._around,
            name,
            spec.name,
            GcpJob(machine_type=chosen.machine_type),
            image=chosen.image or image(self._native, SERVING),
            seconds=math.ceil(spec.timeout.total_seconds()),
            environment={**REPRODUCIBLE, SCORING: task.canonical().decode()},
            labels=labels(self._outputs, job=spec.name, model=release.model, model_version=str(release.version)),
            arguments=("score",),
        )
