"""The resources of one stack: their JSON form, their order, their integrity, and the changes made to them."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import chain
from typing import Any

from trivet.core import faults
from trivet.core.errors import ConfigError, IntegrityError, Unsupported
from trivet.infra.engine.crypt import Vault
from trivet.infra.engine.values import Properties

STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_TYPE = "pulumi:providers:"
DEFAULT = "default"  # how the names of the engine's own provider entries begin
_SEALED = ("inputs", "outputs", "replacementTrigger")
_HARMLESS = {"sourcePosition", "stackTrace", "refreshBeforeUpdate", "hideDiff"}


def make_urn(stack: str, project: str, parent: str, type_: str, name: str) -> str:
    """The URN of a resource; the types of its parents, but for the stack's own, come before its own."""
    chain = parent.split("::")[2] if parent else STACK_TYPE
    qualified = type_ if chain == STACK_TYPE else f"{chain}${type_}"
    return f"urn:pulumi:{stack}::{project}::{qualified}::{name}"


def urn_type(urn: str) -> str:
    """The type in a URN, without its parents'; empty for what is no URN."""
    parts = urn.split("::", 3)
    return parts[2].rsplit("$", 1)[-1] if len(parts) == 4 else ""


@dataclass(frozen=True)
class Resource:
    """One resource, field by field as Pulumi's deployment v3 has it."""

    urn: str
    custom: bool
    type: str
    delete: bool = False
    id: str = ""
    inputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)
    parent: str = ""
    protect: bool = False
    dependencies: tuple[str, ...] = ()
    provider: str = ""
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    pending_replacement: bool = False
    additional_secret_outputs: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    retain_on_delete: bool = False
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    deleted_with: str = ""
    external: bool = False
    import_id: str = ""
    init_errors: tuple[str, ...] = ()
    replace_with: tuple[str, ...] = ()
    replacement_trigger: Any = None
    resource_hooks: dict[str, list[str]] = field(default_factory=dict)
    created: str = ""
    modified: str = ""

    @property
    def name(self) -> str:
        """The last part of the URN."""
        return self.urn.rsplit("::", 1)[-1]

    @property
    def object(self) -> tuple[str, str]:
        """Which object outside it stands for: two may share a URN while one of them waits to be deleted."""
        return self.urn, self.id

    @property
    def package(self) -> str:
        """The package whose provider serves this type."""
        return self.type.split(":", 1)[0]

    @property
    def is_provider(self) -> bool:
        """Whether this is a provider's own entry, which no provider serves."""
        return self.type.startswith(PROVIDER_TYPE)

    @property
    def is_default_provider(self) -> bool:
        """Whether the engine made this provider's entry by itself."""
        return self.is_provider and self.name.split("_", 1)[0] == DEFAULT

    @property
    def package_served(self) -> str:
        """The package that a provider's entry is for."""
        return self.type.removeprefix(PROVIDER_TYPE)

    @property
    def reference(self) -> str:
        """How resources name a provider's entry."""
        return f"{self.urn}::{self.id}"

    @property
    def needs(self) -> Iterator[str]:
        """The URNs that must exist before this one."""
        if self.provider:
            yield self.provider.rsplit("::", 1)[0]
        if self.parent:
            yield self.parent
        if self.deleted_with:
            yield self.deleted_with
        yield from self.replace_with
        yield from self.dependencies

    def to_json(self, vault: Vault, *, show_secrets: bool = False) -> dict[str, Any]:
        """The entry in a deployment; fields without a value are left out, as Pulumi does."""
        values = ((entry.name, getattr(self, entry.name)) for entry in fields(self))
        result: dict[str, Any] = {
            _json_name(name): list(value) if isinstance(value, tuple) else value
            for name, value in values
            if value or name == "custom" or (name == "replacement_trigger" and value is not None)
        }
        for name in _SEALED:
            if name in result:
                result[name] = vault.seal(result[name], f"{self.urn}:{name}", show=show_secrets)
        return result

    @classmethod
    def from_json(cls, data: dict[str, Any], vault: Vault) -> Resource:
        """:raises Unsupported: for an entry that uses what this engine does not implement."""
        known = {_json_name(entry.name): entry.name for entry in fields(cls)}
        unknown = [name for name, value in data.items() if value and not (name in known or name in _HARMLESS)]
        if unknown:
            raise Unsupported(
                f"The state of {data.get('urn')} has '{unknown[0]}', which the embedded engine does not implement.",
                "Use this stack with the pulumi CLI.",
            )
        values: dict[str, Any] = {
            known[name]: tuple(value) if isinstance(value, list) else value
            for name, value in data.items()
            if name in known
        }
        for name in _SEALED:
            if name in data:
                values[known[name]] = vault.open(data[name], f"{data['urn']}:{name}")
        return cls(**values)


