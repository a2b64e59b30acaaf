"""What a stand-in knows of one resource type, and the kind of type that the strict store holds whole.

A :class:`Stored` is declared in one to a few lines: what its id is made of, which outputs it gives besides what every
type of its package gives, and which inputs make another object.
"""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from string import Formatter
from typing import Any, NamedTuple, get_origin

from trivet.core.errors import ConfigError, NotFound
from trivet.infra.engine.values import Properties
from trivet.rehearsal.plugins import sdk
from trivet.rehearsal.plugins.store import Store

Make = Callable[[Mapping[str, Any]], Any]


class Taken(ConfigError):
    """An object of that id is there already."""


class Live(NamedTuple):
    """An object as it is in the back end."""

    id: str
    inputs: Properties
    outputs: Properties


@dataclass(frozen=True)
class Account:
    """Whose objects a provider serves.

    :param facts: what every template may name, such as ``region`` and ``account``, ``project`` or ``subscription``.
    :param labels: the provider's own tags or labels, which every object gets.
    """

    store: Store
    facts: dict[str, str]
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind(ABC):
    """One resource type.

    :param named: the input that is given a name where the program gives none.
    :param fixed: paths of inputs of which a change makes another object, besides those in ``replacements.json``.
    :param changeable: paths in ``replacements.json`` that the provider changes in place all the same.
    """

    token: str
    named: str = ""
    fixed: str = ""
    changeable: str = ""

    backend = "strict store"

    @property
    def package(self) -> str:
        """The package of the type."""
        return self.token.split(":")[0]

    @property
    def prefix(self) -> str:
        """The input that says how a chosen name begins, where there is one."""
        return f"{self.named}Prefix" if self.named else ""

    @property
    def declared(self) -> sdk.Declared:
        """What the SDK says of the type."""
        return sdk.declared(self.token)

    def choose_name(self, name: str, separator: str, end: str) -> str:
        """The name of an object to which the program gives none: the resource's own name and a random end."""
        return f"{name}{separator}{end}"

    def path_inputs(self) -> list[str]:
        """The inputs of which the id is made: another value is another object."""
        return []

    def kept_beside(self) -> list[str]:
        """The inputs that only the strict store holds, where the objects are elsewhere."""
        return []

    def derived(self, account: Account, inputs: Properties) -> Properties:
        """Outputs that follow from the inputs and from what the provider adds to every object."""
        return {}

    @abstractmethod
    def is_same_object(self, account: Account, old: Properties, new: Properties) -> bool:
        """Whether two inputs stand for one object, so that one must be deleted before the other can be made."""

    @abstractmethod
    def create(self, account: Account, urn: str, inputs: Properties) -> tuple[str, Properties]:
        """Make one: its id and outputs. The same create again gives the object that an unanswered one made.

        :raises Taken: when there is one of that id.
        """

    @abstractmethod
    def read(self, account: Account, identity: str, inputs: Properties) -> Live | None:
        """One as it is now; none where it is gone. ``inputs`` are the ones last known, empty where none are."""

    @abstractmethod
    def update(self, account: Account, identity: str, old: Properties, new: Properties) -> Properties:
        """Change one in place: its outputs.

        :param old: the inputs that it has.
        """

    @abstractmethod
    def delete(self, account: Account, identity: str, inputs: Properties) -> None:
        """Delete one; it may be gone already."""


