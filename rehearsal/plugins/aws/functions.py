"""The functions of ``aws`` that are served."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from trivet.core.errors import ConfigError
from trivet.core.signing import public_pem
from trivet.infra.engine.values import Properties
from trivet.rehearsal.plugins.kinds import Account, stable_digits
from trivet.rehearsal.plugins.packages import Function

if TYPE_CHECKING:
    from trivet.rehearsal.plugins.aws.account import AwsAccount


def _caller(account: Account, arguments: Properties) -> Properties:
    found = _call(account, "sts", "GetCallerIdentity", {})
    return {"id": found["Account"], "accountId": found["Account"], "arn": found["Arn"], "userId": found["UserId"]}


def _region(account: Account, arguments: Properties) -> Properties:
    name = arguments.get("region") or arguments.get("name") or account.facts["region"]
    return {"id": name, "name": name, "region": name, "endpoint": f"ec2.{name}.amazonaws.com", "description": name}


def _partition(account: Account, arguments: Properties) -> Properties:
    suffix = {"dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws"}
    return {"id": account.facts["partition"], "partition": account.facts["partition"], **suffix}


def _zones(account: Account, arguments: Properties) -> Properties:
    """Zones by state, filters and exclusion. moto has neither Local Zones nor any that one has to opt in to."""
    zones = _call(account, "ec2", "DescribeAvailabilityZones", {})["AvailabilityZones"]
    filters = [{"name": "state", "values": [arguments["state"]]}] if arguments.get("state") else []
    for one in [*filters, *(arguments.get("filters") or [])]:
        if one["name"] not in _OF_ZONES:
            raise ConfigError(f"Zones are not filtered by {one['name']} here.", f"Take one of: {', '.join(_OF_ZONES)}.")
        member, usual = _OF_ZONES[one["name"]]
        zones = [zone for zone in zones if zone.get(member, usual) in one["values"]]
    excluded = {*(arguments.get("excludeNames") or []), *(arguments.get("excludeZoneIds") or [])}
    zones = [zone for zone in zones if excluded.isdisjoint((zone["ZoneName"], zone["ZoneId"]))]
    return {
        **arguments,
        "id": account.facts["region"],
        "region": account.facts["region"],
        "names": [zone["ZoneName"] for zone in zones],
        "zoneIds": [zone["ZoneId"] for zone in zones],
        "groupNames": sorted({zone.get("GroupName") or account.facts["region"] for zone in zones}),
    }


_OF_ZONES = {
    "opt-in-status": ("OptInStatus", "opt-in-not-required"),
    "region-name": ("RegionName", ""),
    "state": ("State", ""),
    "zone-id": ("ZoneId", ""),
    "zone-name": ("ZoneName", ""),
    "zone-type": ("ZoneType", "availability-zone"),
}
"""Filters of DescribeAvailabilityZones: the member, and what it is where moto does not say."""


def _prefix_list(account: Account, arguments: Properties) -> Properties:
    """One list by its name or id; AWS has one for S3 in each region."""
    given = {"prefix-list-name": arguments.get("name"), "prefix-list-id": arguments.get("id")}
    filters = [{"Name": name, "Values": [value]} for name, value in given.items() if value]
    found = _call(account, "ec2", "DescribeManagedPrefixLists", {"Filters": filters})["PrefixLists"]
    if len(found) != 1:
        raise ConfigError(f"There are {len(found)} prefix lists like {arguments}.")
    return {
        "id": found[0]["PrefixListId"],
        "name": found[0]["PrefixListName"],
        "arn": found[0]["PrefixListArn"],
        "addressFamily": found[0]["AddressFamily"],
        "ownerId": found[0]["OwnerId"],
        "version": found[0].get("Version", 1),
        "maxEntries": found[0].get("MaxEntries", 0),
        "entries": [],
        "region": account.facts["region"],
        "tags": {},
    }


def _public_key(account: Account, arguments: Properties) -> Properties:
    """The public half of a key that signs, as base64 of its DER form and as PEM."""
    found = _call(account, "kms", "GetPublicKey", {"KeyId": arguments["keyId"]})
    return {
        **arguments,
        "id": found["KeyId"],
        "arn": found["KeyId"],
        "keyUsage": found["KeyUsage"],
        "customerMasterKeySpec": found.get("CustomerMasterKeySpec", ""),
        "signingAlgorithms": found.get("SigningAlgorithms", []),
        "encryptionAlgorithms": found.get("EncryptionAlgorithms", []),
        "publicKey": b64encode(found["PublicKey"]).decode(),
        "publicKeyPem": public_pem(found["PublicKey"]),
        "region": account.facts["region"],
    }


def _policy(account: Account, arguments: Properties) -> Properties:
    """A policy document from its parts, as the real provider writes it."""
    document: dict[str, Any] = {"Version": arguments.get("version") or "2012-10-17"}
    if arguments.get("policyId"):
        document["Id"] = arguments["policyId"]
    document["Statement"] = [_statement(one) for one in arguments.get("statements") or []]
    text = json.dumps(document, indent=2)
    return {
        **arguments,
        "id": stable_digits(text, 10),
        "json": text,
        "minifiedJson": json.dumps(document, separators=(",", ":")),
    }


def _statement(given: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"Effect": given.get("effect") or "Allow"}
    if given.get("sid"):
        made["Sid"] = given["sid"]
    for name, key in (("Action", "actions"), ("NotAction", "notActions"), ("Resource", "resources")):
        if values := given.get(key):
            made[name] = _one_or_many(values)
    if values := given.get("notResources"):
        made["NotResource"] = _one_or_many(values)
    for name, key in (("Principal", "principals"), ("NotPrincipal", "notPrincipals")):
        principals: dict[str, Any] = {}
        for one in given.get(key) or []:
            principals.setdefault(one["type"], []).extend(one["identifiers"])
        if principals:
            whole = {kind: _one_or_many(names) for kind, names in principals.items()}
            made[name] = "*" if whole == {"*": "*"} else whole
    conditions: dict[str, Any] = {}
    for one in given.get("conditions") or []:
        conditions.setdefault(one["test"], {})[one["variable"]] = _one_or_many(one["values"])
    return made | ({"Condition": conditions} if conditions else {})


def _one_or_many(values: list[str]) -> Any:
    return values[0] if len(values) == 1 else sorted(values, reverse=True)


def _call(account: Account, service: str, operation: str, parameters: Properties) -> Properties:
    return cast("AwsAccount", account).clients.call(service, operation, parameters)


FUNCTIONS: dict[str, Function] = {
    "aws:index/getCallerIdentity:getCallerIdentity": _caller,
    "aws:index/getRegion:getRegion": _region,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getAvailabilityZones:getAvailabilityZones": _zones,
    "aws:iam/getPolicyDocument:getPolicyDocument": _policy,
    "aws:ec2/getManagedPrefixList:getManagedPrefixList": _prefix_list,
    "aws:kms/getPublicKey:getPublicKey": _public_key,
}
