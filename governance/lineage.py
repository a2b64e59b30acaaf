"""Lineage: what a release was made from, link by link, each link a digest that can be checked."""

from __future__ import annotations

from trivet.core.document import Document
from trivet.core.modelpackage import Lineage
from trivet.core.specs import EndpointState, ModelVersion


class Link(Document):
    """One link of the chain from the data to the endpoint."""

    stage: str
    name: str = ""
    digest: str = ""
    agrees: bool = True  # false where the cloud holds other bytes than were released


def chain(
    lineage: Lineage, version: ModelVersion | None = None, endpoint: EndpointState | None = None
) -> tuple[Link, ...]:
    """The links in order, as far as the release has come.

    The endpoint's link carries the digest that the cloud was read back to hold, which agrees when it is the registered
    one.
    """
    links = [
        Link(stage="data contract", digest=lineage.contract),
        Link(stage="snapshot", digest=lineage.snapshot),
        Link(stage="source", digest=lineage.source),
        Link(stage="environment", digest=lineage.environment),
        Link(stage="parameters", name=f"seed {lineage.seed}", digest=lineage.params),
    ]
    if version:
        links.append(Link(stage="model package", name=str(version), digest=version.digest))
    if version and endpoint:
        links.append(_served(version, endpoint))
    return tuple(links)


def _served(version: ModelVersion, endpoint: EndpointState) -> Link:
    for release in endpoint.releases:
        if (release.model, release.version) == (version.name, version.version):
            name = f"{endpoint.name}, {release.traffic} % of its traffic"
            return Link(stage="endpoint", name=name, digest=release.digest, agrees=release.digest == version.digest)
    return Link(stage="endpoint", name=f"{endpoint.name} does not serve {version}", agrees=False)
