"""A network without a way in or out: one subnet, Google's APIs at an address within, and an attachment for jobs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

import pulumi
import pulumi_gcp as gcp

from trivet.infra.settings import Settings
from trivet.infra.stacks.gcp.context import Context, check_id
from trivet.infra.stacks.gcp.grants import custom_role
from trivet.infra.stacks.gcp.keys import Keys

IDS = ("network", "subnet", "attachment")
"""What names a network that is used."""
RANGE = "10.80.0.0/20"
APIS = "10.80.255.254"
"""Where Google's APIs answer: outside of every subnet's range, as Private Service Connect asks."""
POSTGRESQL, TLS = 5432, 443
_DOMAINS = ("googleapis.com", "pkg.dev")
_LONGEST = 20  # characters of the name of a forwarding rule to Google's APIs
_TTL_S = 300
_ATTACHING = (
    "compute.networkAttachments.get",
    "compute.networkAttachments.update",
    "compute.regionOperations.get",
)
"""What Vertex AI does to an attachment when a job comes: lets its own side of the connection in."""
_PEER = "roles/dns.peer"
"""Without it a job does not see the network's private zones: Vertex AI, PscInterfaceConfig.dns_peering_configs."""


@dataclass(frozen=True)
class Network:
    """Where jobs, and the database's address, are."""

    network: pulumi.Input[str]
    subnet: pulumi.Input[str]
    attachment: pulumi.Input[str]


def check(settings: Settings) -> None:
    """:raises ConfigError: for a used network whose parts are none, or are in another region."""
    if settings.network.mode == "use":
        ids, here = settings.network.ids(*IDS), f"projects/P/regions/{settings.region}"
        check_id("network", ids["network"], "projects/P/global/networks/NETWORK")
        check_id("network", ids["subnet"], f"{here}/subnetworks/SUBNET")
        check_id("network", ids["attachment"], f"{here}/networkAttachments/ATTACHMENT")


def create(context: Context, keys: Keys) -> Network | None:
    """Make the network, or use one; none where it is off, which only ``dev`` should be."""
    settings = context.settings.network
    if settings.mode == "off":
        return None
    if settings.mode == "use":
        used = Network(**settings.ids(*IDS))
        # Rights in another's project are that one's to give: docs/gcp.md names them.
        if str(used.attachment).startswith(f"projects/{context.project}/"):
            _leave(context, keys)
        return used
    network = gcp.compute.Network(
        "network",
        name=context.name("network"),
        auto_create_subnetworks=False,
        delete_default_routes_on_create=True,
        routing_mode="REGIONAL",
        opts=context.options,
    )
    inside = context.under(network)
    subnet = gcp.compute.Subnetwork(
        "subnet",
        name=context.name("subnet"),
        network=network.id,
        region=context.region,
        ip_cidr_range=RANGE,
        private_ip_google_access=True,
        log_config=gcp.compute.SubnetworkLogConfigArgs(
            aggregation_interval="INTERVAL_10_MIN", flow_sampling=1, metadata="INCLUDE_ALL_METADATA"
        ),
        opts=inside.options,
    )
    _firewall(inside, network)
    _apis(inside, network)
    gcp.dns.Policy(
        "dns-log",
        name=context.name("dns-log"),
        enable_logging=True,
        networks=[gcp.dns.PolicyNetworkArgs(network_url=network.id)],
        opts=inside.options,
    )
    return Network(network.id, subnet.id, _attachment(inside, keys, subnet))


def _firewall(context: Context, network: gcp.compute.Network) -> None:
    """Nothing comes in, and out goes only what asks Google's APIs or the database."""

    def rule(what: str, direction: str, priority: int, **said: object) -> None:
        gcp.compute.Firewall(
            what,
            name=context.name(what),
            network=network.id,
            direction=direction,
            priority=priority,
            log_config=gcp.compute.FirewallLogConfigArgs(metadata="INCLUDE_ALL_METADATA"),
            opts=context.options,
            **said,  # type: ignore[arg-type]
        )

    everything = [gcp.compute.FirewallDenyArgs(protocol="all")]
    rule("deny-in", "INGRESS", 65534, denies=everything, source_ranges=["0.0.0.0/0"])
    rule("deny-out", "EGRESS", 65534, denies=everything, destination_ranges=["0.0.0.0/0"])

    def to(port: int) -> list[gcp.compute.FirewallAllowArgs]:
        return [gcp.compute.FirewallAllowArgs(protocol="tcp", ports=[str(port)])]

    rule("apis-out", "EGRESS", 1000, allows=to(TLS), destination_ranges=[f"{APIS}/32"])
    if context.settings.database.mode != "off":
        rule("database-out", "EGRESS", 1000, allows=to(POSTGRESQL), destination_ranges=[RANGE])


