"""The network: no way in, none out but to Google's APIs, and everything that happens in it logged."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network

from trivet.governance.rules.base import Graph, Resource, Setting, among_rule, rule

NETWORK = "gcp:compute/network:Network"
SUBNET = "gcp:compute/subnetwork:Subnetwork"
FIREWALL = "gcp:compute/firewall:Firewall"
POLICY = "gcp:dns/policy:Policy"
_GATES = ("gcp:compute/routerNat:RouterNat", "gcp:compute/route:Route", "gcp:compute/vPNTunnel:VPNTunnel")
MACHINES = ("gcp:compute/instance:Instance", "gcp:compute/instanceTemplate:InstanceTemplate")
_WITHIN = [
    ip_network(one)
    for one in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"),
        "199.36.153.4/30",  # restricted.googleapis.com
        "199.36.153.8/30",  # private.googleapis.com
    )
]
"""Ranges that are not the internet's: RFC 1918, RFC 6598, RFC 4193; Virtual Private Cloud, Private Google Access."""


@rule("gvpc-own", "A network is none of Google's making", "CIS GCP 5.0 3.1", "high", NETWORK)
def own(resource: Resource, _: Setting) -> Iterator[str]:
    if resource.inputs.get("autoCreateSubnetworks") is not False:
        yield "it has subnets in every region"
    if resource.inputs.get("deleteDefaultRoutesOnCreate") is not True:
        yield "it has a route to the internet"


@rule("gvpc-subnet", "Subnets reach Google within, and keep flow logs", "CIS GCP 5.0 3.9, 3.10", "high", SUBNET)
def subnet(resource: Resource, _: Setting) -> Iterator[str]:
    if resource.inputs.get("privateIpGoogleAccess") is not True:
        yield "it reaches Google's APIs by the internet"
    if not resource.inputs.get("logConfig"):
        yield "no log keeps its traffic"


@rule("gvpc-firewall", "No rule lets the world in or out", "CIS GCP 5.0 3.6, 3.7", "critical", FIREWALL)
def firewall(resource: Resource, _: Setting) -> Iterator[str]:
    ranges = [*(resource.inputs.get("sourceRanges") or []), *(resource.inputs.get("destinationRanges") or [])]
    if resource.inputs.get("allows") and (not ranges or any(map(_is_wide, ranges))):
        yield f"it lets {', '.join(ranges) or 'everybody'} through"


@rule("gvpc-firewall-log", "What a firewall does is logged", "CIS GCP 5.0 3.10", "low", FIREWALL)
def logged(resource: Resource, _: Setting) -> Iterator[str]:
    if not resource.inputs.get("logConfig"):
        yield "nobody sees what it does"


@among_rule(
    "gvpc-denies", "What no rule lets through is refused, both ways", "Google, VPC firewall rules", "high", NETWORK
)
def denies(network: Resource, graph: Graph) -> Iterator[str]:
    rules = [one for one in graph.around(network, FIREWALL, "network") if one.inputs.get("denies")]
    present = {one.inputs.get("direction") for one in rules}
    if missing := sorted({"INGRESS", "EGRESS"} - present):
        yield f"nothing refuses {' and '.join(missing)}"


@among_rule("gvpc-dns", "Names that are looked up are logged", "CIS GCP 5.0 2.13", "low", NETWORK)
def dns(network: Resource, graph: Graph) -> Iterator[str]:
    policies = [one for one in graph.around(network, POLICY, "networks") if one.inputs.get("enableLogging") is True]
    if not policies:
        yield "nobody sees what is looked up"


@rule("gvpc-gates", "There is no way to the internet", "Google, Private Google Access", "critical", *_GATES)
def gates(_resource: Resource, _: Setting) -> Iterator[str]:
    yield "it leads out of the network"


@rule("gvpc-machines", "No machine has an address of the internet's", "CIS GCP 5.0 4.9", "high", *MACHINES)
def machines(resource: Resource, _: Setting) -> Iterator[str]:
    interfaces = resource.inputs.get("networkInterfaces") or []
    if any("accessConfigs" in one or "ipv6AccessConfigs" in one for one in interfaces):
        yield "it has a public address"


def _is_wide(range_: str) -> bool:
    """Whether some of it is the internet's; ``ip_network.is_private`` calls 0.0.0.0/0 private on some Pythons."""
    asked = ip_network(range_, strict=False)
    return not any(_holds(one, asked) for one in _WITHIN)


def _holds(outer: IPv4Network | IPv6Network, inner: IPv4Network | IPv6Network) -> bool:
    return (
        outer.version == inner.version
        and outer[0] <= inner[0]  # pyright: ignore[reportOperatorIssue]  of one version
        and inner[-1] <= outer[-1]  # pyright: ignore[reportOperatorIssue]
    )
