"""Permissions and APIs that are asked for: all are given, and enabled, but those that somebody took away."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from trivet.rehearsal.fakes.gcp.refusals import invalid
from trivet.rehearsal.fakes.gcp.rest import Asked

_PERMISSION = re.compile(r"[a-z]+\.[a-zA-Z]+\.[a-zA-Z]+")


class Rights:
    """What the caller may do. Only ``testIamPermissions`` asks: calls are not refused by it."""

    def __init__(self) -> None:
        self._denied: frozenset[str] = frozenset()
        self.disabled: frozenset[str] = frozenset()

    def disable(self, services: Iterable[str]) -> None:
        """Disable these APIs of the project, and enable all others."""
        self.disabled = frozenset(services)

    def deny(self, permissions: Iterable[str]) -> None:
        """Take these away, and give all others."""
        self._denied = frozenset(permissions)

    def tested(self, asked: Asked) -> dict[str, Any]:
        """``testIamPermissions``: which of the permissions are given. The member is left out where none is.

        :raises Refused: for what is none.
        """
        wanted = asked.body.get("permissions") or asked.lists.get("permissions", [])
        if bad := [one for one in wanted if not _PERMISSION.fullmatch(str(one))]:
            raise invalid(f"Permission {bad[0]} is not valid for this resource.")
        given = [one for one in wanted if one not in self._denied]
        return {"permissions": given} if given else {}
