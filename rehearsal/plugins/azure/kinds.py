"""What all types of Azure have in common: ids that are paths, below parents that must be there and take all along."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

from trivet.infra.engine.values import UNKNOWN, Properties, has_unknown
from trivet.rehearsal.plugins.kinds import Account, Stored, last

GROUP = "/subscriptions/{subscription}/resourceGroups/{resourceGroupName}"


@dataclass(frozen=True)
class Arm(Stored):
    """A type of Resource Manager. The last part of its path is its name, which is chosen where the program gives none.

    :param guid: whether the name is a GUID.
    """

    guid: bool = False

    def choose_name(self, name: str, separator: str, end: str) -> str:
        """See :class:`Kind`."""
        if self.guid:
            return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}{end}"))
        return super().choose_name(name, separator, end)

    def bag(self, account: Account, inputs: Properties) -> dict[str, Any]:
        """See :class:`Stored`; a scope has no slash before it, and what gives no location is where its group is."""
        bag = super().bag(account, inputs)
        for name in ("scope", "resourceUri", "scopeId"):
            bag |= {name: str(bag[name]).strip("/")} if name in bag else {}
        if "location" not in bag and "resourceGroupName" in bag:
            group = account.store.find("azure-native:resources:ResourceGroup", GROUP.format_map(bag))
            bag |= {"location": group.outputs["location"]} if group else {}
        return bag

    def common(self, bag: Mapping[str, Any]) -> Properties:
        """See :class:`Stored`."""
        identity = bag["id"]
        made: Properties = {
            "name": last(identity),
            "type": self.kind_of_path(),
            "etag": f'W/"{uuid.uuid4()}"',
            "provisioningState": "Succeeded",
            "systemData": {"createdAt": bag["now"], "createdBy": bag["client"], "createdByType": "Application"},
            "tenantId": bag["tenant"],
            **dict.fromkeys(("createdOn", "createdTime", "createdDate", "creationDate", "creationTime"), bag["now"]),
        }
        if "location" in bag:
            made["location"] = bag["location"]
        return made

    def derived(self, account: Account, inputs: Properties) -> Properties:
        """An identity as Azure gives it back: ids by principal, where the program gave a list."""
        if "identity" not in self.declared.inputs or not isinstance(inputs.get("identity"), Mapping):
            return {}
        given = inputs["identity"]
        if has_unknown(given):
            return {"identity": UNKNOWN}
        numbers = [uuid.uuid5(uuid.NAMESPACE_URL, f"{self.token}{sorted(given.items(), key=str)}{i}") for i in range(2)]
        made = {**given, "tenantId": account.facts["tenant"]}
        if "SystemAssigned" in given.get("type", ""):
            made["principalId"] = str(numbers[0])
        if "userAssignedIdentities" in given:
            whose = {"clientId": str(numbers[0]), "principalId": str(numbers[1])}
            made["userAssignedIdentities"] = dict.fromkeys(given["userAssignedIdentities"], whose)
        return {"identity": made}

    def needed(self) -> tuple[str, ...]:
        """See :class:`Stored`: the resource group and every parent that the program names."""
        return (*self.needs, *_parents(self.identity))

    def delete(self, account: Account, identity: str, inputs: Properties) -> None:
        """See :class:`Kind`; what is below goes with it."""
        super().delete(account, identity, inputs)
        account.store.remove_below(self.package, f"{identity}/")

    def kind_of_path(self) -> str:
        """The type as Resource Manager writes it, such as ``Microsoft.Storage/storageAccounts``."""
        parts = self.identity.rpartition("/providers/")[2].split("/")
        return "/".join([parts[0], *parts[1::2]]) if len(parts) > 1 else "Microsoft.Resources/resourceGroups"


def arm(token: str, path: str, fixed: str = "", *, outputs: dict[str, Any] | None = None, guid: bool = False) -> Arm:
    """Declare a type.

    :param path: what comes after the resource group's ``providers``, or a whole id that begins with a slash.
    :param fixed: see :class:`Kind`; the parts of the path and the location always are.
    """
    identity = path if path.startswith("/") else f"{GROUP}/providers/{path}"
    named = [name for _, name, _, _ in Formatter().parse(identity) if name][-1]
    ends = identity.endswith(f"{{{named}}}")
    return Arm(
        token=f"azure-native:{token}",
        named=named if ends else "",
        fixed=f"location {fixed}",
        identity=identity,
        outputs=outputs or {},
        guid=guid,
    )


@functools.cache
def _parents(identity: str) -> tuple[str, ...]:
    """The templates of the ids above one. A part with a fixed name, such as a default service, comes with its own."""
    if not identity.startswith(f"{GROUP}/"):
        return ()
    head, _, tail = identity.rpartition("/providers/")
    parts = tail.split("/")
    ends = [end for end in range(3, len(parts) - 2 + 1, 2) if parts[end - 1].startswith("{")]
    return (GROUP, *(f"{head}/providers/{'/'.join(parts[:end])}" for end in ends))
