"""What Google Cloud refuses, as errors of our tree, the SDK's own as their cause."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from google.api_core import exceptions
from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, MutualTLSChannelError, TransportError
from requests.exceptions import InvalidJSONError, RequestException

from trivet.core.errors import ConfigError, NotFound, NotReady, PlatformError, TrivetError

LOG_IN = "Log in again, such as by `gcloud auth application-default login`; `trivet doctor` says who you are."
# "Quotas and limits" of Vertex AI: what is used up for good, and not just for this minute.
QUOTA = ("quota metrics exceed", "quota limits:", "exceeds quota")
SERVER_ERROR, TOO_MANY, MISSING, TAKEN, BAD = 500, 429, 404, 409, 400
# What Vertex AI's resources say, as 400, of which an operation is under way; others say ABORTED.
BUSY_WITH = "there are other operations running on"
DISABLED = "SERVICE_DISABLED"  # google.rpc.ErrorInfo, the reason of the domain googleapis.com
# Errors of long-running operations are numbers of google.rpc.Code.
_OF_OPERATIONS: dict[int, type[GoogleAPICallError]] = {
    1: exceptions.Cancelled,
    3: exceptions.InvalidArgument,
    4: exceptions.DeadlineExceeded,
    5: exceptions.NotFound,
    6: exceptions.AlreadyExists,
    7: exceptions.PermissionDenied,
    8: exceptions.ResourceExhausted,
    9: exceptions.FailedPrecondition,
    10: exceptions.Aborted,
    13: exceptions.InternalServerError,
    14: exceptions.ServiceUnavailable,
    16: exceptions.Unauthenticated,
}
UNREACHABLE = (RequestException, TransportError)


class Unreadable(Exception):
    """An answer that is no JSON: something between Google and us gave it."""


def of_operation(error: dict[str, Any]) -> GoogleAPICallError:
    """Why a long-running operation failed."""
    kind = _OF_OPERATIONS.get(error.get("code", 2), exceptions.Unknown)
    return kind(error.get("message", "no reason is given"))


def status_of(error: GoogleAPICallError) -> str:
    """The error's code by its name, such as ``FAILED_PRECONDITION``; empty where Cloud Storage says none."""
    if is_of_operation(error):
        return error.grpc_status_code.name if error.grpc_status_code else ""
    return str(_content(error).get("status", ""))


def is_of_operation(error: GoogleAPICallError) -> bool:
    """Whether it says why a long-running operation failed, and is not the answer to a call."""
    return error.response is None


def reason_of(error: GoogleAPICallError) -> str:
    """What the service gives as its reason for machines, such as ``SERVICE_DISABLED``; empty where nothing."""
    details = _content(error).get("details", [])
    return next((str(one["reason"]) for one in details if isinstance(one, dict) and one.get("reason")), "")


def said(error: GoogleAPICallError) -> str:
    """Google's own sentence, without a full stop."""
    return " ".join(str(_content(error).get("message") or error.message).split()).rstrip(". ")


def is_missing(error: GoogleAPICallError) -> bool:
    """Whether the thing does not exist."""
    return error.code == MISSING


def is_taken(error: GoogleAPICallError) -> bool:
    """Whether there is one of this name already.

    Names of ours say what they stand for. So it is the same, made by somebody else at the same time, or by our own call
    whose answer was lost.
    """
    return error.code == TAKEN and status_of(error) in ("ALREADY_EXISTS", "")


def is_changing(error: GoogleAPICallError) -> bool:
    """Whether something else happens to it just now."""
    return status_of(error) == "ABORTED" or BUSY_WITH in said(error).lower()


def is_withheld(error: GoogleAPICallError) -> bool:
    """Whether a right or a quota is missing, which is no fault of what was to be done."""
    return error.code in (401, 403, TOO_MANY)


@contextmanager
def told(what: str) -> Iterator[None]:
    """Raise what Google Cloud refused as one sentence about ``what``.

    :raises ConfigError: for credentials that are none or no longer, and for what Google Cloud does not accept.
    :raises NotFound: when it does not exist.
    :raises NotReady: when Google Cloud cannot be reached or has too much to do, after it was tried again.
    :raises PlatformError: for a denied right, a quota, and everything else.
    """
    try:
        yield
    except GoogleAPICallError as error:
        raise _of(what, error) from error
    except (DefaultCredentialsError, MutualTLSChannelError) as error:
        raise ConfigError(f"{what}: there are no credentials for Google Cloud ({_line(error)}).", LOG_IN) from error
    except InvalidJSONError as error:
        raise ConfigError(
            f"{what}: it holds a number that JSON has not, such as NaN ({_line(error)}).", "Give finite numbers."
        ) from error
    except (*UNREACHABLE, Unreadable) as error:
        raise NotReady(
            f"{what}: Google Cloud cannot be reached ({_line(error)}).", "Look at the network and try again."
        ) from error
    except GoogleAuthError as error:
        if getattr(error, "retryable", False):
            raise NotReady(f"{what}: no token was given ({_line(error)}).", "Try again in a minute.") from error
        raise ConfigError(f"{what}: Google Cloud does not accept the credentials ({_line(error)}).", LOG_IN) from error


def _of(what: str, error: GoogleAPICallError) -> TrivetError:
    """What was refused, as one sentence about ``what``."""
    sentence, code = f"{what}: {said(error)}.", int(error.code or SERVER_ERROR)
    if any(words in said(error).lower() for words in QUOTA):
        return PlatformError(sentence, "Ask for more under IAM & Admin, Quotas, or take another machine type.")
    if code == 401:
        return ConfigError(f"{what}: Google Cloud does not accept the credentials ({said(error)}).", LOG_IN)
    if reason_of(error) == DISABLED:
        return PlatformError(sentence, "Have the API enabled in the project, and try again some minutes later.")
    if code == 403:
        return PlatformError(sentence, "Ask for the right to it; docs/gcp.md lists what each role needs.")
    if code >= SERVER_ERROR or code == TOO_MANY or is_changing(error):
        return NotReady(sentence, "Google Cloud has too much to do: try again in a minute.")
    if is_missing(error):
        return NotFound(sentence)
    if code == BAD:
        return ConfigError(sentence, "Correct it and call again.")
    return PlatformError(sentence)


def _content(error: GoogleAPICallError) -> dict[str, Any]:
    """The error as the service sent it; nothing where it is an operation's."""
    response: Any = error.response
    try:
        found = response.json()["error"]
    except (AttributeError, ValueError, LookupError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(". ")