def _json_name(name: str) -> str:
    if name == "import_id":
        return "importID"
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


@dataclass(frozen=True)
class Operation:
    """What a provider was asked to do and had not answered: Pulumi's pending operation."""

    kind: str
    resource: Resource


def refuse_to_replace(old: Resource) -> None:
    """:raises ConfigError: where it is protected."""
    if old.protect:
        raise ConfigError(
            f"{old.name} would have to be replaced, but is protected.",
            "Run `up` with protect=False first, or undo the change.",
        )


Journal = Callable[[dict[str, Any]], Callable[[], None]]
"""Takes an entry; what it gives back waits until the entry is on the disk."""

Changes = dict[int | None, Resource | None]


class State:
    """The resources and pending operations of one stack. Every change is journaled before it counts, and on the disk
    before the method that makes it returns.

    A resource is known by a key, its place in the loaded state or the next free number: two resources may share a URN
    while one of them waits to be deleted.
    """

    def __init__(
        self,
        resources: Iterable[Resource],
        pending: Iterable[Operation],
        vault: Vault,
    ) -> None:
        self.resources: dict[int, Resource] = {}
        self._keys: dict[str, dict[int, None]] = {}  # of every URN, in the order in which they came
        self.pending = {operation.resource.object: operation for operation in pending}
        self.vault = vault
        self.journal: Journal | None = None
        self._next = 0
        self._lock = threading.Lock()
        self._apply(dict(enumerate(resources)), ())

    def find(self, urns: Iterable[str], but: Container[int] = ()) -> tuple[int, Resource] | None:
        """The live resource with the first of these URNs that there is one for, leaving out the keys ``but``."""
        with self._lock:
            keys = (key for urn in urns for key in self._keys.get(urn, ()) if key not in but)
            key = next((key for key in keys if not self.resources[key].delete), None)
            return None if key is None else (key, self.resources[key])

    def reborn(self, new: Resource, also: Changes) -> Changes:
        """What drops the entries that wait to be deleted but are the very object that is there now."""
        with self._lock:
            there = {key: self.resources[key] for key in self._keys.get(new.urn, ())}
        waiting = {**there, **also}.items()
        return {key: None for key, old in waiting if old and old.delete and (old.urn, old.id) == (new.urn, new.id)}

    def urns(self) -> set[str]:
        """Of all resources."""
        with self._lock:
            return {resource.urn for resource in self.resources.values()}

    def entry(self, urn: str, identity: str) -> Resource | None:
        """The resource with this id and this URN, now or formerly; live, or waiting to be deleted."""
        with self._lock:
            of_that_urn = (self.resources[key] for key in self._keys.get(urn, ()))
            named = (one for one in chain(of_that_urn, self.resources.values()) if one.id == identity)
            return next((one for one in named if urn == one.urn or urn in one.aliases), None)

    def begin(self, kind: str, resource: Resource) -> None:
        """Record that a provider is about to be asked."""
        with self._lock:
            durable = self.journal and self.journal({"begin": kind, "resource": resource.to_json(self.vault)})
            self.pending[resource.object] = Operation(kind, resource)
        if durable:
            durable()  # others may go on meanwhile, and share it
        faults.point(f"engine.{kind}.begun")

    def put(self, changes: Changes, *ends: Resource) -> None:
        """Set, add (key ``None``) or drop (value ``None``) resources in one step, ending the operations on ``ends``.

        What changes nothing is not journaled.
        """
        with self._lock:
            keyed = {self._next if key is None else key: value for key, value in changes.items()}
            keyed = {key: value for key, value in keyed.items() if value is None or value != self.resources.get(key)}
            # In a preview what is wanted and what is made are one object: neither has an id.
            ended = [asked for asked in dict.fromkeys(one.object for one in ends) if asked in self.pending]
            if not (keyed or ended):
                return
            durable = None
            if self.journal:
                sealed = {key: value and value.to_json(self.vault) for key, value in keyed.items()}
                durable = self.journal({"put": sealed, "ends": ended})
            self._apply(keyed, ended)
        if durable:
            durable()
        faults.point("engine.put")

    def _apply(self, changes: Mapping[int, Resource | None], ended: Iterable[tuple[str, str]]) -> None:
        for key, value in changes.items():
            self._next = max(self._next, key + 1)
            if old := self.resources.get(key):
                del self._keys[old.urn][key]
            if value is None:
                self.resources.pop(key, None)
            else:
                self.resources[key] = value
                self._keys.setdefault(value.urn, {})[key] = None
        for asked in ended:
            del self.pending[asked]

    def unfinished(self, resource: Resource) -> str:
        """What a provider was asked about this very object and never answered; empty for nothing."""
        operation = self.pending.get(resource.object)
        return operation.kind if operation else ""

    def replay(self, entries: Iterable[dict[str, Any]]) -> None:
        """Apply what a journal holds."""
        for entry in entries:
            if "begin" in entry:
                resource = Resource.from_json(entry["resource"], self.vault)
                self.pending[resource.object] = Operation(entry["begin"], resource)
            else:
                changes = {
                    int(key): Resource.from_json(value, self.vault) if value else None
                    for key, value in entry["put"].items()
                }
                self._apply(changes, [(urn, identity) for urn, identity in entry["ends"]])

    def forget(self, key: int) -> None:
        """Drop a resource that is gone outside of Pulumi, and every reference to it."""
        gone = self.resources[key].urn
        changes: Changes = {key: None}
        for other, resource in self.resources.items():
            if other != key and gone in resource.needs:
                changes[other] = _without(resource, gone)
        self.put(changes)

    def ordered(self) -> list[tuple[int, Resource]]:
        """Every resource behind what it needs; otherwise in the order in which they came."""
        return in_order(_renamed(self.resources))


