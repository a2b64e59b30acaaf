"""Whether somebody approved what an endpoint serves: the cloud's own hands can put something else there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from trivet.core.findings import Finding, Level
from trivet.core.specs import EndpointState, ModelVersion, Release

MONITOR = "approval"


def coverage(endpoint: EndpointState, known: Sequence[ModelVersion | None], now: datetime) -> Finding:
    """Whether an approval covers each release. ``effect`` and ``threshold`` are shares of the releases without one.

    :param known: what the registry says of each release's version, in their order; None where it knows none.
    """
    bare = [
        f"{release.model}/{release.version} {release.digest[:19]} {why}"
        for release, version in zip(endpoint.releases, known, strict=True)
        if (why := _why_not(release, version))
    ]
    return Finding(
        monitor=MONITOR,
        subject=endpoint.name,
        level=Level.ALARM if bare else Level.OK,
        effect=len(bare) / len(endpoint.releases) if endpoint.releases else None,
        sample=len(endpoint.releases),
        start=None,
        end=now,
        threshold=0.0,
        source="what is served was approved, by its digest",
        note="; ".join(bare) or "an approval covers all that it serves",
        time=now,
    )


def _why_not(release: Release, version: ModelVersion | None) -> str:
    if version is None:
        return "is in no registry of the stack"
    if version.digest != release.digest:
        return f"is not what the registry has under this number, {version.digest[:19]}"
    if version.approval is None:
        return "was approved by nobody"
    return "" if version.approval.status == "approved" else f"was rejected by {version.approval.actor}"
