"""Lineage: every link there is, and a break that shows."""

from __future__ import annotations

from trivet.core.canonical import digest_json
from trivet.core.modelpackage import Lineage
from trivet.core.specs import EndpointState, ModelVersion
from trivet.governance.lineage import chain


def test_the_chain_goes_from_the_data_to_the_endpoint(
    lineage: Lineage, version: ModelVersion, endpoint: EndpointState
) -> None:
    links = chain(lineage, version, endpoint)
    assert [link.stage for link in links] == [
        "data contract", "snapshot", "source", "environment", "parameters", "model package", "endpoint"
    ]  # fmt: skip
    assert links[-1].digest == links[-2].digest == version.digest
    assert all(link.agrees for link in links)


def test_it_ends_where_the_release_ended(lineage: Lineage, version: ModelVersion) -> None:
    assert chain(lineage)[-1].stage == "parameters"
    assert chain(lineage, version)[-1].stage == "model package"


def test_other_bytes_on_the_endpoint_break_it(lineage: Lineage, version: ModelVersion, endpoint: EndpointState) -> None:
    (release,) = endpoint.releases
    other = endpoint.model_copy(update={"releases": (release.model_copy(update={"digest": digest_json("other")}),)})
    assert not chain(lineage, version, other)[-1].agrees
    older = endpoint.model_copy(update={"releases": (release.model_copy(update={"version": 2}),)})
    assert chain(lineage, version, older)[-1].name == "loan does not serve loan/3"
    assert not chain(lineage, version, older)[-1].agrees
