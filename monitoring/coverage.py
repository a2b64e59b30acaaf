"""Whether somebody approved what an endpoint serves: the cloud's own hands can put something else there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from trivet.core.findings import Finding, Level
from trivet.core.specs import EndpointState

MONITOR = "approval"
SOURCE = "what is served was approved, by its digest"


class Decided(NamedTuple):
    """What was decided last about a package: ``approved`` or ``rejected``, and by whom."""

    status: str
    actor: str


def coverage(endpoint: EndpointState, decided: Mapping[str, Decided], now: datetime) -> Finding:
    """Whether an approval covers each release, a shadow's too, which decides nothing but sees the requests.

    ``effect`` and ``threshold`` are shares of the releases without one.

    :param decided: what was decided last, by the digest of the package.
    """
    releases = [*endpoint.releases, *([endpoint.shadow] if endpoint.shadow else [])]
    bare = [
        f"{release.model}/{release.version} {release.digest[:19]} {why}"
        for release in releases
        if (why := _why_not(decided.get(release.digest)))
    ]
    return Finding(
        monitor=MONITOR,
        subject=endpoint.name,
        level=Level.ALARM if bare else Level.OK,
        effect=len(bare) / len(releases) if releases else None,
        sample=len(releases),
        start=None,
        end=now,
        threshold=0.0,
        source=SOURCE,
        note="; ".join(bare) or "an approval covers all that it serves",
        time=now,
    )


def uncovered(endpoint: str, why: str, now: datetime) -> Finding:
    """That an endpoint serves what no approval can cover, since it is no release or nobody can tell which."""
    return Finding(
        monitor=MONITOR,
        subject=endpoint,
        level=Level.ALARM,
        effect=1.0,
        sample=1,
        start=None,
        end=now,
        threshold=0.0,
        source=SOURCE,
        note=why,
        time=now,
    )


def _why_not(decided: Decided | None) -> str:
    if decided is None:
        return "was approved by nobody"
    return "" if decided.status == "approved" else f"was {decided.status} by {decided.actor}"
