"""What containers say, as Cloud Logging has it, and its method ``entries.list``."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from trivet.rehearsal.fakes.gcp.refusals import JSON, invalid, left_out
from trivet.rehearsal.fakes.gcp.vertex.filters import matches, terms
from trivet.rehearsal.fakes.gcp.vertex.state import Vertex, now
from trivet.rehearsal.fakes.refusing import Answer
from trivet.rehearsal.fakes.server import Request

PATH = "/v2/entries:list"
_MEMBERS = {"resourceNames", "filter", "orderBy", "pageSize", "pageToken"}
_LONGEST = 256 << 10  # bytes of an entry; guide Cloud Logging, "Quotas and limits"


def job_log(vertex: Vertex, job: str, task: str) -> Callable[[list[bytes]], None]:
    """Where a job's replica logs to: by the guide's ``resource.type="ml_job"`` and its ``job_id``."""
    labels = {"job_id": job, "task_name": task, "project_id": vertex.project}
    return _log(vertex, task, {"type": "ml_job", "labels": labels}, {})


def endpoint_log(vertex: Vertex, location: str, endpoint: str, deployed: str) -> Callable[[list[bytes]], None]:
    """Where a deployed model's container logs to."""
    labels = {"endpoint_id": endpoint, "location": location, "resource_container": vertex.project}
    resource = {"type": "aiplatform.googleapis.com/Endpoint", "labels": labels}
    return _log(vertex, "aiplatform.googleapis.com%2Fprediction_container", resource, {"deployed_model_id": deployed})


def entries(vertex: Vertex, request: Request) -> Answer:
    """``entries.list``.

    :raises Refused: for what this fake does not read of it.
    """
    if request.method != "POST" or request.path != PATH:
        raise left_out(f"method of Cloud Logging at {request.method} {request.path}")
    try:
        given = json.loads(request.body or b"{}")
    except ValueError as error:
        raise invalid(f"Invalid JSON payload received. {error}") from error
    unknown = sorted(set(given) - _MEMBERS) if isinstance(given, dict) else ["a body that is no object"]
    if unknown:
        raise invalid(f'Invalid JSON payload received. Unknown name "{unknown[0]}": Cannot find field.')
    names = given.get("resourceNames") or []
    if not set(names) <= {f"projects/{vertex.project}", f"projects/{vertex.number}"} or not names:
        raise invalid("resourceNames must name the project of the caller.")
    wanted = given.get("filter", "")
    read = {path: _reader(path) for path, _, _ in terms(wanted)}
    with vertex.lock:
        kept = [entry for entry in vertex.logs if matches(wanted, entry, read)]
    if given.get("orderBy", "timestamp asc") == "timestamp desc":
        kept.reverse()
    token, size = given.get("pageToken") or "0", given.get("pageSize", 50)
    if not str(token).isdecimal() or not isinstance(size, int) or size < 1:
        raise invalid("pageToken is what a page gave, and pageSize a number of at least 1.")
    begin, end = int(token), int(token) + size
    answer: dict[str, Any] = {"entries": kept[begin:end]}
    answer |= {"nextPageToken": str(end)} if end < len(kept) else {}
    return 200, list(JSON), json.dumps(answer).encode()


def _log(vertex: Vertex, log: str, resource: dict[str, Any], labels: dict[str, str]) -> Callable[[list[bytes]], None]:
    def write(lines: list[bytes]) -> None:
        for line in lines:
            text = line[:_LONGEST].decode(errors="replace").rstrip("\r")
            entry = {
                "insertId": uuid.uuid4().hex[:16],
                "logName": f"projects/{vertex.project}/logs/{log}",
                "resource": resource,
                "timestamp": now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "severity": "INFO",
                "jsonPayload": {"message": text},
            }
            vertex.note(entry | ({"labels": labels} if labels else {}))

    return write


def _reader(path: str) -> Callable[[dict[str, Any]], Any]:
    """What of an entry a filter names."""

    def read(entry: dict[str, Any]) -> Any:
        found: Any = entry
        for step in path.replace('"', "").split("."):
            found = found.get(step) if isinstance(found, dict) else None
        return found

    return read
