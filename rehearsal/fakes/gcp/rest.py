"""APIs of Google's whose messages no SDK here brings: their methods by verb and path, their members by tables."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trivet.rehearsal.fakes.gcp.constraints import STRICT, Constraints
from trivet.rehearsal.fakes.gcp.names import NUMBER, PROJECT
from trivet.rehearsal.fakes.gcp.refusals import JSON, invalid, left_out, refused
from trivet.rehearsal.fakes.refusing import Answer
from trivet.rehearsal.fakes.server import Request

# Of every method; the "System parameters" of Google's APIs.
SYSTEM = {"alt", "$alt", "key", "fields", "prettyPrint", "$prettyPrint", "quotaUser", "access_token"}
_VARIABLE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Asked:
    """A request of one method: what its path names, its members, and its parameters, the last of each."""

    names: Mapping[str, str]
    body: dict[str, Any]
    query: Mapping[str, str]
    lists: Mapping[str, list[str]]


@dataclass(frozen=True)
class Method:
    """One method.

    :ivar path: variables in braces stand for one segment each.
    :ivar members: of its body.
    :ivar parameters: of its query.
    """

    name: str
    verb: str
    path: str
    answer: Callable[[Asked], Any]
    members: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()

    def names(self, request: Request) -> dict[str, str] | None:
        """What the path of a request names; None where it is another method's."""
        parts = _VARIABLE.split(self.path)
        pattern = "".join(f"(?P<{part}>[^/:]+)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
        found = re.fullmatch(pattern, request.path) if request.method == self.verb else None
        return found.groupdict() if found else None


class Api:
    """One service.

    :param paths: which requests are its own.
    """

    def __init__(
        self, constraints: Constraints, service: str, title: str, paths: str, methods: Iterable[Method]
    ) -> None:
        self.service = service
        self.methods = tuple(methods)
        self._constraints = constraints
        self._title = title
        self._paths = re.compile(paths)

    def serves(self, request: Request) -> bool:
        """Whether it is asked."""
        return self._paths.match(request.path) is not None

    def operation(self, request: Request) -> tuple[str, str]:
        """The method that a request asks for, and of what; empty where for none."""
        method, _ = self._find(request)
        return (method.name if method else ""), request.path.partition("/projects/")[2].partition(":")[0]

    def answer(self, request: Request) -> Answer:
        """One request.

        :raises Refused: as the service does.
        """
        method, names = self._find(request)
        if method is None:
            raise left_out(f"method of {self._title} at {request.method} {request.path}")
        if names.get("project", PROJECT) not in (PROJECT, NUMBER):
            raise refused("PERMISSION_DENIED", f"Permission denied on resource project {names['project']}.")
        body = _json(request.body) if request.method in ("POST", "PATCH", "PUT") else {}
        if self._constraints.holds(STRICT):
            known(body, method.members)
            if unknown := [name for name in request.query if name not in (*SYSTEM, *method.parameters)]:
                raise invalid(f'Invalid JSON payload received. Unknown name "{unknown[0]}": Cannot bind parameter.')
        query = {name: values[-1] for name, values in request.query.items()}
        found = method.answer(Asked(names, body, query, request.query))
        return 200, list(JSON), json.dumps({} if found is None else found).encode()

    def _find(self, request: Request) -> tuple[Method | None, dict[str, str]]:
        for method in self.methods:
            if (names := method.names(request)) is not None:
                return method, names
        return None, {}


def known(content: Mapping[str, Any], members: Iterable[str], place: str = "") -> None:
    """:raises Refused: for a member that there is not."""
    if unknown := sorted(set(content) - set(members)):
        where = f" at '{place}'" if place else ""
        raise invalid(f'Invalid JSON payload received. Unknown name "{unknown[0]}"{where}: Cannot find field.')


def paged(found: list[Any], asked: Asked, member: str, usual: int = 100) -> dict[str, Any]:
    """A page of a list, and the token of the next one.

    :raises Refused: for a page that cannot be.
    """
    token, size = asked.query.get("pageToken", "") or "0", asked.query.get("pageSize", "") or "0"
    if not (token.isdecimal() and size.isdecimal()):
        raise invalid("pageToken is what a page gave, and pageSize a number.")
    begin = int(token)
    end = begin + (int(size) or usual)
    answer: dict[str, Any] = {member: found[begin:end]} if found[begin:end] else {}
    return answer | ({"nextPageToken": str(end)} if end < len(found) else {})


def stamp(time: datetime | None = None) -> str:
    """A time as Google's JSON has it."""
    return (time or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError as error:
        raise invalid(f"Invalid JSON payload received. {error}") from error
    if not isinstance(found, dict):
        raise invalid("Invalid JSON payload received. The body is no object.")
    return found
