"""A custom job that runs: its buckets at ``/gcs``, its container watched, restarted and ended, its files taken back."""

from __future__ import annotations

import json
import shutil
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.cloud import aiplatform_v1 as api
from google.rpc import status_pb2

from trivet.rehearsal.fakes.containers import Container, Mounts
from trivet.rehearsal.fakes.gcp.refusals import NUMBERS
from trivet.rehearsal.fakes.gcp.vertex.buckets import Mounted
from trivet.rehearsal.fakes.gcp.vertex.logs import job_log
from trivet.rehearsal.fakes.gcp.vertex.state import Vertex, now
from trivet.rehearsal.fakes.gcp.world import GCS

if TYPE_CHECKING:
    from trivet.rehearsal.fakes.images import Image

GRACE = 30.0  # seconds from SIGTERM to SIGKILL; not documented for jobs, so Kubernetes' own
TASK = "workerpool0-0"
ENDED = (api.JobState.JOB_STATE_SUCCEEDED, api.JobState.JOB_STATE_FAILED, api.JobState.JOB_STATE_CANCELLED)
# "Understand the training service", common errors: codes after which the whole job is tried again, three times.
_TRANSIENT, _MOST_RETRIES = (6, 11, 134, 139), 3
_USUAL_TIMEOUT = timedelta(days=7)
_TICK = 0.05


class _End(Exception):
    """The job is over: its state, and the code and the sentence of its error."""

    def __init__(self, state: Any, code: str = "", message: str = "") -> None:
        super().__init__(message)
        self.state, self.code, self.message = state, code, message


