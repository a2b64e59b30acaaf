"""What AWS refuses, as errors of our tree, the SDK's own as their cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import (
    ConnectionError as Unreachable,
)
from botocore.parsers import ResponseParserError

from trivet.core.errors import ConfigError, NotFound, NotReady, PlatformError
from trivet.core.waiting import wait_for

T = TypeVar("T")

EXPIRED = {
    *("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired", "InvalidClientTokenId"),
    *("UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthFailure"),
}
DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"}
BUSY = {
    *("Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded"),
    *("ServiceUnavailable", "ServiceUnavailableException", "InternalFailure", "InternalServerError", "SlowDown"),
    *("ModelNotReadyException", "InternalDependencyException", "RequestTimeout", "ConcurrentUpdateException"),
}
QUOTA = {"ResourceLimitExceeded", "LimitExceededException", "ServiceQuotaExceededException"}
MISSING = {"ResourceNotFound", "ResourceNotFoundException", "NoSuchEntity", "NoSuchBucket", "NotFoundException"}
NO_CREDENTIALS = (
    *(NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, ProfileNotFound, SSOError),
    TokenRetrievalError,
)
LOG_IN = "Log in again, such as by `aws sso login`; `trivet doctor` says who you are."
# A role that was just made is not known everywhere for some seconds.
NEW_ROLE = ("could not assume role", "cannot be assumed", "unable to assume", "is invalid or cannot be assumed")
PROPAGATION_SECONDS = 60.0
SERVER_ERROR = 500


def code_of(error: ClientError) -> str:
    """The error's code, as AWS names it."""
    return str(error.response.get("Error", {}).get("Code", ""))


def said(error: ClientError) -> str:
    """AWS's own sentence, without a full stop."""
    return str(error.response.get("Error", {}).get("Message", "") or code_of(error)).rstrip(". ")


def is_missing(error: ClientError) -> bool:
    """Whether AWS says that the thing does not exist; SageMaker has no code of its own for it."""
    return code_of(error) in MISSING or (
        code_of(error) in ("ValidationException", "ValidationError")  # the second is what the runtime says
        and any(words in said(error).lower() for words in ("could not find", "does not exist", "not found"))
    )


def is_taken(error: ClientError) -> bool:
    """Whether AWS says that there is one of this name already.

    Names of ours say what they stand for. So it is the same, made by somebody else at the same time, or by our own call
    whose answer was lost: the SDK has made it again.
    """
    return code_of(error) == "ResourceInUse" or any(
        words in said(error).lower() for words in ("already exist", "must be unique")
    )


def is_changing(error: ClientError) -> bool:
    """Whether SageMaker refuses because something else happens to the endpoint just now."""
    return "in-progress endpoint" in said(error).lower()


@contextmanager
def told(what: str) -> Iterator[None]:
    """Raise what AWS refused as one sentence about ``what``.

    :raises ConfigError: for credentials that are none or no longer, and for what AWS does not accept.
    :raises NotFound: when it does not exist.
    :raises NotReady: when AWS cannot be reached or has too much to do, after the SDK has tried again.
    :raises PlatformError: for a denied right, a quota, and everything else.
    """
    try:
        yield
    except ClientError as error:
        raise _of(what, error) from error
    except NO_CREDENTIALS as error:
        raise ConfigError(f"{what}: there are no credentials for AWS ({_line(error)}).", LOG_IN) from error
    except (NoRegionError, ParamValidationError) as error:
        raise ConfigError(f"{what}: {_line(error)}.") from error
    except (Unreachable, HTTPClientError, ResponseParserError) as error:
        raise NotReady(
            f"{what}: AWS cannot be reached ({_line(error)}).", "Look at the network and try again."
        ) from error
    except BotoCoreError as error:
        raise PlatformError(f"{what}: {_line(error)}.") from error


def _of(what: str, error: ClientError) -> Exception:
    code, sentence = code_of(error), f"{what}: {said(error)}."
    if code in EXPIRED:
        return ConfigError(f"{what}: AWS does not accept the credentials ({said(error)}).", LOG_IN)
    if code in DENIED:
        action = error.operation_name
        return PlatformError(sentence, f"Ask for the right to {action}; docs/aws-rights.md lists what each role needs.")
    if code in BUSY or error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400) >= SERVER_ERROR:
        return NotReady(sentence, "AWS has too much to do: try again in a minute.")
    if code in QUOTA:
        return PlatformError(sentence, "Ask for more under Service Quotas, or take another instance type.")
    if is_missing(error):
        return NotFound(sentence)
    if code in ("ValidationException", "ValidationError", "InvalidParameterValue", "InvalidParameterException"):
        return ConfigError(sentence, "Correct it and call again.")
    return PlatformError(sentence)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(". ")


def once_the_role_is_known(call: Callable[[], T], what: str, seconds: float = PROPAGATION_SECONDS) -> T:
    """Make a call that hands over a role, and again while AWS does not know a new role everywhere."""
    last: list[ClientError] = []

    def attempt() -> tuple[T] | None:
        try:
            return (call(),)
        except ClientError as error:
            if not any(words in said(error).lower() for words in NEW_ROLE):
                raise
            last[:] = [error]
            return None

    try:
        return wait_for(attempt, what, seconds=seconds)[0]
    except NotReady:
        if last:
            raise last[0] from None
        raise


def unless_gone(call: Callable[[], object], *, or_used: bool = False) -> None:
    """Make a call about what somebody else may have deleted just now; or begun to use, with ``or_used``."""
    try:
        call()
    except ClientError as error:
        if not (is_missing(error) or (or_used and "in use" in said(error))):
            raise
