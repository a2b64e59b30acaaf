"""Dynamic resources: code of the program's own."""

from __future__ import annotations

from collections.abc import Iterable

from trivet.clouds.local import LOCAL
from trivet.infra.costs import Cost
from trivet.infra.listing import Listed


def charges(_resource: Listed, region: str) -> Iterable[Cost] | None:
    """Nobody is charged for this machine; what such code makes on a cloud nobody can tell."""
    return [] if region in LOCAL.regions else None
