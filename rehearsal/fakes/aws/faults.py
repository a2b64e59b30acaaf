"""Bad weather on demand: errors, lost connections, delays, and reads that lag behind writes."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from trivet.rehearsal.fakes import faults
from trivet.rehearsal.fakes.aws.calls import Call
from trivet.rehearsal.fakes.refusing import Refused

# What S3 says instead, and with which status; API reference of S3, "Error responses".
_S3 = {
    "ThrottlingException": ("SlowDown", 503),
    "AccessDeniedException": ("AccessDenied", 403),
    "ExpiredTokenException": ("ExpiredToken", 400),
}
# What the services of the query protocol say; "Common errors" of CloudWatch's and IAM's API references.
_QUERY = {
    "ThrottlingException": ("Throttling", 400),
    "AccessDeniedException": ("AccessDenied", 403),
    "ExpiredTokenException": ("ExpiredToken", 403),
}
_SAID = {
    "ThrottlingException": "Rate exceeded",
    "AccessDeniedException": "User: arn:aws:sts::123456789012:assumed-role/rehearsal is not authorized to perform: "
    "{service}:{operation}",
    "ExpiredTokenException": "The security token included in the request is expired",
}


@dataclass
class Fault(faults.Fault):
    """A fault whose error is AWS's."""

    code: str = "ThrottlingException"
    status: int = 400

    def error(self, call: Call) -> Refused:
        """The error, as the service says it."""
        table = _S3 if call.service == "s3" else _QUERY if call.protocol == "query" else {}
        code, status = table.get(self.code, (self.code, self.status))
        said = self.message or _SAID.get(self.code, "Injected by a test.")
        return Refused(code, said.format(service=call.service, operation=call.operation), status)


@dataclass
class _Stale:
    left: int
    answer: dict[str, Any] | Refused


@dataclass
class Lag:
    """Eventual consistency: for some calls after a write, Describe answers as it did before."""

    _calls: dict[str, int] = field(default_factory=dict)
    _stale: dict[tuple[str, str, str], _Stale] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def set(self, kind: str, calls: int) -> None:
        """From now on, for this kind of resource, as ``TrainingJob``; no calls end it."""
        with self._lock:
            self._calls[kind] = calls

    def wants(self, kind: str) -> bool:
        """Whether what was before a write must be kept."""
        return self._calls.get(kind, 0) > 0

    def keep(self, region: str, kind: str, name: str, answer: dict[str, Any] | Refused) -> None:
        """Note what Describe answered before a write that was done."""
        with self._lock:
            self._stale[region, kind, name] = _Stale(self._calls[kind], answer)

    def answer(self, region: str, kind: str, name: str) -> dict[str, Any] | None:
        """What Describe still answers, or None when it is up to date.

        :raises Refused: where there was nothing before.
        """
        with self._lock:
            stale = self._stale.get((region, kind, name))
            if stale is None:
                return None
            stale.left -= 1
            if stale.left <= 0:
                del self._stale[region, kind, name]
        if isinstance(stale.answer, Refused):
            raise stale.answer
        return stale.answer

    def clear(self) -> None:
        """Forget all of it."""
        with self._lock:
            self._calls.clear()
            self._stale.clear()
