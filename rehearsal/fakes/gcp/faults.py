"""Bad weather on demand, in the words of Google's APIs."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase

from trivet.rehearsal.fakes.faults import Kind
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


class Calls:
    """Every call since the last reset, in order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: list[Call] = []

    def note(self, call: Call) -> None:
        """Remember one."""
        with self._lock:
            self._seen.append(call)

    def all(self) -> list[dict[str, str]]:
        """What was remembered."""
        with self._lock:
            return [asdict(call) for call in self._seen]

    def clear(self) -> None:
        """Remember nothing."""
        with self._lock:
            self._seen.clear()


@dataclass
class Fault:
    """What befalls the next ``times`` calls that fit the glob patterns.

    - ``error``: the call is refused with ``code``, and nothing is done;
    - ``cut``: the connection ends without an answer, and nothing is done;
    - ``lost``: the call is done, then the connection ends without an answer;
    - ``delay``: the call is done after ``seconds``.
    """

    service: str = "*"
    operation: str = "*"
    kind: Kind = "error"
    times: int = 1
    code: str = "RESOURCE_EXHAUSTED"
    message: str = ""
    seconds: float = 0.0
    resource: str = "*"

    def __post_init__(self) -> None:
        """:raises TypeError: for a code that there is not."""
        if self.code not in STATUSES:
            raise TypeError(f"{self.code} is no code of Google's APIs")

    def fits(self, call: Call) -> bool:
        """Whether it befalls this call."""
        return (
            fnmatchcase(call.service, self.service)
            and fnmatchcase(call.operation, self.operation)
            and fnmatchcase(call.resource, self.resource)
        )

    def error(self, call: Call) -> Refused:
        """The error, as the service says it."""
        said = (self.message or _SAID.get(self.code, "Injected by a test.")).format(**asdict(call))
        if call.service != STORAGE:
            return refused(self.code, said)
        reason, xml = _STORAGE.get(self.code, ("backendError", "InternalError"))
        return of_storage(STATUSES[self.code], reason, xml, said)
