"""What SageMaker holds in one region, and the ways in which its operations look at that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from trivet.rehearsal.fakes.aws.refusals import invalid

if TYPE_CHECKING:
    from trivet.rehearsal.fakes.aws.world import World

ACCOUNT = "123456789012"
Request = dict[str, Any]


def now() -> datetime:
    """The present, as AWS says it: to the millisecond."""
    present = datetime.now(UTC)
    return present.replace(microsecond=present.microsecond // 1000 * 1000)


@dataclass
class Record:
    """One resource: what it was created by, and what became of it."""

    kind: str
    name: str
    arn: str
    request: Request
    status: str = ""
    reason: str = ""
    created: datetime = field(default_factory=now)
    modified: datetime = field(default_factory=now)

    pinned: bool = False

    def to(self, status: str, reason: str = "") -> None:
        """Enter a status, unless a test has set another."""
        if not self.pinned:
            self.status, self.reason, self.modified = status, reason[:1024], now()

    def pin(self, status: str, reason: str = "") -> None:
        """Have this status from now on, whatever happens."""
        self.pinned, self.status, self.reason, self.modified = True, status, reason, now()


@dataclass
class Region:
    """SageMaker in one region. Whoever reads and then writes holds ``lock`` meanwhile, and asks no other service."""

    name: str
    world: World
    lock: threading.RLock = field(default_factory=threading.RLock)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    retired: set[str] = field(default_factory=set)
    """ARNs that can never be given again."""
    closed: threading.Event = field(default_factory=threading.Event)
    """Set when the region is forgotten, so that nothing is started in it any more."""

    def arn(self, kind: str, name: str) -> str:
        """The name of a resource among all of AWS."""
        return f"arn:aws:sagemaker:{self.name}:{ACCOUNT}:{kind}/{name}"

    def all(self, kind: str) -> dict[str, Any]:
        """The resources of a kind, by name."""
        return self.records.setdefault(kind, {})

    def find(self, kind: str, name: str) -> Any:
        """One of them, or None."""
        return self.all(kind).get(name)

    def get(self, kind: str, name: str, missing: str = "") -> Any:
        """One of them.

        :raises Refused: in SageMaker's words, where it is not there.
        """
        found = self.find(kind, name)
        if found is None:
            raise invalid(missing or f'Could not find {kind.replace("-", " ")} "{self.arn(kind, name)}".')
        return found

    def add(self, record: Record, tags: Iterable[dict[str, str]] = ()) -> None:
        """Hold a new resource."""
        self.all(record.kind)[record.name] = record
        self.tags[record.arn] = {tag["Key"]: tag["Value"] for tag in tags}

    def remove(self, record: Record) -> None:
        """Let go of one."""
        self.all(record.kind).pop(record.name, None)
        self.tags.pop(record.arn, None)


def listing(
    found: Iterable[Record],
    request: Request,
    answer: str,
    summary: Callable[[Any], dict[str, Any]],
    usual_order: str = "Descending",
) -> dict[str, Any]:
    """A page of a list: filtered, sorted and cut as List operations of SageMaker do, ten at a time by default.

    :raises Refused: for a token that no page gave.
    """
    kept = [record for record in found if _wanted(record, request)]
    by = {"Name": _name, "Status": _status, "LastModifiedTime": _modified}.get(request.get("SortBy", ""), _created)
    reverse = request.get("SortOrder", usual_order) == "Descending"
    kept = [record for _, record in sorted(enumerate(kept), key=lambda pair: (by(pair[1]), pair[0]), reverse=reverse)]
    token = request.get("NextToken", "0")
    if not token.isdecimal():
        raise invalid(f"Invalid pagination token {token}.")
    end = int(token) + request.get("MaxResults", 10)
    page = {answer: [summary(record) for record in kept[int(token) : end]]}
    return page | ({"NextToken": str(end)} if end < len(kept) else {})


def _wanted(record: Record, request: Request) -> bool:
    times = {"CreationTime": record.created.timestamp(), "LastModifiedTime": record.modified.timestamp()}
    return (
        request.get("NameContains", "") in record.name
        and request.get("StatusEquals", record.status) == record.status
        and all(request.get(f"{name}After", 0) <= time for name, time in times.items())
        and all(time <= request.get(f"{name}Before", time) for name, time in times.items())
    )


def _name(record: Record) -> Any:
    return record.name


def _status(record: Record) -> Any:
    return record.status


def _modified(record: Record) -> Any:
    return record.modified


def _created(record: Record) -> Any:
    return record.created
