"""One resource as a preview or a state lists it: what costs and holds are told from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

_PENDING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # how Pulumi writes a value that is known only after the update


class Listed(NamedTuple):
    """One resource.

    :param name: the logical one.
    :param identity: the provider's id; empty before it is made.
    """

    type: str
    name: str
    inputs: Mapping[str, Any]
    protect: bool = False
    retain: bool = False
    identity: str = ""
    outputs: Mapping[str, Any] = {}

    @classmethod
    def of(
        cls,
        kind: str,
        urn: str,
        inputs: Mapping[str, Any],
        *,
        protect: bool | None = None,
        retain: bool | None = None,
        identity: str = "",
    ) -> Self:
        """One that an engine tells of by its URN."""
        return cls(kind, urn.rsplit("::", 1)[-1], inputs, bool(protect), bool(retain), identity)

    @classmethod
    def from_state(cls, entry: Mapping[str, Any]) -> Self:
        """One of a deployment, as ``pulumi stack export`` prints it."""
        made = cls.of(
            entry["type"],
            entry["urn"],
            entry.get("inputs") or {},
            protect=entry.get("protect"),
            retain=entry.get("retainOnDelete"),
            identity=entry.get("id", ""),
        )
        return made._replace(outputs=entry.get("outputs") or {})

    @property
    def package(self) -> str:
        """The package whose provider serves its type."""
        return self.type.split(":", 1)[0]

    def value(self, name: str) -> Any:
        """An input; none where it is not set or not known yet."""
        found = self.inputs.get(name)
        return None if found == _PENDING else found

    def has(self, name: str) -> bool:
        """Whether an input is set, be its value known or not."""
        return self.inputs.get(name) is not None

    def flag(self, name: str) -> bool:
        """Whether an input is set and true."""
        return self.value(name) is True
