"""A network without a way in or out: private subnets, and endpoints for the services that jobs and servers call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from trivet.core.errors import ConfigError
from trivet.infra.stacks.aws.context import Context, document
from trivet.infra.stacks.aws.storage import Storage

IDS = ("vpc", "subnets", "security_group")
"""What names a network that is used."""
_RANGE = "10.80.0.0/16"
_PLACES = ("a", "b")  # what the subnets are called: the first and the second zone, whatever their letters are
_SERVICES = (
    "sagemaker.api",
    "sagemaker.runtime",
    "ecr.api",
    "ecr.dkr",
    "logs",
    "monitoring",
    "kms",
    "sts",
    "secretsmanager",
)
"""Interface endpoints of what jobs and servers may call; S3 has a gateway of its own, which costs nothing."""
_NEEDED = ("sagemaker.api", "monitoring", "kms")
"""Those that the code of jobs does call: steps of a workflow start others, write measures and sign. SageMaker itself
pulls images and ships what a container prints, outside this network."""


@dataclass(frozen=True)
class Network:
    """Where jobs, servers and the database are."""

    vpc: pulumi.Input[str]
    subnets: Sequence[pulumi.Input[str]]
    group: pulumi.Input[str]
    """The security group of jobs and servers."""


def create(context: Context) -> Network | None:
    """Make the network, or use one; none where it is off, which only ``dev`` should be."""
    settings = context.settings.network
    if settings.mode == "off":
        return None
    if settings.mode == "use":
        ids = settings.ids(*IDS)
        subnets = ids["subnets"] if isinstance(ids["subnets"], list) else [ids["subnets"]]
        return Network(ids["vpc"], subnets, ids["security_group"])
    vpc = aws.ec2.Vpc(
        "network",
        cidr_block=_RANGE,
        enable_dns_hostnames=True,
        enable_dns_support=True,
        tags={"Name": context.name("network")},
        opts=context.options,
    )
    inside = context.under(vpc)
    aws.ec2.DefaultSecurityGroup("nothing", vpc_id=vpc.id, opts=inside.options)
    table = aws.ec2.RouteTable("routes", vpc_id=vpc.id, opts=inside.options)
    zones = _zones(context)
    subnets = [_subnet(inside, vpc, table, zones[number], number) for number in range(len(_PLACES))]
    group = _group(inside, vpc)
    _endpoints(inside, vpc, table, subnets, group)
    return Network(vpc.id, [subnet.id for subnet in subnets], group.id)


def flow_log(context: Context, network: Network | None, storage: Storage) -> None:
    """Keep who spoke to whom, of a network that the stack made."""
    if network and context.settings.network.mode == "create":
        aws.ec2.FlowLog(
            "flow-log",
            vpc_id=network.vpc,
            traffic_type="ALL",
            log_destination_type="s3",
            log_destination=storage.logs.arn,
            opts=context.after(storage.allows),
        )


def _zones(context: Context) -> pulumi.Output[list[str]]:
    """The zones that this account may use there, of which not every region has an ``a`` and a ``b``; no Local Zones."""
    found = aws.get_availability_zones_output(
        state="available",
        filters=[
            {"name": "opt-in-status", "values": ["opt-in-not-required"]},
            {"name": "zone-type", "values": ["availability-zone"]},
        ],
        opts=context.asking(),
    )

    def enough(names: Sequence[str]) -> list[str]:
        if len(names) < len(_PLACES):
            raise ConfigError(
                f"{context.region} has {len(names)} zones that the account {context.account} may use, and the network "
                f"needs {len(_PLACES)}.",
                "Choose another region, or name a network of yours in trivet:network.",
            )
        return sorted(names)[: len(_PLACES)]

    return found.names.apply(enough)


def _subnet(
    context: Context, vpc: aws.ec2.Vpc, table: aws.ec2.RouteTable, zone: pulumi.Input[str], number: int
) -> aws.ec2.Subnet:
    """It stays in the zone in which it was made: what AWS offers later must not take away what runs there."""
    place = _PLACES[number]
    subnet = aws.ec2.Subnet(
        f"subnet-{place}",
        vpc_id=vpc.id,
        availability_zone=zone,
        cidr_block=f"10.80.{number * 16}.0/20",
        map_public_ip_on_launch=False,
        tags={"Name": context.name(f"subnet-{place}")},
        opts=pulumi.ResourceOptions.merge(context.options, pulumi.ResourceOptions(ignore_changes=["availabilityZone"])),
    )
    aws.ec2.RouteTableAssociation(f"routes-{place}", subnet_id=subnet.id, route_table_id=table.id, opts=context.options)
    return subnet


def _group(context: Context, vpc: aws.ec2.Vpc) -> aws.ec2.SecurityGroup:
    """Who is in it speaks to who is in it, by TLS; S3 is reached through its gateway."""
    group = aws.ec2.SecurityGroup(
        "workloads",
        name=context.name("workloads", 255),
        description="Jobs, servers and what they call",
        vpc_id=vpc.id,
        opts=context.options,
    )
    within = {"security_group_id": group.id, "ip_protocol": "tcp", "from_port": 443, "to_port": 443}
    aws.vpc.SecurityGroupIngressRule(
        "tls-in", **within, referenced_security_group_id=group.id, description="TLS within", opts=context.options
    )
    aws.vpc.SecurityGroupEgressRule(
        "tls-out", **within, referenced_security_group_id=group.id, description="TLS within", opts=context.options
    )
    lists = aws.ec2.get_managed_prefix_list_output(name=f"com.amazonaws.{context.region}.s3", opts=context.asking())
    aws.vpc.SecurityGroupEgressRule(
        "s3-out", **within, prefix_list_id=lists.id, description="S3 by its gateway", opts=context.options
    )
    return group


def _endpoints(
    context: Context,
    vpc: aws.ec2.Vpc,
    table: aws.ec2.RouteTable,
    subnets: Sequence[aws.ec2.Subnet],
    group: aws.ec2.SecurityGroup,
) -> None:
    """Each lets this account's identities through, and nobody else's. One of an interface costs by the hour and zone,
    so that the environment says how many there are; it is reached from every zone of the network."""
    own = document(
        {
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": "*",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:PrincipalAccount": context.account}},
        }
    )
    aws.ec2.VpcEndpoint(
        "s3",
        vpc_id=vpc.id,
        service_name=f"com.amazonaws.{context.region}.s3",
        vpc_endpoint_type="Gateway",
        route_table_ids=[table.id],
        policy=own,
        opts=context.options,
    )
    for service in _services(context):
        aws.ec2.VpcEndpoint(
            service.replace(".", "-"),
            vpc_id=vpc.id,
            service_name=f"com.amazonaws.{context.region}.{service}",
            vpc_endpoint_type="Interface",
            subnet_ids=[subnet.id for subnet in subnets[: context.profile.private_zones]],
            security_group_ids=[group.id],
            private_dns_enabled=True,
            policy=own,
            opts=context.options,
        )


def _services(context: Context) -> Sequence[str]:
    if context.settings.private_services is not None:
        return context.settings.private_services
    return _NEEDED if context.profile.lean else _SERVICES