@dataclass(frozen=True)
class Stored(Kind):
    """A type whose objects are in the strict store, and nowhere else.

    :param identity: a template of the id, over the inputs, the account's facts and :class:`Fresh` values.
    :param outputs: templates of outputs by name; what is no text is given as it is.
    :param needs: templates of the ids of objects that must be there.
    """

    identity: str = ""
    outputs: dict[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()

    def common(self, bag: Mapping[str, Any]) -> Properties:
        """Outputs that the package gives every object, where the SDK declares them."""
        return {}

    def path_inputs(self) -> list[str]:
        """See :class:`Kind`."""
        names = [name for _, name, _, _ in Formatter().parse(self.identity) if name]
        return [name for name in names if name in self.declared.inputs]

    def is_same_object(self, account: Account, old: Properties, new: Properties) -> bool:
        """See :class:`Kind`; an id with a part that the cloud chooses is always another."""
        if any(name in FRESH for _, name, _, _ in Formatter().parse(self.identity)):
            return False
        return self._text(self.identity, self.bag(account, old)) == self._text(self.identity, self.bag(account, new))

    def bag(self, account: Account, inputs: Properties) -> dict[str, Any]:
        """What the templates may name."""
        given = {name: value for name, value in inputs.items() if value is not None}
        return {**{name: make() for name, make in FRESH.items()}, **account.facts, **given}

    def create(self, account: Account, urn: str, inputs: Properties) -> tuple[str, Properties]:
        """See :class:`Kind`.

        :raises NotFound: when something is not there that it needs.
        """
        store = account.store
        if (made := store.unanswered(self.token, urn, inputs)) and made.id:
            return made.id, made.outputs
        bag = self.bag(account, inputs)
        identity = self._text(self.identity, bag)
        for need in (self._text(need, bag) for need in self.needed()):
            if not store.exists(self.package, need):
                raise NotFound(f"{identity} needs {need}, which is not there.", "Make it first, and depend on it.")
        outputs = self._outputs(account, {**bag, "id": identity}, inputs)
        number = made.number if made else store.begin(self.token, urn, inputs)
        if not store.finish(number, identity, outputs):
            store.forget(number)
            raise Taken(f"{identity} already exists.", "Import it, or give the new one another name.")
        return identity, outputs

    def needed(self) -> tuple[str, ...]:
        """Templates of the ids of what must be there before."""
        return self.needs

    def read(self, account: Account, identity: str, inputs: Properties) -> Live | None:
        """See :class:`Kind`."""
        found = account.store.find(self.token, identity)
        return Live(identity, found.inputs, found.outputs) if found else None

    def update(self, account: Account, identity: str, old: Properties, new: Properties) -> Properties:
        """See :class:`Kind`.

        :raises NotFound: when it was deleted in the meantime.
        """
        found = account.store.find(self.token, identity)
        if found is None:
            raise NotFound(f"{identity} is not there any more.", "Refresh the stack.")
        declared = self.declared
        kept = {name: value for name, value in found.outputs.items() if name not in {*found.inputs, *new}}
        given = {name: value for name, value in new.items() if name in declared.outputs}
        bag = {**self.bag(account, new), "id": identity}
        again = {name: self._text(value, bag) for name, value in self.outputs.items() if name in new}
        outputs = {**kept, **given, **again, **self.derived(account, new)}
        account.store.change(self.token, identity, new, outputs)
        return outputs

    def delete(self, account: Account, identity: str, inputs: Properties) -> None:
        """See :class:`Kind`."""
        account.store.remove(self.token, identity)

    def _outputs(self, account: Account, bag: dict[str, Any], inputs: Properties) -> Properties:
        declared = self.declared
        common = {name: self._text(value, bag) for name, value in self.common(bag).items()}
        common = {name: value for name, value in common.items() if name in declared.outputs}
        own = {name: self._text(value, bag) for name, value in self.outputs.items()}
        given = {name: value for name, value in inputs.items() if name in declared.outputs and value is not None}
        return {**blanks(declared), **common, **given, **own, **self.derived(account, inputs)}

    def _text(self, template: Any, bag: Mapping[str, Any]) -> Any:
        if callable(template):
            return template(bag)
        if not isinstance(template, str):
            return template
        try:
            return template.format_map(bag)
        except KeyError as missing:
            raise ConfigError(
                f"{self.token} needs {missing}, which neither the program nor the provider's config gives."
            ) from missing


FRESH: dict[str, Callable[[], str]] = {
    "uuid": lambda: str(uuid.uuid4()),
    "hex17": lambda: uuid.uuid4().hex[:17],
    "digits": lambda: str(uuid.uuid4().int)[:19],
    "now": lambda: datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
}
"""What a cloud chooses itself, each time anew."""


def stable_digits(text: str, count: int = 12) -> str:
    """A number that a text always gives, as a cloud numbers what it was given a name for."""
    return str(int(sha256(text.encode()).hexdigest(), 16))[:count]


def last(path: str) -> str:
    """The last part of a path."""
    return path.rsplit("/", 1)[-1]


def blanks(declared: sdk.Declared) -> Properties:
    """What the real providers give for outputs that are always there and were not set."""
    made = {name: _blank(declared.outputs[name]) for name in sorted(declared.given & set(declared.outputs))}
    return {name: value for name, value in made.items() if value is not None}


def _blank(kind: Any) -> Any:
    origins = [get_origin(one) or one for one in sdk.options(kind)]
    return next((make() for one, make in _BLANKS.items() if one in origins), None)


_BLANKS: dict[Any, Callable[[], Any]] = {bool: bool, int: int, float: int, str: str, Sequence: list, Mapping: dict}
