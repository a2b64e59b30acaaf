"""What an object store refuses, as errors of our tree: obstore has few kinds of errors, and says the rest in words."""

from __future__ import annotations

import re

from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

from trivet.core.errors import ConfigError, NotReady, PlatformError, TrivetError

# Codes of S3; API reference of S3, "Error responses".
EXPIRED = ("ExpiredToken", "InvalidToken", "InvalidAccessKeyId", "SignatureDoesNotMatch", "TokenRefreshRequired")
LOG_IN = "Log in again; `trivet doctor` says who you are."
_CODE, _MESSAGE, _STATUS = (
    re.compile(pattern) for pattern in (r"<Code>(.+?)</Code>", r"<Message>(.+?)</Message>", r"status code: (\d{3})")
)
_PROVIDER = re.compile(r"credential provider: \w+: (.+)")
FORBIDDEN, TOO_MANY, SERVER_ERROR = 403, 429, 500
_UNREACHABLE = ("error sending request", "HTTP error", "operation timed out")


def failure(url: str, key: str, error: Exception) -> TrivetError:
    """What went wrong at ``key``, by what the caller does next."""
    text = str(error)
    code, message, status = (_found(pattern, text) for pattern in (_CODE, _MESSAGE, _STATUS))
    said = message.rstrip(". ") or text.partition("\n")[0].rstrip(". ")
    if isinstance(error, UnauthenticatedError):
        why = _found(_PROVIDER, text).rstrip(". ") or said
        return ConfigError(f"The store {url} cannot be reached without credentials ({why}).", LOG_IN)
    if code in EXPIRED:
        return ConfigError(f"The store {url} does not accept the credentials ({said}).", LOG_IN)
    if isinstance(error, PermissionDeniedError) or status == str(FORBIDDEN):
        return PlatformError(f"The store {url} denies access to {key!r}: {said}.", "Ask for the right to it.")
    if status and (int(status) >= SERVER_ERROR or int(status) == TOO_MANY):
        return NotReady(f"The store {url} has too much to do: {said}.", "Try again in a minute.")
    if any(words in text for words in _UNREACHABLE):
        return NotReady(f"The store {url} cannot be reached at {key!r}.", "Look at the network and try again.")
    return PlatformError(f"The store {url} failed at {key!r}: {said}.")


def _found(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found.group(1) if found else ""