def _apis(context: Context, network: gcp.compute.Network) -> None:
    """Google's APIs by Private Service Connect, under their own names."""
    address = gcp.compute.GlobalAddress(
        "apis",
        name=context.name("apis"),
        purpose="PRIVATE_SERVICE_CONNECT",
        address_type="INTERNAL",
        address=APIS,
        network=network.id,
        opts=context.options,
    )
    gcp.compute.GlobalForwardingRule(
        "apis",
        name=forwarding_name(context.prefix),
        target="all-apis",
        network=network.id,
        ip_address=address.id,
        load_balancing_scheme="",
        opts=context.options,
    )
    for domain in _DOMAINS:
        what = domain.replace(".", "-")
        zone = gcp.dns.ManagedZone(
            what,
            name=context.name(what),
            dns_name=f"{domain}.",
            description=f"{domain}, answered within the network",
            visibility="private",
            private_visibility_config=within(network.id),
            opts=context.options,
        )
        record(context, f"{what}-itself", zone, f"{domain}.", "A", APIS)
        record(context, f"{what}-names", zone, f"*.{domain}.", "CNAME", f"{domain}.")


def within(network: pulumi.Input[str]) -> gcp.dns.ManagedZonePrivateVisibilityConfigArgs:
    """Who sees a private zone: this network alone."""
    seen = gcp.dns.ManagedZonePrivateVisibilityConfigNetworkArgs(network_url=network)
    return gcp.dns.ManagedZonePrivateVisibilityConfigArgs(networks=[seen])


def record(
    context: Context,
    what: str,
    zone: gcp.dns.ManagedZone,
    name: pulumi.Input[str],
    kind: str,
    value: pulumi.Input[str],
) -> None:
    """One name of a zone."""
    gcp.dns.RecordSet(
        what,
        managed_zone=zone.name,
        name=name,
        type=kind,
        ttl=_TTL_S,
        rrdatas=[value],
        opts=context.under(zone).options,
    )


def _attachment(context: Context, keys: Keys, subnet: gcp.compute.Subnetwork) -> pulumi.Output[str]:
    """By which jobs reach the subnet; Vertex AI itself writes into it whom it lets in."""
    return gcp.compute.NetworkAttachment(
        "attachment",
        name=context.name("attachment"),
        region=context.region,
        connection_preference="ACCEPT_MANUAL",
        subnetworks=[subnet.id],
        opts=pulumi.ResourceOptions.merge(
            context.after(*_leave(context, keys)), pulumi.ResourceOptions(ignore_changes=["producerAcceptLists"])
        ),
    ).id


def _leave(context: Context, keys: Keys) -> list[pulumi.Resource]:
    """What lets Vertex AI bring jobs into the network, and see its names."""
    role = custom_role(context, keys, "attaching", _ATTACHING)
    return [
        gcp.projects.IAMMember(
            what, project=context.project, role=given, member=context.agent("aiplatform"), opts=context.options
        )
        for what, given in (("attaching", role.name), ("peering", _PEER))
    ]


def forwarding_name(prefix: str) -> str:
    """A name of a forwarding rule to Google's APIs: 1 to 20 small letters and digits, and no hyphen.

    Source: Virtual Private Cloud, "Access Google APIs through endpoints", requirements.
    """
    plain = re.sub(r"[^a-z0-9]", "", prefix)
    digest = sha256(prefix.encode()).hexdigest()[:6]
    return f"{plain[: _LONGEST - len(digest)]}{digest}"
