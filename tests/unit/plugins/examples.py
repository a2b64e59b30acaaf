"""Inputs for every type that the stand-ins serve, and changes that are made in place.

Types in the strict store get the least that the SDK requires, made from its types; those in moto are spelled out, since
AWS checks more than types.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_origin

from trivet.rehearsal.plugins import sdk

from .aws_running import running
from .aws_storing import storing
from .aws_world import Examples, Inputs


def minimal(kind: Any, name: str = "x") -> Any:
    """A value of a type, with no more than it must have."""
    one = sdk.options(kind)[0]
    if sdk.is_object(one):
        fields = sdk.fields(one)
        return {field: minimal(fields[field], field) for field in sorted(sdk.required(one))}
    if sdk.is_enum(one):
        return next(iter(one)).value
    origin = get_origin(one) or one
    if origin is bool:
        return True
    if origin in (int, float):
        return 1
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {}
    return f"a-{name.lower()}" if origin in (str, Any) else [minimal(sdk.element(one), name)]


def required(token: str) -> Inputs:
    """The required inputs of a type, and what else its id is made of."""
    declared = sdk.declared(token)
    needed = {name: minimal(declared.inputs[name], name) for name in sorted(declared.required)}
    return {**needed, **BESIDES.get(token, {})}


# Inputs that are optional in the SDK, and without which there would be no id.
BESIDES: dict[str, Inputs] = {
    "gcp:sql/user:User": {"name": "scorer"},
    # Names that Google would take: it wants no hyphen there.
    "gcp:projects/iAMCustomRole:IAMCustomRole": {"roleId": "a_role"},
    "gcp:bigquery/dataset:Dataset": {"datasetId": "a_dataset"},
    "gcp:cloudquota/sQuotaPreference:SQuotaPreference": {"parent": "projects/lending"},
    "azure-native:network:VirtualNetwork": {"resourceGroupName": "lending"},
    "azure-native:network:NetworkSecurityGroup": {"resourceGroupName": "lending"},
    "azure-native:network:Subnet": {"resourceGroupName": "lending", "virtualNetworkName": "private"},
    "azure-native:monitor:ActionGroup": {"resourceGroupName": "lending"},
    "azure-native:security:Pricing": {"scopeId": "subscriptions/0"},
}


def moto(there: dict[str, str]) -> Examples:
    """Of each type in moto."""
    return {**storing(there), **running(there)}
