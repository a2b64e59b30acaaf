"""Which resources an operation may touch, ``--target`` and ``--exclude``, and which it makes anew, ``--replace``."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from trivet.core.errors import ConfigError
from trivet.infra.engine.state import STACK_TYPE, Resource


class Targets:
    """All resources, unless some are named. Its methods may be called from any thread.

    :param urns: of the resources to touch; none for all.
    :param dependents: whether what depends on one of them may be touched, too.
    :param replaces: URNs of resources to replace.
    :param excludes: instead of ``urns``: those of the only resources that may not be touched; ``dependents`` is then
        whether what depends on one of them may not either.
    """

    def __init__(
        self,
        urns: Iterable[str] = (),
        *,
        dependents: bool = False,
        replaces: Iterable[str] = (),
        excludes: Iterable[str] = (),
    ) -> None:
        self.excludes = frozenset(excludes)
        self.replaces = frozenset(replaces)
        # To be replaced is to be touched: where only that is asked for, everything else is touched as ever.
        self._named = frozenset(urns) and frozenset(urns) | self.replaces
        self._dependents = dependents
        self.left_out: set[str] = set()  # what would have to be made first, but is no target
        self._found: set[str] = set()  # what is named, and what comes with it
        self._lock = threading.Lock()

    def without(self, urns: Iterable[str]) -> Targets:
        """The same, less these resources."""
        excludes = self.excludes.union(urns)
        return Targets(self._named, dependents=self._dependents, replaces=self.replaces, excludes=excludes)

    @property
    def are_all(self) -> bool:
        """Whether none are named."""
        return not (self._named or self.excludes)

    def take(self, resource: Resource, *former: str) -> bool:
        """Whether this one may be touched, known by its URN or by former ones. Asked in the order of dependencies."""
        if self.are_all or resource.type == STACK_TYPE or resource.is_default_provider:
            return True
        with self._lock:
            named = self._named or self.excludes
            found = not named.isdisjoint((resource.urn, *former)) or (
                self._dependents and not self._found.isdisjoint(resource.needs)
            )
            if found:
                self._found.add(resource.urn)
            return not found if self.excludes else found

    def check(self, resource: Resource) -> None:
        """:raises ConfigError: when this one needs a resource that was left out."""
        if missing := self.left_out.intersection(resource.needs):
            names = ", ".join(sorted(urn.rsplit("::", 1)[-1] for urn in missing))
            raise ConfigError(
                f"{resource.name} depends on {names}, which is not there yet and is no target.",
                "Let both be touched, or neither.",
            )

    def all_found(self, urns: Iterable[str]) -> None:
        """:raises ConfigError: for a URN that was named and that nothing has."""
        unknown = sorted((self._named | self.replaces | self.excludes) - set(urns))
        if unknown:
            options = "--target, --exclude or --replace"
            raise ConfigError(f"There is no resource {unknown[0]} in this stack, which {options} names.")
