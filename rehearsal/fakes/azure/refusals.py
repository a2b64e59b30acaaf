"""How Azure says no: as ARM and most services do, in JSON; as Blob Storage does, in XML; as Entra ID does."""

from __future__ import annotations

import json
from typing import Any
from xml.sax.saxutils import escape

from trivet.rehearsal.fakes.refusing import Answer, Refused

JSON = [("Content-Type", "application/json; charset=utf-8")]
XML = [("Content-Type", "application/xml")]


def invalid(message: str, code: str = "ValidationError") -> Refused:
    """What is wrong in a request to Azure ML; the code is what its front end says in public issues."""
    return Refused(code, message)


def missing(what: str) -> Refused:
    """A resource that there is not; Azure Resource Manager, "Resolve errors for resource not found"."""
    return Refused("ResourceNotFound", f"The Resource '{what}' was not found.", 404)


def conflict(message: str, code: str = "Conflict") -> Refused:
    """What cannot be as things stand."""
    return Refused(code, message, 409)


def render(error: Refused) -> Answer:
    """As ARM has errors: ``error`` with ``code``, ``message`` and more; ARM common types, ErrorResponse."""
    headers = [*JSON, *error.details.get("headers", [])]
    content: dict[str, Any] = {"code": error.code, "message": error.message}
    content |= {name: value for name, value in error.details.items() if name in ("details", "target", "innererror")}
    headers.append(("x-ms-failure-cause", "gateway" if error.status in (401, 404) else "service"))
    return error.status, headers, json.dumps({"error": content}).encode()


def render_storage(error: Refused) -> Answer:
    """As Blob Storage has them: XML, and the code in a header too, which is all that an answer to HEAD has."""
    headers = [("x-ms-error-code", error.code), *error.details.get("headers", [])]
    if error.status == 304:
        return 304, headers, b""
    inner = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    return error.status, [*XML, *headers], xml(f"<Error>{inner}</Error>")


def render_login(error: Refused) -> Answer:
    """As Entra ID has them; RFC 6749, 5.2."""
    content = {"error": error.code, "error_description": error.message}
    return error.status, list(JSON), json.dumps(content).encode()


def xml(content: str) -> bytes:
    """An XML document."""
    return f'<?xml version="1.0" encoding="utf-8"?>{content}'.encode()
