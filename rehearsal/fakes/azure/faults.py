"""Bad weather on demand, in the words of Azure's services."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from trivet.rehearsal.fakes import faults
from trivet.rehearsal.fakes.refusing import Refused

# Code, status and sentence; ARM "Throttling", "Resource quota errors", Storage "Common error codes".
_ERRORS = {
    "TooManyRequests": (429, "The request is being throttled as the limit has been reached for operation {operation}."),
    "AuthorizationFailed": (
        403,
        "The client does not have authorization to perform action '{operation}' over scope '{resource}' or the scope"
        " is invalid.",
    ),
    "ExpiredAuthenticationToken": (401, "The access token expiry is earlier than the current time."),
    "QuotaExceeded": (
        400,
        "Not enough quota available for {operation}. Current usage/limit: 24/24. Additional needed: 4.",
    ),
    "InternalServerError": (500, "The server encountered an internal error. Please retry the request."),
    "ServiceUnavailable": (503, "The service is unavailable now, please retry your request."),
    "GatewayTimeout": (504, "The gateway did not receive a response from '{service}' within the specified time."),
}
# What Blob Storage calls the same.
_STORAGE = {
    "TooManyRequests": ("ServerBusy", 503),
    "AuthorizationFailed": ("AuthorizationPermissionMismatch", 403),
    "ExpiredAuthenticationToken": ("InvalidAuthenticationInfo", 401),
    "InternalServerError": ("InternalError", 500),
    "ServiceUnavailable": ("ServerBusy", 503),
    "GatewayTimeout": ("OperationTimedOut", 500),
}


@dataclass(frozen=True)
class Call:
    """One request: the service, what its reference calls the operation, and what it names."""

    service: str
    operation: str
    resource: str


@dataclass
class Fault(faults.Fault):
    """A fault whose error is one of Azure's. ``after`` is its Retry-After, in seconds; 0 says none."""

    code: str = "TooManyRequests"
    after: int = 0

    def __post_init__(self) -> None:
        """:raises TypeError: for a code that there is not."""
        if self.code not in _ERRORS:
            raise TypeError(f"{self.code} is no code of Azure's that can be injected: choose of {', '.join(_ERRORS)}")

    def error(self, call: Call) -> Refused:
        """The error, as the service says it."""
        status, said = _ERRORS[self.code]
        code = self.code
        if call.service == "blob":
            code, status = _STORAGE.get(code, (code, status))
        headers = [("Retry-After", str(self.after))] if self.after else []
        return Refused(code, (self.message or said).format(**asdict(call)), status, {"headers": headers})
