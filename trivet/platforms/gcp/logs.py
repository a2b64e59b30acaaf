"""What containers of Vertex AI have written, from Cloud Logging."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from trivet.platforms.gcp.clients import Again, Clients
from trivet.platforms.gcp.errors import told
from trivet.platforms.serverlog import error_in

PATH = "v2/entries:list"
_TAIL, _PAGE = 50, 1000
JOB = "ml_job"  # the monitored resource
_AROUND = {"attrs", "levelname", "message"}  # what the agent of a custom job puts around a line


def of_job(job: str) -> str:
    """The filter for a custom job, by its number."""
    return f'resource.type="{JOB}" AND resource.labels.job_id="{job}"'


def of_endpoint(endpoint: str) -> str:
    """The filter for an endpoint, by its id."""
    return f'resource.type="aiplatform.googleapis.com/Endpoint" AND resource.labels.endpoint_id="{endpoint}"'


def lines(clients: Clients, wanted: str) -> Iterator[str]:
    """The lines that a filter asks for, in the order in which they were written."""
    token: dict[str, str] = {}
    while True:
        page = _page(clients, wanted, "timestamp asc", _PAGE, token)
        yield from map(_text, page.get("entries", []))
        if not page.get("nextPageToken"):
            return
        token = {"pageToken": page["nextPageToken"]}


def last_error(clients: Clients, wanted: str) -> str:
    """The last sentence that a server of ours wrote as an error; empty when there is none."""
    newest = _page(clients, wanted, "timestamp desc", _TAIL, {}).get("entries", [])
    return next((sentence for entry in newest if (sentence := error_in(_text(entry)))), "")


def _page(clients: Clients, wanted: str, order: str, size: int, token: Mapping[str, str]) -> dict[str, Any]:
    body = {"resourceNames": [f"projects/{clients.project}"], "filter": wanted, "orderBy": order, "pageSize": size}
    with told("The log"):
        return clients.post("logging", PATH, {**body, **token}, Again.ALWAYS)


def _text(entry: Mapping[str, Any]) -> str:
    """The line of an entry.

    A custom job's is always the message, even a line of JSON; elsewhere such a line has become an object. Seen:
    googleapis/python-aiplatform#629.
    """
    if "textPayload" in entry:
        return str(entry["textPayload"]).rstrip("\n")
    content = entry.get("jsonPayload", {})
    if "message" in content and (entry.get("resource", {}).get("type") == JOB or content.keys() <= _AROUND):
        return str(content["message"]).rstrip("\n")
    return json.dumps(content, ensure_ascii=False)
