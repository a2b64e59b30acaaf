"""One package: the resource types that its stand-in serves, its functions, and how its config is read."""

from __future__ import annotations

import functools
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from trivet.core.errors import Unsupported
from trivet.infra.engine.values import Properties
from trivet.rehearsal.plugins.kinds import Account, Kind
from trivet.rehearsal.plugins.store import Store

MODULES = {"aws": "aws", "gcp": "gcp", "azure-native": "azure"}
"""Where each package's stand-in is."""

Function = Callable[[Account, Properties], Properties]


class Package(ABC):
    """A stand-in for one provider.

    :cvar name: of the package, as tokens begin.
    :cvar sdk: the distribution whose types it goes by, and whose version it gives as its own.
    :cvar digits: how many hexadecimal digits end a name that it chooses.
    """

    name: str
    sdk: str
    digits = 7
    separator = "-"
    moving: tuple[str, ...] = ()
    """Keys of the provider's config of which a change makes every object another: where they are."""

    @property
    @abstractmethod
    def kinds(self) -> Mapping[str, Kind]:
        """The types that it serves, by token."""

    @property
    @abstractmethod
    def functions(self) -> Mapping[str, Function]:
        """The functions that it serves, by token."""

    @abstractmethod
    def configure(self, config: Properties, store: Store) -> Account:
        """Whose objects a provider with this config serves.

        :raises ConfigError: naming what it lacks.
        """

    @property
    def version(self) -> str:
        """The version that the plugin gives as its own."""
        return version(self.sdk)

    def kind(self, token: str) -> Kind:
        """What is known of a type.

        :raises Unsupported: for a type that is not on the list: its id and what replaces it would be made up.
        """
        if token not in self.kinds:
            raise Unsupported(
                f"The rehearsal's stand-in for {self.name} has no {token}.",
                f"Declare it in rehearsal/plugins/{MODULES[self.name]}, or leave it out of the rehearsal.",
            )
        return self.kinds[token]

    def function(self, token: str) -> Function:
        """A function.

        :raises Unsupported: for one that is not served.
        """
        if token not in self.functions:
            served = ", ".join(sorted(self.functions))
            raise Unsupported(f"The rehearsal's stand-in for {self.name} has no {token}.", f"It has {served}.")
        return self.functions[token]


@functools.cache
def package(name: str) -> Package:
    """The stand-in of a package."""
    return import_module(f"trivet.rehearsal.plugins.{MODULES[name]}").PACKAGE


@functools.cache
def replacements(token: str) -> tuple[str, ...]:
    """The paths of inputs of which a change makes another object, as ``tools/replacements.py`` found them."""
    return tuple(_table().get(token, ()))


@functools.cache
def _table() -> dict[str, Any]:
    return json.loads(Path(__file__).with_name("replacements.json").read_text())


def fixed(kind: Kind) -> set[str]:
    """All paths of a type's inputs of which a change makes another object."""
    named = [kind.named] if kind.named else []
    return {*replacements(kind.token), *kind.path_inputs(), *named, *kind.fixed.split()} - {*kind.changeable.split()}
