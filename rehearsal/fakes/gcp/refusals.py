"""How Google Cloud says no: as JSON of its APIs, as JSON of Cloud Storage, and as XML of Cloud Storage."""

from __future__ import annotations

import json
from typing import Any
from xml.sax.saxutils import escape

from trivet.rehearsal.fakes.refusing import Answer, Refused

JSON = [("Content-Type", "application/json; charset=UTF-8")]
STATUSES = {  # google.rpc.Code, and the status that HTTP has for it; google/rpc/code.proto
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
NUMBERS = {  # the same codes as google.rpc.Status has them
    "CANCELLED": 1,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "UNAUTHENTICATED": 16,
}


def refused(code: str, message: str) -> Refused:
    """An error of an API of Google's, by the name of its code."""
    return Refused(code, message, STATUSES[code])


def invalid(message: str) -> Refused:
    """What is wrong in a request."""
    return refused("INVALID_ARGUMENT", message)


def precondition(message: str) -> Refused:
    """What cannot be done as things stand."""
    return refused("FAILED_PRECONDITION", message)


def missing(message: str) -> Refused:
    """What there is not."""
    return refused("NOT_FOUND", message)


def left_out(what: str) -> Refused:
    """What this fake does not do."""
    return refused("UNIMPLEMENTED", f"This fake of Google Cloud has no {what}: test that on a real project.")


def of_storage(status: int, reason: str, xml: str, message: str) -> Refused:
    """An error of Cloud Storage: its reason in the JSON API, its code in the XML API."""
    return Refused(reason, message, status, {"xml": xml})


def render(error: Refused) -> Answer:
    """As an API of Google's sends it."""
    content: dict[str, Any] = {"code": error.status, "message": error.message, "status": error.code}
    if error.details.get("details"):
        content["details"] = error.details["details"]
    return error.status, list(JSON), json.dumps({"error": content}).encode()


def render_storage(error: Refused) -> Answer:
    """As the JSON API of Cloud Storage sends it; 304 has no content."""
    if error.status == 304:
        return 304, [], b""
    one = {"message": error.message, "domain": "global", "reason": error.code}
    content = {"code": error.status, "message": error.message, "errors": [one]}
    return error.status, list(JSON), json.dumps({"error": content}).encode()


def render_xml(error: Refused) -> Answer:
    """As the XML API of Cloud Storage sends it."""
    if error.status == 304:
        return 304, [], b""
    code = error.details.get("xml") or error.code
    inner = f"<Error><Code>{escape(code)}</Code><Message>{escape(error.message)}</Message></Error>"
    return error.status, [("Content-Type", "application/xml; charset=UTF-8")], xml(inner)


def xml(content: str) -> bytes:
    """An XML document."""
    return f"<?xml version='1.0' encoding='UTF-8'?>{content}".encode()
