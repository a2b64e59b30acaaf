"""How AWS's services tag: nearly each in its own words, which its service model tells."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from trivet.infra.engine.values import Properties
from trivet.rehearsal.plugins.aws import words
from trivet.rehearsal.plugins.aws.clients import Clients
from trivet.rehearsal.plugins.aws.expressions import search


class Tagging(NamedTuple):
    """How a service tags.

    :param get: empty where the object's own description has the tags.
    :param whom: the members that name the object, as expressions over the bag.
    :param at: where the answer of ``get`` has the tags, or what holds them.
    """

    put: str
    drop: str
    get: str
    whom: Mapping[str, str]
    at: str = "@"

    def call(self, clients: Clients, service: str, operation: str, bag: Properties, tags: Mapping[str, str]) -> None:
        """Call ``put`` or ``drop`` for these tags."""
        shape = clients.shape(service, operation)
        member = next(name for name in shape.members if re.search("(?i)tag", name) and name not in self.whom)
        parameters = {one: search(at, bag) for one, at in self.whom.items() if one in shape.members}
        inner = shape.members[member]
        names_only = inner.type_name == "list" and inner.member.type_name != "structure"
        parameters[member] = list(tags) if names_only else words.to_api(tags, inner, {})
        clients.call(service, operation, parameters, bag.get("region", ""))
