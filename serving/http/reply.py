"""What goes back to a client: a status, a body, and of an error one sentence."""

from __future__ import annotations

from pathlib import PurePath
from traceback import extract_tb
from typing import Any, NamedTuple

import orjson

from trivet.core.errors import NotFound, NotReady, TrivetError
from trivet.serving.config import LogLevel
from trivet.serving.errors import (
    BadInput,
    ClientGone,
    ModelFailed,
    NotAcceptable,
    NotRecorded,
    Overloaded,
    TooLarge,
    TooLate,
    TooSlow,
    Unloadable,
    WrongEncoding,
)
from trivet.serving.wire.base import JSON

Headers = tuple[tuple[bytes, bytes], ...]

CLIENT_GONE = 499  # nginx's number for it; only the log sees it
STATUS: dict[type[BaseException], int] = {
    BadInput: 400,
    NotFound: 404,
    NotAcceptable: 406,
    TooSlow: 408,
    TooLarge: 413,
    WrongEncoding: 415,
    Unloadable: 422,
    Overloaded: 429,
    ClientGone: CLIENT_GONE,
    ModelFailed: 500,
    NotReady: 503,
    NotRecorded: 503,
    TooLate: 504,
}
RETRY = {429: b"1", 503: b"1"}  # seconds


class Reply(NamedTuple):
    """What goes back to the client, and what the log says of it."""

    status: int
    body: bytes
    type: bytes = JSON
    headers: Headers = ()
    rows: int = 0
    id: str = ""  # the body's own, for the log; it may hold what a header must not
    model: str = ""
    package: str = ""
    failure: str = ""


def json_reply(value: Any) -> Reply:
    """200 with a JSON body."""
    return Reply(200, orjson.dumps(value))


def error_reply(status: int, message: str, headers: Headers = (), failure: str = "") -> Reply:
    """An error in the form that every protocol here has for it."""
    return Reply(status, orjson.dumps({"error": message}), headers=headers, failure=failure)


def refusal(error: Exception, request_id: str) -> Reply:
    """The answer to a request that failed: the client's mistakes in full, ours without any detail."""
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
    if status == 500:
        return error_reply(status, f"The server failed; the request id is {request_id}.", failure=_failure(error))
    retry = RETRY.get(status)
    headers = ((b"retry-after", retry),) if retry else ()
    return error_reply(status, str(error), headers, type(error).__name__)


def level_of(status: int, usual: LogLevel) -> LogLevel:
    """How loud the log is about a status; ``usual`` where all went well."""
    if status >= 500:
        return "error"
    return "warning" if status >= 400 else usual


def _failure(error: Exception) -> str:
    """What the log says of a failure of ours. A library's text is left out: it may hold the values of a row."""
    kinds = " from ".join(type(each).__name__ for each in (error, error.__cause__) if each)
    place = extract_tb(error.__traceback__)[-1]
    sentence = f": {error.message}" if isinstance(error, TrivetError) else ""
    return f"{kinds} at {PurePath(place.filename).name}:{place.lineno}{sentence}"