def _without(resource: Resource, urn: str) -> Resource:
    return replace(
        resource,
        parent="" if resource.parent == urn else resource.parent,
        deleted_with="" if resource.deleted_with == urn else resource.deleted_with,
        replace_with=tuple(item for item in resource.replace_with if item != urn),
        dependencies=tuple(item for item in resource.dependencies if item != urn),
        property_dependencies={
            name: [item for item in urns if item != urn] for name, urns in resource.property_dependencies.items()
        },
    )


def _renamed(resources: dict[int, Resource]) -> dict[int, Resource]:
    """References to a resource that an alias has renamed since follow it to its new URN."""
    live = {resource.urn for resource in resources.values()}
    names = {alias: resource.urn for resource in resources.values() for alias in resource.aliases if alias not in live}
    if not names:
        return resources

    def follow(resource: Resource) -> Resource:
        if names.keys().isdisjoint(resource.needs):
            return resource
        provider, _, identity = resource.provider.rpartition("::")
        return replace(
            resource,
            parent=names.get(resource.parent, resource.parent),
            deleted_with=names.get(resource.deleted_with, resource.deleted_with),
            provider="::".join([names.get(provider, provider), identity]) if provider else "",
            replace_with=tuple(names.get(urn, urn) for urn in resource.replace_with),
            dependencies=tuple(names.get(urn, urn) for urn in resource.dependencies),
            property_dependencies={
                name: [names.get(urn, urn) for urn in urns] for name, urns in resource.property_dependencies.items()
            },
        )

    return {key: follow(resource) for key, resource in resources.items()}


def in_order(resources: dict[int, Resource]) -> list[tuple[int, Resource]]:
    """A stable depth-first order, dependencies first: resources that are in a valid order keep it.

    One that waits to be deleted comes behind everything of the URNs that it needs, live or not, so that the reverse is
    the order in which to delete.
    """
    by_urn: dict[str, list[int]] = defaultdict(list)
    for key, resource in resources.items():
        by_urn[resource.urn].append(key)

    def needed(resource: Resource) -> Iterator[int]:
        for keys in (by_urn[urn] for urn in resource.needs):
            live = [key for key in keys if not resources[key].delete]
            yield from keys if resource.delete else live or keys

    ordered: list[int] = []
    entered: set[int] = set()
    for start, resource in resources.items():
        path = [] if start in entered else [(start, needed(resource))]
        entered.add(start)
        while path:
            key, rest = path[-1]
            step = next((other for other in rest if other not in entered), None)
            if step is None:
                ordered.append(key)
                path.pop()
            else:
                entered.add(step)
                path.append((step, needed(resources[step])))
    return [(key, resources[key]) for key in ordered]


def verify(resources: Iterable[Resource]) -> None:
    """Hold the resources to the rules by which Pulumi refuses a state.

    :raises IntegrityError: naming the first resource that breaks one.
    """
    seen: dict[str, Resource] = {}
    for resource in resources:
        urn = resource.urn
        if urn_type(urn) != resource.type:
            raise IntegrityError(f"The state is corrupt: {urn} is recorded with type {resource.type}.")
        if resource.id and not resource.custom:
            raise IntegrityError(f"The state is corrupt: the component {urn} has an id.")
        for need in resource.needs:
            if need not in seen:
                raise IntegrityError(f"The state is corrupt: {urn} comes before {need}, which it needs.")
        if urn in seen and not seen[urn].delete and not resource.delete:
            raise IntegrityError(f"The state is corrupt: {urn} is in it twice.")
        if urn not in seen or not resource.delete:
            seen[urn] = resource