class Job:
    """One job and the thread in which it runs. Whoever reads ``shown`` holds the lock."""

    def __init__(self, vertex: Vertex, shown: api.CustomJob) -> None:
        self.shown = shown
        self.id = shown.name.rpartition("/")[2]
        self._vertex = vertex
        self._world = vertex.world
        self._location = shown.name.split("/")[3]
        self._cancelled = threading.Event()
        self._interrupted = threading.Event()

    def start(self) -> None:
        """Run it."""
        threading.Thread(target=self._run, name=self.shown.name, daemon=True).start()

    def cancel(self) -> None:
        """Have it end. Called with the lock held."""
        if self.shown.state not in ENDED:
            self.shown.state = api.JobState.JOB_STATE_CANCELLING
            self._cancelled.set()

    def interrupt(self) -> None:
        """Take its machine away; its code begins again on another one."""
        self._interrupted.set()

    def _run(self) -> None:
        try:
            self._live()
        except _End as end:
            self._finish(end)
        except Exception as error:
            self._finish(_End(api.JobState.JOB_STATE_FAILED, "INTERNAL", f"{type(error).__name__}: {error}"))
            if not self._vertex.closed.is_set():
                raise  # a mistake of this fake's

    def _finish(self, end: _End) -> None:
        with self._vertex.lock:
            if end.code:
                said = status_pb2.Status(code=NUMBERS[end.code], message=end.message)
                self.shown.error = said
            self.shown.state = end.state
            self.shown.end_time = self.shown.update_time = now()

    def _enter(self, state: Any) -> None:
        with self._vertex.lock:
            if self.shown.state not in (*ENDED, api.JobState.JOB_STATE_CANCELLING):
                self.shown.state = state
                self.shown.update_time = now()

    def _live(self) -> None:
        for state in (api.JobState.JOB_STATE_QUEUED, api.JobState.JOB_STATE_PENDING):
            self._enter(state)
            if self._cancelled.wait(self._world.settings.queued):
                raise _End(api.JobState.JOB_STATE_CANCELLED, "CANCELLED", "CANCELED")
        spec = self.shown.job_spec.worker_pool_specs[0].container_spec
        image = self._world.images.find(spec.image_uri)
        if image is None:
            said = f"The image {spec.image_uri} cannot be pulled: push it, and name it as it was pushed."
            raise _End(api.JobState.JOB_STATE_FAILED, "INVALID_ARGUMENT", said)
        with self._vertex.lock:
            self.shown.start_time = now()
        self._enter(api.JobState.JOB_STATE_RUNNING)
        limit: Any = self.shown.job_spec.scheduling.timeout or _USUAL_TIMEOUT
        deadline = time.monotonic() + limit.total_seconds()
        retries = 0 if self.shown.job_spec.scheduling.disable_retries else _MOST_RETRIES
        while True:
            code = self._attempt(spec, image, deadline)
            if code is None:
                continue
            if code in _TRANSIENT and retries:
                retries -= 1
                continue
            raise self._conclusion(code)

    def _conclusion(self, code: int) -> _End:
        if code == 0:
            return _End(api.JobState.JOB_STATE_SUCCEEDED)
        where = f"https://console.cloud.google.com/logs/viewer?project={self._vertex.number}"
        return _End(
            api.JobState.JOB_STATE_FAILED,
            "INVALID_ARGUMENT",
            f"The replica {TASK} exited with a non-zero status of {code}. Termination reason: Error. To find out more"
            f" about why your job exited please check the logs: {where}&resource=ml_job%2Fjob_id%2F{self.id}",
        )

    def _attempt(self, spec: Any, image: Image, deadline: float) -> int | None:
        """One run in one container: its exit code, or None when its machine was taken away.

        :raises _End: where it was cancelled, took too long or could not be started.
        """
        folder = self._world.scratch(f"job-{self.id}")
        mounted = Mounted(self._world.storage, self._vertex.project, folder / "gcs")
        try:
            (folder / "gcs").mkdir()
            mounted.fill()
            container = self._launch(spec, image, folder)
            why = self._watch(container, deadline)
            if not self._vertex.closed.is_set():
                mounted.take()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if why == "interrupted":
            self._interrupted.clear()
            return None
        if why == "cancelled":
            raise _End(api.JobState.JOB_STATE_CANCELLED, "CANCELLED", "CANCELED")
        if why == "too long":
            said = "The job ran longer than its timeout: give it more in scheduling.timeout."
            raise _End(api.JobState.JOB_STATE_FAILED, "DEADLINE_EXCEEDED", said)
        return container.code or 0

    def _launch(self, spec: Any, image: Image, folder: Path) -> Container:
        given = {one.name: one.value for one in spec.env}
        environment = {**image.environment, **self._world.environment(), **given, **self._contract()}
        gcs = folder / "gcs"
        mounts = Mounts({str(GCS): gcs}, variables={"TRIVET_GCS": str(gcs)})
        try:
            return self._world.runtime.start(
                folder,
                [*(list(spec.command) or image.argv), *spec.args],
                environment,
                job_log(self._vertex, self.id, TASK),
                self._vertex.closed,
                mounts,
            )
        except OSError as error:
            said = f"The replica {TASK} could not be started: {error.strerror}."
            raise _End(api.JobState.JOB_STATE_FAILED, "INVALID_ARGUMENT", said) from error

    def _contract(self) -> dict[str, str]:
        """The variables of "Prepare training code"; those of the output only where there is one."""
        cluster = {"cluster": {"workerpool0": ["127.0.0.1:2222"]}, "environment": "cloud"}
        task = {"type": "workerpool0", "index": 0}
        said = {
            "CLOUD_ML_JOB_ID": self.id,
            "CLOUD_ML_PROJECT_ID": self._vertex.number,
            "CLOUD_ML_REGION": self._location,
            "CLUSTER_SPEC": json.dumps({**cluster, "task": task}),
        }
        if base := self.shown.job_spec.base_output_directory.output_uri_prefix.rstrip("/"):
            places = {"MODEL": "model", "CHECKPOINT": "checkpoints", "TENSORBOARD_LOG": "logs"}
            said |= {f"AIP_{name}_DIR": f"{base}/{place}/" for name, place in places.items()}
        return said

    def _watch(self, container: Container, deadline: float) -> str:
        """Wait for its end; why it was ended, or an empty text when it ended by itself."""
        why = ""
        while not why and container.wait(_TICK) is None:
            if self._interrupted.is_set():
                why = "interrupted"
            elif self._cancelled.is_set():
                why = "cancelled"
            elif time.monotonic() >= deadline:
                why = "too long"
        if why:
            container.stop(GRACE * self._world.settings.grace)
        return why
