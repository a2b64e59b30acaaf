"""Whose subscription it is, and by which names Azure's services are reached."""

from __future__ import annotations

from trivet.rehearsal.fakes.refusing import Refused

SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
TENANT = "00000000-0000-4000-8000-000000000002"
CLIENT = "00000000-0000-4000-8000-000000000003"
LOCATION = "westeurope"
GROUP = "rehearsal"
WORKSPACE = "rehearsal-workspace"
ACCOUNT = "rehearsalstorage"
VAULT = "rehearsal-vault"

ARM = "management.azure.com"
LOGIN = "login.microsoftonline.com"
BLOB = "blob.core.windows.net"
KEYS = "vault.azure.net"
RUNS = "api.azureml.ms"
SCORING = "inference.ml.azure.com"
METRICS = "monitoring.azure.com"
_WHOLE = {ARM: "arm", LOGIN: "login"}
_SUFFIXES = {BLOB: "blob", KEYS: "keyvault", RUNS: "runs", SCORING: "scoring", METRICS: "metrics"}
AUDIENCES = {  # for which resource a token must be, by service; each resource's own documentation
    "arm": (f"https://{ARM}", "https://management.core.windows.net"),
    "blob": ("https://storage.azure.com", "https://*.blob.core.windows.net"),
    "keyvault": ("https://vault.azure.net",),
    "runs": (f"https://{ARM}", "https://management.core.windows.net", "https://ml.azure.com"),
    "scoring": ("https://ml.azure.com",),
    "metrics": ("https://monitoring.azure.com", "https://monitor.azure.com"),
}


def service(host: str) -> str:
    """Which service a name is of; empty for none."""
    if host in _WHOLE:
        return _WHOLE[host]
    return next((one for suffix, one in _SUFFIXES.items() if host.endswith(f".{suffix}")), "")


def group_id(group: str = GROUP) -> str:
    """The ARM id of a resource group."""
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}"


def resource_id(provider: str, name: str, group: str = GROUP) -> str:
    """The ARM id of a resource, ``provider`` being such as ``Microsoft.Storage/storageAccounts``."""
    return f"{group_id(group)}/providers/{provider}/{name}"


def left_out(what: str) -> Refused:
    """What this fake does not do."""
    return Refused("NotImplemented", f"This fake of Azure has no {what}: test that in a real subscription.", 501)
