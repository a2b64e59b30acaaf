"""Networks: no way in or out, and a log of who spoke to whom."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from trivet.governance.rules.base import Graph, Resource, Setting, among_rule, rule
from trivet.governance.rules.documents import statements

VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
DEFAULT_GROUP = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
OLD_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
FLOW_LOG = "aws:ec2/flowLog:FlowLog"
GATEWAYS = (
    "aws:ec2/internetGateway:InternetGateway",
    "aws:ec2/natGateway:NatGateway",
    "aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway",
)
_WIDEST_BITS = 8  # no network of one's own is wider; half of the world is two rules away from all of it


@rule("vpc-groups", "No security group is open to the world", "Security Hub EC2.13, EC2.14; CIS AWS 7.0 6.3, 6.4",
      "critical", GROUP, OLD_RULE, INGRESS, EGRESS)  # fmt: skip
def groups(resource: Resource, _: Setting) -> Iterator[str]:
    """Outwards, too: what cannot speak to the world can carry nothing there."""
    inputs = resource.inputs
    parts = [inputs, *(inputs.get("ingress") or []), *(inputs.get("egress") or [])]
    for part in parts:
        ranges = [part.get("cidrIpv4"), part.get("cidrIpv6")]
        ranges += [*(part.get("cidrBlocks") or []), *(part.get("ipv6CidrBlocks") or [])]
        if any(_is_world(one) for one in ranges if one):
            yield "it is open to the world"


@rule("vpc-subnets", "No machine of a subnet gets a public address", "Security Hub EC2.15", "high", SUBNET)
def subnets(resource: Resource, _: Setting) -> Iterator[str]:
    if resource.inputs.get("mapPublicIpOnLaunch"):
        yield "its machines get public addresses"


@rule("vpc-gateways", "Networks have no gateway to the internet", "CIS AWS 7.0 6.8", "high", *GATEWAYS)
def gateways(resource: Resource, _: Setting) -> Iterator[str]:
    yield f"{resource.type.rpartition(':')[2]} leads to the internet; use endpoints of the network"


@rule(
    "vpc-endpoints", "Endpoints let only the account's own identities through", "AWS data perimeter", "medium", ENDPOINT
)
def endpoints(resource: Resource, _: Setting) -> Iterator[str]:
    if not resource.inputs.get("policy"):
        yield "it has no policy, so that everybody's identities pass"
    for one in statements(resource.inputs.get("policy")):
        if one.allows and (one.is_for_anybody or one.is_inverted):
            yield "everybody's identities pass"


@rule("vpc-default", "The default security group has no rules", "Security Hub EC2.2; CIS AWS 7.0 6.5", "high",
      DEFAULT_GROUP)  # fmt: skip
def default(resource: Resource, _: Setting) -> Iterator[str]:
    if resource.inputs.get("ingress") or resource.inputs.get("egress"):
        yield "it has rules"


@among_rule("vpc-logged", "Networks keep who spoke to whom", "Security Hub EC2.6; CIS AWS 7.0 4.7", "medium", VPC)
def logged(vpc: Resource, graph: Graph) -> Iterator[str]:
    logs = graph.around(vpc, FLOW_LOG, "vpcId")
    if not any(one.inputs.get("trafficType") == "ALL" for one in logs):
        yield "no log keeps all of its traffic"


@among_rule("vpc-emptied", "The default security group is taken over", "Security Hub EC2.2; CIS AWS 7.0 6.5", "high",
            VPC)  # fmt: skip
def emptied(vpc: Resource, graph: Graph) -> Iterator[str]:
    """AWS makes it with rules that let all of the network in."""
    if not graph.around(vpc, DEFAULT_GROUP, "vpcId"):
        yield "its default security group is as AWS made it"


def _is_world(text: str) -> bool:
    try:
        return ip_network(text, strict=False).prefixlen < _WIDEST_BITS
    except ValueError:  # AWS will say so
        return False
