"""Run history: what Azure ML says of a job beside ARM, as the SDK asks for it to follow a job and its logs."""

from __future__ import annotations

import json
import re
from typing import Any

from trivet.rehearsal.fakes.azure.ml.jobs import Job
from trivet.rehearsal.fakes.azure.ml.state import Ml
from trivet.rehearsal.fakes.azure.ml.state import answer as answered
from trivet.rehearsal.fakes.azure.names import left_out
from trivet.rehearsal.fakes.azure.refusals import invalid, missing
from trivet.rehearsal.fakes.refusing import Answer
from trivet.rehearsal.fakes.server import Request

_PATH = re.compile(
    r"/history/v1\.0/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.MachineLearningServices"
    r"/workspaces/([^/]+)/(?:experiments/[^/]+/)?(runs/[^/]+(?:/details|/children)?|rundata)",
    re.IGNORECASE,
)
_CHANGEABLE = {"displayName": "displayName", "description": "description"}


def operation(request: Request) -> str:
    """What a request asks for; empty where for nothing known."""
    if request.path.startswith("/discovery/"):
        return "Discovery_Get"
    found = _PATH.fullmatch(request.path)
    if found is None:
        return ""
    last = found[2].rpartition("/")[2] if found[2].count("/") == 2 else found[2].partition("/")[0]
    known = {"details": "Runs_GetDetails", "children": "Runs_GetChild", "rundata": "Runs_GetRunData"}
    return known.get(last) or ("Runs_AddOrModify" if request.method == "PATCH" else "Runs_Get")


def discovery(request: Request) -> Answer:
    """Where the services of a workspace are; anybody may ask."""
    base = f"https://{request.host}"
    names = ("api", "experimentation", "history", "modelmanagement", "mlflow", "studio")
    return answered(dict.fromkeys(names, base))


def answer(ml: Ml, request: Request) -> Answer:
    """One request.

    :raises Refused: where it is none of these, and where there is no such run.
    """
    found = _PATH.fullmatch(request.path)
    if found is None:
        raise left_out(f"operation of run history at {request.method} {request.path}")
    try:
        body = json.loads(request.body or b"{}")
    except ValueError as error:
        raise invalid(f"The request content was invalid: {error}.") from error
    name = body.get("runId", "") if found[2] == "rundata" else found[2].split("/")[1]
    with ml.lock:
        workspace = ml.workspaces.get(found[1])
        job = workspace.jobs.get(name) if workspace else None
        if job is None:
            raise missing(f"runs/{name}")
        kind = operation(request)
        if kind == "Runs_GetChild":
            return answered({"value": []})
        if kind == "Runs_AddOrModify":
            _change(job, body)
        shown = _run(job)
        if kind == "Runs_GetDetails":
            shown |= {"logFiles": job.log_addresses(), "status": job.status, "properties": job.shown["properties"]}
        return answered({"runMetadata": shown} if kind == "Runs_GetRunData" else shown)


def _change(job: Job, body: dict[str, Any]) -> None:
    for name, value in body.items():
        if name in _CHANGEABLE and value is not None:
            job.shown[name] = value
        elif name in ("tags", "properties") and value:
            job.shown[name] = {**job.shown[name], **value}


def _run(job: Job) -> dict[str, Any]:
    """A run, in the words of run history."""
    found = {
        "runId": job.name,
        "rootRunId": job.name,
        "runType": "azureml.commandjob",
        "displayName": job.shown["displayName"],
        "experimentName": job.shown["experimentName"],
        "experimentId": job.workspace.guid,
        "status": job.status,
        "tags": job.shown["tags"],
        "properties": job.shown["properties"],
        "startTimeUtc": job.begun or None,
        "endTimeUtc": job.ended or None,
        "createdUtc": job.resource.created,
    }
    if job.error:
        found["error"] = {"error": {"code": "UserError", "message": job.error, "messageParameters": {}}}
    return found
