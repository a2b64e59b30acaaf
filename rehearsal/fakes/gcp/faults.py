"""Bad weather on demand, in the words of Google's APIs."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from trivet.rehearsal.fakes import faults
from trivet.rehearsal.fakes.gcp.refusals import STATUSES, of_storage, refused
from trivet.rehearsal.fakes.refusing import Refused

STORAGE = "storage"
# Reason of the JSON API and code of the XML API; reference of both, "HTTP status and error codes".
_STORAGE = {
    "RESOURCE_EXHAUSTED": ("rateLimitExceeded", "SlowDown"),
    "PERMISSION_DENIED": ("forbidden", "AccessDenied"),
    "UNAUTHENTICATED": ("authError", "AuthenticationRequired"),
    "INTERNAL": ("backendError", "InternalError"),
    "UNAVAILABLE": ("backendError", "ServiceUnavailable"),
}
_SAID = {
    "RESOURCE_EXHAUSTED": "Quota exceeded for quota metric and limit of {service}.googleapis.com.",
    "PERMISSION_DENIED": "Permission '{service}.{operation}' denied on resource (or it may not exist).",
    "UNAUTHENTICATED": "Request had invalid authentication credentials.",
    "UNAVAILABLE": "The service is currently unavailable.",
}


@dataclass(frozen=True)
class Call:
    """One request: the service, what its reference calls the operation, and the first thing that it names."""

    service: str
    operation: str
    resource: str


@dataclass
class Fault(faults.Fault):
    """A fault whose error is one of Google's APIs."""

    code: str = "RESOURCE_EXHAUSTED"
    reason: str = ""
    """For machines, as google.rpc.ErrorInfo has it, such as SERVICE_DISABLED."""

    def __post_init__(self) -> None:
        """:raises TypeError: for a code that there is not."""
        if self.code not in STATUSES:
            raise TypeError(f"{self.code} is no code of Google's APIs")

    def error(self, call: Call) -> Refused:
        """The error, as the service says it."""
        said = (self.message or _SAID.get(self.code, "Injected by a test.")).format(**asdict(call))
        if call.service != STORAGE:
            error = refused(self.code, said)
            if self.reason:
                kind = "type.googleapis.com/google.rpc.ErrorInfo"
                error.details["details"] = [{"@type": kind, "reason": self.reason, "domain": "googleapis.com"}]
            return error
        reason, xml = _STORAGE.get(self.code, ("backendError", "InternalError"))
        return of_storage(STATUSES[self.code], reason, xml, said)
