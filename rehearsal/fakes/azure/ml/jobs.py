"""The operations on jobs, of which this fake runs those that are one command."""

from __future__ import annotations

import re
import threading
from typing import Any

from trivet.rehearsal.fakes.azure.ml.assets import check_properties
from trivet.rehearsal.fakes.azure.ml.places import Place, artifacts, place_of
from trivet.rehearsal.fakes.azure.ml.routes import Call
from trivet.rehearsal.fakes.azure.ml.state import BLOBSTORE, Ml, Resource, Workspace, answer, find_resource, page
from trivet.rehearsal.fakes.azure.ml.training import EXPRESSION, OPTIONAL, run
from trivet.rehearsal.fakes.azure.names import left_out
from trivet.rehearsal.fakes.azure.refusals import conflict, invalid, missing
from trivet.rehearsal.fakes.azure.storage.state import address
from trivet.rehearsal.fakes.refusing import Answer

LOG = "user_logs/std_log.txt"
ENDED = ("Completed", "Failed", "Canceled")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,254}")
_DATA = ("uri_file", "uri_folder", "custom_model", "mlflow_model", "triton_model", "mltable")


class Job:
    """One job and the thread in which it runs. Whoever reads what is shown of it holds the lock."""

    def __init__(self, ml: Ml, workspace: Workspace, resource: Resource) -> None:
        self.ml = ml
        self.workspace = workspace
        self.resource = resource
        self.cancelled = threading.Event()
        self.outputs = {name: self._place(name, one) for name, one in (self.shown.get("outputs") or {}).items()}
        self.artifacts = artifacts(workspace, self.name)
        self.error = ""
        self.begun = self.ended = ""
        self._said: list[bytes] = []

    @property
    def name(self) -> str:
        """Its name, which is the run's id too."""
        return self.resource.name

    @property
    def shown(self) -> dict[str, Any]:
        """What is shown of it."""
        return self.resource.properties

    @property
    def status(self) -> str:
        """How far it is."""
        return self.shown["status"]

    def enter(self, status: str) -> None:
        """Get further, unless it has ended or is to be cancelled."""
        with self.ml.lock:
            if self.status not in (*ENDED, "CancelRequested") or status in ENDED:
                self.shown["status"] = status
                self.resource.touch()

    def note(self, lines: list[bytes]) -> None:
        """Add to its log, which is a blob from its first line on."""
        self._said += lines
        self.artifacts.put(self.ml.world.storage, LOG, b"".join(line + b"\n" for line in self._said))

    def log_addresses(self) -> dict[str, str]:
        """The signed addresses of its logs."""
        if not self._said:
            return {}
        place, storage = self.artifacts, self.ml.world.storage
        signature = storage.sign(place.account, place.container, "r")
        return {LOG: f"{address(place.account, place.container, f'{place.path}/{LOG}')}?{signature}"}

    def _place(self, name: str, output: dict[str, Any]) -> Place:
        uri = (output.get("uri") or "").replace("${{name}}", self.name).replace("${{output_name}}", name)
        uri = uri.replace("${{default_datastore}}", BLOBSTORE)
        output["uri"] = uri or f"azureml://datastores/{BLOBSTORE}/paths/azureml/{self.name}/{name}/"
        return place_of(self.ml, self.workspace, output["uri"])


def create(ml: Ml, call: Call) -> Answer:
    """Begin a job, or change what of one may change."""
    name, given = call.fields.get("id") or call.fields["name"], call.body["properties"]
    with ml.lock:
        workspace = ml.workspace(call)
        if name in workspace.jobs:
            return _change(ml, workspace.jobs[name], given)
        if given["jobType"].lower() != "command":
            raise left_out(f"jobs of type {given['jobType']}")
        _check(ml, workspace, name, given)
        kept = {key: value for key, value in given.items() if value is not None}
        studio = f"https://ml.azure.com/runs/{name}?wsid={workspace.resource.id}"
        properties = {
            **{"tags": {}, "properties": {}, "inputs": {}, "outputs": {}, "isArchived": False},
            **{"experimentName": "Default", "displayName": name, "environmentVariables": {}},
            **kept,
            "status": "NotStarted",
            "services": {"Studio": {"endpoint": studio, "jobServiceType": "Studio", "status": None}},
        }
        job = Job(ml, workspace, Resource(f"{workspace.resource.id}/jobs/{name}", "workspaces/jobs", properties))
        workspace.jobs[name] = job
        shown = job.resource.shown()
        threading.Thread(target=run, args=(job,), name=f"job {name}", daemon=True).start()
        return answer(shown, 201)


