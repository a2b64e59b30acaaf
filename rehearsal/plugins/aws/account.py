"""What all types of AWS have in common: the account, its clients, and the tags that the provider gives every object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trivet.infra.engine.values import Properties
from trivet.rehearsal.plugins.aws.clients import Clients
from trivet.rehearsal.plugins.kinds import Account, Kind, Stored


@dataclass(frozen=True)
class AwsAccount(Account):
    """An account and its clients."""

    clients: Clients = field(default_factory=lambda: Clients({}, ""))


@dataclass(frozen=True)
class AwsKind(Kind):
    """A type of AWS."""

    def derived(self, account: Account, inputs: Properties) -> Properties:
        """The tags that the object really has, the provider's own included."""
        if "tagsAll" not in self.declared.outputs:
            return {}
        return {"tagsAll": {**account.labels, **(inputs.get("tags") or {})}}


@dataclass(frozen=True)
class StoredAws(AwsKind, Stored):
    """A type of AWS that moto does not serve, or not well enough.

    :param arn: the template of what comes after ``arn:aws:<service>:<region>:<account>:``, or of a whole ARN.
    """

    arn: str = ""

    def common(self, bag: Mapping[str, Any]) -> Properties:
        """See :class:`Stored`."""
        made: Properties = {"region": bag["region"], "ownerId": bag["account"], "createDate": bag["now"]}
        return made | ({"arn": self.arn.format_map(bag)} if self.arn else {})
