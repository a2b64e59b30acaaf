"""Networks of AWS, private ones: no gateway to the internet is among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trivet.infra.engine.values import Properties
from trivet.rehearsal.plugins.aws.account import AwsAccount
from trivet.rehearsal.plugins.aws.moto import Moto
from trivet.rehearsal.plugins.aws.tagging import Tagging

_TAGS = {"Resources": "[id]"}
_TAGGING = Tagging("CreateTags", "DeleteTags", "", _TAGS)


@dataclass(frozen=True)
class Attributes(Moto):
    """A type some of whose inputs are attributes, each changed by a call of its own.

    :param modify: the operation.
    :param attributes: the inputs that are attributes; ``show`` reads them where the description does not.
    """

    modify: str = ""
    show: str = ""
    attributes: tuple[str, ...] = ()

    def settle(self, account: AwsAccount, identity: str, inputs: Properties, changed: Any) -> None:
        """See :class:`Moto`."""
        super().settle(account, identity, inputs, changed)
        bag = {**self.bag(account, inputs), "id": identity}
        for name in self.attributes:
            if name in changed and inputs.get(name) is not None:
                member = f"{name[0].upper()}{name[1:]}"
                value = f"{{Value: `{str(inputs[name]).lower()}`}}"
                self.call(account, self.modify, bag, {**self.keys, member: value}, inputs=False)

    def modelled(self, account: AwsAccount) -> set[str]:
        """See :class:`Moto`."""
        return super().modelled(account) | set(self.attributes)

    def live(self, account: AwsAccount, identity: str, inputs: Properties) -> Properties | None:
        """See :class:`Moto`."""
        found = super().live(account, identity, inputs)
        for name in self.attributes if found and self.show else ():
            member = f"{name[0].upper()}{name[1:]}"
            members = {**self.keys, "Attribute": f"'{name}'"}
            answer = self.call(account, self.show, {**self.bag(account, inputs), "id": identity}, members, inputs=False)
            found = {**(found or {}), member: answer[member]["Value"]}
        return found


@dataclass(frozen=True)
class Group(Moto):
    """A security group. Its rules are set by types of their own, or all of them here."""

    def settle(self, account: AwsAccount, identity: str, inputs: Properties, changed: Any) -> None:
        """See :class:`Moto`; AWS lets everything out of a new group, the provider lets nothing out."""
        super().settle(account, identity, inputs, changed)
        region = inputs.get("region", "")
        for side, grant, drop, member in (
            ("ingress", "AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress", "IpPermissions"),
            ("egress", "AuthorizeSecurityGroupEgress", "RevokeSecurityGroupEgress", "IpPermissionsEgress"),
        ):
            if side in changed:
                found = self.live(account, identity, inputs) or {}
                for operation, rules in ((drop, found.get(member)), (grant, _permissions(inputs.get(side) or []))):
                    if rules:
                        members = {"GroupId": identity, "IpPermissions": rules}
                        account.clients.call("ec2", operation, members, region)

    def begin(self, account: AwsAccount, inputs: Properties, *, resumed: bool) -> str:
        """See :class:`Moto`."""
        return super().begin(account, {"egress": [], **inputs}, resumed=resumed)

    def modelled(self, account: AwsAccount) -> set[str]:
        """See :class:`Moto`."""
        return super().modelled(account) | {"ingress", "egress"}

    def translated(self, found: Properties, live: Properties) -> Properties:
        """See :class:`Moto`."""
        sides = {"ingress": "IpPermissions", "egress": "IpPermissionsEgress"}
        return {**found, **{side: _rules(live.get(member) or []) for side, member in sides.items()}}


_RANGES = {"cidrBlocks": ("IpRanges", "CidrIp"), "ipv6CidrBlocks": ("Ipv6Ranges", "CidrIpv6")}


def _permissions(rules: list[Properties]) -> list[Properties]:
    made = []
    for rule in rules:
        one: Properties = {"IpProtocol": str(rule["protocol"])}
        if rule["protocol"] != "-1":
            one |= {"FromPort": int(rule["fromPort"]), "ToPort": int(rule["toPort"])}
        note = {"Description": rule["description"]} if rule.get("description") else {}
        for name, (ranges, key) in _RANGES.items():
            if rule.get(name):
                one[ranges] = [{key: block, **note} for block in rule[name]]
        if rule.get("securityGroups"):
            one["UserIdGroupPairs"] = [{"GroupId": group, **note} for group in rule["securityGroups"]]
        made.append(one)
    return made


def _rules(permissions: list[Properties]) -> list[Properties]:
    made = []
    for one in permissions:
        rule: Properties = {
            "protocol": one["IpProtocol"],
            "fromPort": one.get("FromPort", 0),
            "toPort": one.get("ToPort", 0),
        }
        for name, (ranges, key) in _RANGES.items():
            if one.get(ranges):
                rule[name] = [item[key] for item in one[ranges]]
        if one.get("UserIdGroupPairs"):
            rule["securityGroups"] = [pair["GroupId"] for pair in one["UserIdGroupPairs"]]
        made.append(rule)
    return made


@dataclass(frozen=True)
class Rule(Moto):
    """One rule of a security group."""

    def begin(self, account: AwsAccount, inputs: Properties, *, resumed: bool) -> str:
        """See :class:`Moto`; a new rule is a permission with one range in it."""
        permission = _ports(inputs)
        note = {"Description": inputs["description"]} if inputs.get("description") else {}
        for name, member, key in _SOURCES:
            if inputs.get(name):
                permission[member] = [{key: inputs[name], **note}]
        members = {"GroupId": inputs["securityGroupId"], "IpPermissions": [permission]}
        made = account.clients.call("ec2", self.make, members, inputs.get("region", ""))
        identity = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        super().settle(account, identity, inputs, {"tags"})
        return identity

    def settle(self, account: AwsAccount, identity: str, inputs: Properties, changed: Any) -> None:
        """See :class:`Moto`."""
        if set(changed) - {"tags", "region"}:
            given = {name: inputs[name] for name, _, _ in _SOURCES if inputs.get(name)}
            request = {_REQUEST[name]: value for name, value in given.items()} | _ports(inputs)
            request |= {"Description": inputs["description"]} if inputs.get("description") else {}
            rules = [{"SecurityGroupRuleId": identity, "SecurityGroupRule": request}]
            members = {"GroupId": inputs["securityGroupId"], "SecurityGroupRules": rules}
            account.clients.call("ec2", "ModifySecurityGroupRules", members, inputs.get("region", ""))
        super().settle(account, identity, inputs, changed)

    def modelled(self, account: AwsAccount) -> set[str]:
        """See :class:`Moto`."""
        return set(self.declared.inputs) - {"region"}

    def translated(self, found: Properties, live: Properties) -> Properties:
        """See :class:`Moto`; AWS writes -1 for every port."""
        ports = {name: value for name, value in found.items() if not (name in ("fromPort", "toPort") and value == -1)}
        group = (live.get("ReferencedGroupInfo") or {}).get("GroupId")
        return ports | ({"referencedSecurityGroupId": group} if group else {})


_SOURCES = (
    ("cidrIpv4", "IpRanges", "CidrIp"),
    ("cidrIpv6", "Ipv6Ranges", "CidrIpv6"),
    ("prefixListId", "PrefixListIds", "PrefixListId"),
    ("referencedSecurityGroupId", "UserIdGroupPairs", "GroupId"),
)
_REQUEST = {
    "cidrIpv4": "CidrIpv4",
    "cidrIpv6": "CidrIpv6",
    "prefixListId": "PrefixListId",
    "referencedSecurityGroupId": "ReferencedGroupId",
}


def _ports(inputs: Properties) -> Properties:
    ports = {"fromPort": "FromPort", "toPort": "ToPort"}
    return {"IpProtocol": inputs["ipProtocol"]} | {ports[name]: int(inputs[name]) for name in ports if name in inputs}


def _rule(side: str) -> Rule:
    return Rule(
        token=f"aws:vpc/securityGroup{side}Rule:SecurityGroup{side}Rule",
        fixed="securityGroupId",
        changeable="cidrIpv6 fromPort ipProtocol toPort",
        service="ec2",
        make=f"AuthorizeSecurityGroup{side}",
        get="DescribeSecurityGroupRules",
        at="SecurityGroupRules[0]",
        remove=f"RevokeSecurityGroup{side}",
        identity="made.id",
        keys={"SecurityGroupRuleIds": "[id]", "GroupId": "securityGroupId"},
        names={"securityGroupId": "GroupId"},
        outputs={"securityGroupRuleId": "{id}", "arn": "arn:aws:ec2:{region}:{account}:security-group-rule/{id}"},
        tagging=_TAGGING,
    )


KINDS = [
    Attributes(
        token="aws:ec2/vpc:Vpc",
        service="ec2",
        make="CreateVpc",
        get="DescribeVpcs",
        at="Vpcs[0]",
        modify="ModifyVpcAttribute",
        show="DescribeVpcAttribute",
        attributes=("enableDnsSupport", "enableDnsHostnames"),
        remove="DeleteVpc",
        identity="made.Vpc.VpcId",
        keys={"VpcId": "id", "VpcIds": "[id]"},
        outputs={"arn": "arn:aws:ec2:{region}:{account}:vpc/{id}"},
        tagging=_TAGGING,
    ),
    Attributes(
        token="aws:ec2/subnet:Subnet",
        service="ec2",
        fixed="vpcId cidrBlock availabilityZone availabilityZoneId ipv6Native outpostArn",
        make="CreateSubnet",
        get="DescribeSubnets",
        at="Subnets[0]",
        modify="ModifySubnetAttribute",
        attributes=("mapPublicIpOnLaunch", "assignIpv6AddressOnCreation"),
        remove="DeleteSubnet",
        identity="made.Subnet.SubnetId",
        keys={"SubnetId": "id", "SubnetIds": "[id]"},
        names={"arn": "SubnetArn"},
        tagging=_TAGGING,
    ),
    Group(
        token="aws:ec2/securityGroup:SecurityGroup",
        named="name",
        fixed="description namePrefix vpcId",
        service="ec2",
        make="CreateSecurityGroup",
        get="DescribeSecurityGroups",
        at="SecurityGroups[0]",
        remove="DeleteSecurityGroup",
        identity="made.GroupId",
        keys={"GroupId": "id", "GroupIds": "[id]"},
        names={"name": "GroupName"},
        defaults={"description": "Managed by Pulumi"},
        outputs={"arn": "arn:aws:ec2:{region}:{account}:security-group/{id}"},
        tagging=_TAGGING,
    ),
    _rule("Ingress"),
    _rule("Egress"),
    Moto(
        token="aws:ec2/routeTable:RouteTable",
        service="ec2",
        fixed="vpcId",
        make="CreateRouteTable",
        get="DescribeRouteTables",
        at="RouteTables[0]",
        remove="DeleteRouteTable",
        identity="made.RouteTable.RouteTableId",
        keys={"RouteTableId": "id", "RouteTableIds": "[id]"},
        outputs={"arn": "arn:aws:ec2:{region}:{account}:route-table/{id}", "ownerId": "{account}"},
        tagging=_TAGGING,
    ),
    Moto(
        token="aws:ec2/routeTableAssociation:RouteTableAssociation",
        service="ec2",
        fixed="subnetId gatewayId",
        make="AssociateRouteTable",
        get="DescribeRouteTables",
        at="RouteTables[].Associations[] | [?RouteTableAssociationId=='%(id)s'] | [0]",
        remove="DisassociateRouteTable",
        identity="made.AssociationId",
        keys={"AssociationId": "id", "Filters": "[{Name: 'association.route-table-association-id', Values: [id]}]"},
        changeable="routeTableId",
    ),
    Moto(
        token="aws:ec2/vpcEndpoint:VpcEndpoint",
        service="ec2",
        defaults={"vpcEndpointType": "Gateway"},
        changeable="privateDnsEnabled",  # of an interface endpoint, which has it
        make="CreateVpcEndpoint",
        get="DescribeVpcEndpoints",
        at="VpcEndpoints[?State != 'deleted'] | [0]",
        change=("ModifyVpcEndpoint",),
        remove="DeleteVpcEndpoints",
        identity="made.VpcEndpoint.VpcEndpointId",
        keys={"VpcEndpointId": "id", "VpcEndpointIds": "[id]"},
        names={"policy": "PolicyDocument"},
        reads={"securityGroupIds": "Groups[].GroupId"},
        outputs={"arn": "arn:aws:ec2:{region}:{account}:vpc-endpoint/{id}"},
        tagging=_TAGGING,
    ),
    Moto(
        token="aws:ec2/flowLog:FlowLog",
        service="ec2",
        fixed="deliverCrossAccountRole eniId iamRoleArn logDestination logDestinationType logFormat "
        "maxAggregationInterval subnetId trafficType transitGatewayId transitGatewayAttachmentId vpcId",
        make="CreateFlowLogs",
        get="DescribeFlowLogs",
        at="FlowLogs[0]",
        remove="DeleteFlowLogs",
        identity="made.FlowLogIds[0]",
        keys={"FlowLogIds": "[id]"},
        fixed_members={
            "ResourceIds": "[vpcId || subnetId || eniId]",
            "ResourceType": "vpcId && 'VPC' || subnetId && 'Subnet' || 'NetworkInterface'",
        },
        names={"vpcId": "ResourceId", "iamRoleArn": "DeliverLogsPermissionArn"},
        outputs={"arn": "arn:aws:ec2:{region}:{account}:vpc-flow-log/{id}"},
        tagging=_TAGGING,
    ),
]
