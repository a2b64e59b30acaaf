"""What Vertex AI holds: names, numbers, pages and the operations that take time."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from google.longrunning import operations_pb2
from google.protobuf.empty_pb2 import Empty
from google.rpc import status_pb2

from trivet.rehearsal.fakes.gcp.refusals import NUMBERS, invalid, missing, precondition, refused
from trivet.rehearsal.fakes.gcp.vertex.filters import matches, ordered
from trivet.rehearsal.fakes.refusing import Refused

if TYPE_CHECKING:
    from trivet.rehearsal.fakes.gcp.world import World

_NAME = re.compile(r"projects/([^/]+)/locations/([^/]+)((?:/[^/]+/[^/]+)*)")
_LABEL = re.compile(r"[a-z0-9_\-\u0080-\uffff]{0,64}")
MOST_LABELS, LONGEST_NAME = 64, 128
USUAL_PAGE, LARGEST_PAGE = 100, 1000


def now() -> Any:
    """The present, a ``datetime``; the SDK's types take it as a Timestamp, which their annotations do not say."""
    return datetime.now(UTC)


def new_id() -> str:
    """A number of 19 digits, as the service gives them."""
    return str(secrets.randbelow(8 * 10**18) + 10**18)


@dataclass
class Vertex:
    """Everything of a fake. Whoever reads and then writes holds ``lock`` meanwhile."""

    world: World
    project: str
    number: str
    lock: threading.RLock = field(default_factory=threading.RLock)
    jobs: dict[str, Any] = field(default_factory=dict)
    models: dict[str, Any] = field(default_factory=dict)
    endpoints: dict[str, Any] = field(default_factory=dict)
    operations: dict[str, operations_pb2.Operation] = field(default_factory=dict)
    logs: list[dict[str, Any]] = field(default_factory=list)
    forced: dict[str, str] = field(default_factory=dict)
    """States that somebody has forced upon jobs, by their numbers."""
    closed: threading.Event = field(default_factory=threading.Event)
    """Set when all is forgotten, so that nothing is started any more."""

    def named(self, name: str) -> str:
        """A name with the project's number, as the service answers it.

        :raises Refused: for no such name, and for a project that is not the caller's.
        """
        found = _NAME.fullmatch(name)
        if found is None:
            raise invalid(f"Invalid resource name: '{name}'.")
        if found[1] not in (self.project, self.number):
            raise refused("PERMISSION_DENIED", f"Permission denied on resource project {found[1]}.")
        return f"projects/{self.number}/locations/{found[2]}{found[3]}"

    def check_description(self, display_name: str, labels: dict[str, str]) -> None:
        """:raises Refused: for a display name or labels that no resource may have."""
        demand = self.world.constraints.demand
        said = f"The display name must be 1 to {LONGEST_NAME} characters long."
        demand("display-names", 1 <= len(display_name) <= LONGEST_NAME, invalid(said))
        bad = [key for key, value in labels.items() if not key or not all(map(_LABEL.fullmatch, (key, value)))]
        begin = [key for key in labels if key and not key[0].isalpha()]
        said = f"Invalid labels: {', '.join(bad + begin) or f'more than {MOST_LABELS}'}."
        demand("labels", not bad and not begin and len(labels) <= MOST_LABELS, invalid(said))

    def check_key(self, place: str, key: str) -> None:
        """:param place: a name of what is to be encrypted, or its parent's. :raises Refused: for no usable key."""
        said = f"Permission 'cloudkms.cryptoKeyVersions.useToEncrypt' denied on resource '{key}' (or it may not exist)."
        near = f"/locations/{place.split('/')[3]}/" in key
        good = not key or (near and self.world.encrypts(key))
        self.world.constraints.demand("key-usable", good, refused("PERMISSION_DENIED", said))

    def check_account(self, email: str) -> None:
        """:raises Refused: for a service account that there is not; none is the service's own."""
        said = f"Permission 'iam.serviceAccounts.actAs' denied on service account {email} (or it may not exist)."
        good = not email or self.world.is_account(email)
        self.world.constraints.demand("account-exists", good, refused("PERMISSION_DENIED", said))

    def alone(self, resource: str) -> None:
        """Called with the lock held, before anything is changed of a resource.

        :raises Refused: while an operation on it is under way, with one of the two codes that users have seen.
        """
        begin = f"{resource}/operations/"
        idle = all(one.done for name, one in self.operations.items() if name.startswith(begin))
        error = precondition(f"There are other operations running on {resource}. Try again when they have ended.")
        if self.world.settings.aborted:
            error = refused("ABORTED", f"{resource} is being changed by another operation.")
        self.world.constraints.demand("one-operation", idle, error)

    def note(self, entry: dict[str, Any]) -> None:
        """Log it."""
        with self.lock:
            self.logs.append(entry)

    def begin(
        self, resource: str, metadata: Any, work: Callable[[], Any], quick: bool = True
    ) -> operations_pb2.Operation:
        """Begin an operation that takes time, and answer it as it is then.

        :param metadata: of the operation, a message that has ``generic_metadata``.
        :param work: its result, or ``Refused``.
        :param quick: whether it is done at once where operations are set to take no time.
        """
        operation = operations_pb2.Operation(name=f"{resource}/operations/{new_id()}")
        metadata.generic_metadata.create_time = metadata.generic_metadata.update_time = now()
        operation.metadata.Pack(type(metadata).pb(metadata))
        with self.lock:
            self.operations[operation.name] = operation
        if quick and not self.world.settings.operation:
            self._end(operation, work)
        else:
            threading.Thread(target=self._run, args=(operation, work), name=operation.name, daemon=True).start()
        return self.operation(operation.name)

    def operation(self, name: str) -> operations_pb2.Operation:
        """One as it is now.

        :raises Refused: where there is none.
        """
        with self.lock:
            found = self.operations.get(self.named(name))
            if found is None:
                raise missing(f"Operation {name} is not found.")
            copy = operations_pb2.Operation()
            copy.CopyFrom(found)
            return copy

    def _run(self, operation: operations_pb2.Operation, work: Callable[[], Any]) -> None:
        self.closed.wait(self.world.settings.operation)
        self._end(operation, work)

    def _end(self, operation: operations_pb2.Operation, work: Callable[[], Any]) -> None:
        try:
            result = work()
            answer = Empty() if result is None else type(result).pb(result)
        except Refused as error:
            with self.lock:
                said = status_pb2.Status(code=NUMBERS.get(error.code, 13), message=error.message)
                operation.error.CopyFrom(said)
                operation.done = True
            return
        except Exception as error:
            with self.lock:
                operation.error.CopyFrom(status_pb2.Status(code=13, message=f"{type(error).__name__}: {error}"))
                operation.done = True
            if not self.closed.is_set():
                raise  # a mistake of this fake's
            return
        with self.lock:
            operation.response.Pack(answer)
            operation.done = True


def page(found: Iterable[Any], request: Any, names: dict[str, Callable[[Any], Any]]) -> tuple[list[Any], str]:
    """A page of resources, filtered and ordered as List methods are, and the token of the next one.

    :param names: what a filter or an order may name.
    :raises Refused: for a filter, an order or a token that is none.
    """
    kept = [one for one in found if matches(getattr(request, "filter", ""), one, names)]
    kept = ordered(kept, getattr(request, "order_by", ""), names)
    token = request.page_token or "0"
    if not token.isdecimal():
        raise invalid(f"Invalid page token: '{token}'.")
    if request.page_size < 0:
        raise invalid("The page size must not be negative.")
    end = int(token) + min(request.page_size or USUAL_PAGE, LARGEST_PAGE)
    return kept[int(token) : end], str(end) if end < len(kept) else ""
