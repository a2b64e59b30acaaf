"""The methods on custom jobs."""

from __future__ import annotations

import re
from typing import Any

from google.cloud import aiplatform_v1 as api

from trivet.rehearsal.fakes.gcp.refusals import invalid, left_out, missing, precondition
from trivet.rehearsal.fakes.gcp.vertex.buckets import Place
from trivet.rehearsal.fakes.gcp.vertex.state import Vertex, new_id, now, page
from trivet.rehearsal.fakes.gcp.vertex.training import ENDED, Job
from trivet.rehearsal.fakes.refusing import Refused

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAMES = {
    "name": lambda job: job.shown.name,
    "display_name": lambda job: job.shown.display_name,
    "state": lambda job: job.shown.state.name,
    "labels": lambda job: job.shown.labels,
    "create_time": lambda job: job.shown.create_time.isoformat(),
    "update_time": lambda job: job.shown.update_time.isoformat(),
}
_NAMES |= {"displayName": _NAMES["display_name"], "createTime": _NAMES["create_time"]}


def create_custom_job(vertex: Vertex, request: Any) -> Any:
    """Start a job; it runs in a thread of its own."""
    job = api.CustomJob(request.custom_job)
    parent = vertex.named(request.parent)
    vertex.check_description(job.display_name, dict(job.labels))
    _check_spec(vertex, job.job_spec)
    vertex.check_key(parent, job.encryption_spec.kms_key_name)
    vertex.check_account(job.job_spec.service_account)
    job.name = f"{parent}/customJobs/{new_id()}"
    job.state = api.JobState.JOB_STATE_PENDING
    job.create_time = job.update_time = now()
    made = Job(vertex, job)
    with vertex.lock:
        vertex.jobs[job.name] = made
        answer = api.CustomJob(job)
    made.start()
    return answer


def get_custom_job(vertex: Vertex, request: Any) -> Any:
    """What became of it."""
    with vertex.lock:
        return api.CustomJob(_get(vertex, request.name).shown)


def list_custom_jobs(vertex: Vertex, request: Any) -> Any:
    """Jobs, the newest first."""
    parent = vertex.named(request.parent)
    with vertex.lock:
        here = [job for name, job in reversed(vertex.jobs.items()) if name.startswith(f"{parent}/")]
        found, token = page(here, request, _NAMES)
        return api.ListCustomJobsResponse(custom_jobs=[job.shown for job in found], next_page_token=token)


def cancel_custom_job(vertex: Vertex, request: Any) -> None:
    """Ask a job to end."""
    with vertex.lock:
        job = _get(vertex, request.name)
        said = f"The CustomJob {job.shown.name} has ended with {job.shown.state.name} and cannot be cancelled."
        vertex.world.constraints.demand("cancel-running", job.shown.state not in ENDED, precondition(said))
        job.cancel()


def delete_custom_job(vertex: Vertex, request: Any) -> Any:
    """Let go of a job that has ended."""
    name = vertex.named(request.name)
    with vertex.lock:
        job = _get(vertex, name)
        said = (
            f"The CustomJob {job.shown.name} is in {job.shown.state.name}: cancel it, and delete it when it has ended."
        )
        vertex.world.constraints.demand("cancel-running", job.shown.state in ENDED, precondition(said))
        job.cancel()

    def work() -> None:
        with vertex.lock:
            vertex.jobs.pop(name, None)

    return vertex.begin(name, api.DeleteOperationMetadata(), work)


def _get(vertex: Vertex, name: str) -> Job:
    found = vertex.jobs.get(vertex.named(name))
    if found is None:
        raise missing(f"The CustomJob does not exist: {name}.")
    return found


def _check_spec(vertex: Vertex, spec: Any) -> None:
    demand = vertex.world.constraints.demand
    pools = list(spec.worker_pool_specs)
    if not pools:
        raise invalid("worker_pool_specs: Field is required")
    demand("one-chief", pools[0].replica_count == 1, invalid("The first worker pool must have replica_count 1."))
    for pool in pools:
        tasks = bool(pool.container_spec), bool(pool.python_package_spec)
        said = "Each worker pool must have one of container_spec and python_package_spec."
        demand("one-task", any(tasks), invalid(said))
        demand("machine-type", bool(pool.machine_spec.machine_type), invalid("machine_spec.machine_type is required."))
        names = [one.name for one in pool.container_spec.env]
        bad = [name for name in names if not _IDENTIFIER.fullmatch(name)]
        demand("env-names", not bad, invalid(f"Invalid environment variable names: {', '.join(bad)}."))
    if len(pools) > 1 or pools[0].replica_count > 1:
        raise left_out("custom jobs on more than one replica")
    if not pools[0].container_spec:
        raise left_out("Python packages as jobs: name a container")
    if spec.base_output_directory.output_uri_prefix:
        _check_output(vertex, spec.base_output_directory.output_uri_prefix)


def _check_output(vertex: Vertex, uri: str) -> None:
    try:
        vertex.world.storage.bucket(Place.of(uri).bucket)
    except Refused:
        said = f"base_output_directory names no bucket that there is: '{uri}'."
        vertex.world.constraints.demand("output-exists", False, invalid(said))


METHODS = {
    "CreateCustomJob": create_custom_job,
    "GetCustomJob": get_custom_job,
    "ListCustomJobs": list_custom_jobs,
    "CancelCustomJob": cancel_custom_job,
    "DeleteCustomJob": delete_custom_job,
}
