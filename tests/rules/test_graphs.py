"""The whole graph of each profile, to be read: a change of the stack shows here as what it changes."""

from __future__ import annotations

import pytest

from .conftest import hold
from .graphs import CLOUDS, graph

SHOWN = tuple(
    f"{cloud}-{profile}" for cloud in CLOUDS for profile in ("dev", "staging", "prod", "prod-regulated", "off", "use")
)


@pytest.mark.parametrize("profile", SHOWN)
def test_the_graph_is_as_it_was(profile):
    hold(f"{profile}.yaml", graph(profile).text())


@pytest.mark.parametrize(
    "profile", [f"{cloud}-{profile}" for cloud in CLOUDS for profile in ("prod-regulated", "use", "off")]
)
def test_another_build_gives_the_same(profile):
    first = graph(profile).text()
    assert graph.__wrapped__(profile).text() == first


def test_what_is_used_is_neither_made_nor_changed():
    """Only resources of our own: those that are used are named in inputs, and none is read or imported."""
    made = {key.partition("::")[0] for key in graph("aws-use").resources}
    used = "Vpc Subnet RouteTable DefaultSecurityGroup SecurityGroup VpcEndpoint FlowLog Instance ParameterGroup"
    used += " Repository LifecyclePolicy OpenIdConnectProvider Trail CatalogDatabase"
    assert not {type_ for type_ in made if type_.rpartition(":")[2] in used.split()}
    assert graph("aws-use").keys("Key") == ["aws:kms/key:Key::signing-key"]
    assert "subnet/subnet-1" in graph("aws-use").text() and "key/1" in graph("aws-use").text()