def get(ml: Ml, call: Call) -> Answer:
    """What became of it."""
    with ml.lock:
        return answer(_found(ml, call).resource.shown())


def list_all(ml: Ml, call: Call) -> Answer:
    """Jobs, the newest first."""
    with ml.lock:
        jobs = [job.resource for job in reversed(ml.workspace(call).jobs.values())]
        tag = call.query.get("tag", "")
        return page([one for one in jobs if not tag or tag in one.properties["tags"]], call)


def cancel(ml: Ml, call: Call) -> Answer:
    """Ask a job to end."""
    with ml.lock:
        job = _found(ml, call)
        said = f"Job {job.name} has ended with {job.status} and cannot be cancelled."
        ml.world.constraints.demand("cancel-running", job.status not in ENDED, conflict(said, "UserError"))
        if job.status not in ENDED:
            job.shown["status"] = "CancelRequested"
            job.cancelled.set()
        return ml.accepted(ml.begin(job.resource.id, lambda: None), job.workspace.location)


def delete(ml: Ml, call: Call) -> Answer:
    """Let go of a job that has ended."""
    with ml.lock:
        job = _found(ml, call)
        said = f"Job {job.name} is {job.status}: cancel it, and delete it when it has ended."
        ml.world.constraints.demand("cancel-running", job.status in ENDED, conflict(said, "UserError"))
        job.cancelled.set()
        del job.workspace.jobs[job.name]
        return ml.accepted(ml.begin(job.resource.id, lambda: None), job.workspace.location)


METHODS = {
    "Jobs_CreateOrUpdate": create,
    "Jobs_Get": get,
    "Jobs_List": list_all,
    "Jobs_Cancel": cancel,
    "Jobs_Delete": delete,
}


def _found(ml: Ml, call: Call) -> Job:
    name = call.fields.get("id") or call.fields["name"]
    found = ml.workspace(call).jobs.get(name)
    if found is None:
        raise missing(f"jobs/{name}")
    return found


def _change(ml: Ml, job: Job, given: dict[str, Any]) -> Answer:
    for fixed in ("command", "environmentId", "codeId", "experimentName", "computeId"):
        said = f"A field is immutable and cannot be changed: {fixed}. Submit another job."
        same = given.get(fixed) is None or given[fixed] == job.shown.get(fixed)
        ml.world.constraints.demand("immutable", same, conflict(said, "UserError"))
    check_properties(ml, job.shown["properties"], given.get("properties"))
    for name in ("description", "displayName", "tags", "properties", "isArchived"):
        if given.get(name) is not None:
            job.shown[name] = given[name]
    job.resource.touch()
    return answer(job.resource.shown())


def _check(ml: Ml, workspace: Workspace, name: str, given: dict[str, Any]) -> None:
    demand = ml.world.constraints.demand
    demand("names", bool(_NAME.fullmatch(name)), invalid(f"Job name {name} is invalid."))
    for key, kind in (("environmentId", "environments"), ("codeId", "codes"), ("computeId", "computes")):
        wanted = given.get(key)
        if not wanted or (kind == "computes" and wanted.rpartition("/")[2] == "serverless"):
            continue
        found = find_resource(ml, wanted, kind)
        demand("dependencies", found is not None, invalid(f"{key}: there is no {wanted}.", "UserError"))
    if (given.get("resources") or {}).get("instanceCount", 1) > 1 or given.get("distribution"):
        raise left_out("jobs on more than one instance")
    inputs, outputs = given.get("inputs") or {}, given.get("outputs") or {}
    used = EXPRESSION.findall(OPTIONAL.sub("", given["command"]))
    bad = [f"{kind}.{key}" for kind, key in used if key not in (inputs if kind == "inputs" else outputs)]
    said = f"The command uses what the job does not have: {', '.join(bad)}."
    demand("inputs-known", not bad, invalid(said, "UserError"))
    for key, one in inputs.items():
        if one["jobInputType"] in _DATA:
            there = place_of(ml, workspace, one["uri"]).blobs(ml.world.storage)
            demand(
                "dependencies", bool(there), invalid(f"inputs.{key}: there is nothing at {one['uri']}.", "UserError")
            )
