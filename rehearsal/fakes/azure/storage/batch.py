"""Blob Batch: up to 256 deletes in one request, each answered by itself; ref "Blob Batch"."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from http import HTTPStatus

from trivet.rehearsal.fakes.azure.refusals import render_storage
from trivet.rehearsal.fakes.refusing import Answer, Refused
from trivet.rehearsal.fakes.server import Request

MOST = 256
_BOUNDARY = re.compile(r"multipart/mixed; ?boundary=\"?([^\";]+)")


def batch(request: Request, answer: Callable[[Request], Answer]) -> Answer:
    """Have each part answered.

    :raises Refused: for a body that is no batch, or one of too many.
    """
    found = _BOUNDARY.fullmatch(request.headers.get("content-type", ""))
    parts = request.body.split(f"--{found[1]}".encode())[1:-1] if found else []
    if not 1 <= len(parts) <= MOST:
        raise Refused("InvalidInput", "One of the request inputs is not valid: a batch has 1 to 256 requests.")
    boundary = f"batchresponse_{uuid.uuid4()}"
    said = [_answered(request, part, answer) for part in parts]
    body = "".join(f"--{boundary}\r\nContent-Type: application/http\r\n{one}\r\n" for one in said)
    return 202, [("Content-Type", f"multipart/mixed; boundary={boundary}")], f"{body}--{boundary}--\r\n".encode()


def _answered(whole: Request, part: bytes, answer: Callable[[Request], Answer]) -> str:
    """One part: headers of its own, an empty line, and a request of HTTP."""
    about, _, inner = part.lstrip(b"\r\n").decode().partition("\r\n\r\n")
    first, _, rest = inner.partition("\r\n")
    number = next((line.partition(":")[2].strip() for line in about.split("\r\n") if _is_id(line)), "")
    try:
        method, path, _ = first.split(" ", 2)
        lines = [line.partition(":") for line in rest.split("\r\n\r\n")[0].split("\r\n") if line]
        headers = {name.strip().lower(): value.strip() for name, _, value in lines}
        status, told, body = answer(Request(method, path.partition("?")[0], {}, headers, b"", whole.host))
    except ValueError:
        status, told, body = render_storage(Refused("InvalidInput", "A part of the batch is no request."))
    except Refused as refused:
        status, told, body = render_storage(refused)
    heads = "".join(f"{name}: {value}\r\n" for name, value in told)
    of = f"Content-ID: {number}\r\n" if number else ""
    content = body.decode() if status >= 400 else ""
    reason = HTTPStatus(status).phrase
    return f"{of}\r\nHTTP/1.1 {status} {reason}\r\n{heads}\r\n{content}"


def _is_id(line: str) -> bool:
    return line.lower().startswith("content-id:")
