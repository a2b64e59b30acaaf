"""What an operation deletes: what the program has not registered, what replacements left behind, or everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container

from trivet.core.errors import ConfigError
from trivet.infra.engine.gate import Gate
from trivet.infra.engine.operations import Operations
from trivet.infra.engine.setbacks import Setbacks
from trivet.infra.engine.state import STACK_TYPE, Changes, Resource, State
from trivet.infra.engine.targets import Targets


class Deletes:
    """Deletes from one state, dependents first."""

    def __init__(self, state: State, operations: Operations, targets: Targets, setbacks: Setbacks, gate: Gate) -> None:
        self._state = state
        self._operations = operations
        self._targets = targets
        self._setbacks = setbacks
        self._gate = gate

    def prune(self, kept: set[str], matched: Container[int]) -> None:
        """Delete what has none of these URNs and keys, and what replacements left behind.

        :param kept: URNs that the program has registered.
        :param matched: keys of the resources that it has registered, be it under a former URN.
        :raises ConfigError: before anything is deleted, when one of them is protected.
        """
        for operation in list(self._state.pending.values()):
            if operation.kind == "creating":
                with self._gate:
                    self._operations.recover(operation.resource)
        doomed = self._doomed(kept, matched)
        protected = [item.name for item in doomed.values() if item.protect and not item.delete]
        if protected:
            raise ConfigError(
                f"Protected, and so not deleted: {', '.join(protected)}.",
                "Run `up` with protect=False first, or keep them in the program.",
            )
        self._operations.doomed = {resource.urn for resource in doomed.values()}
        needed = self._needed(doomed, kept)
        for key, resource in reversed(doomed.items()):
            if (resource.is_default_provider and resource.delete) or (self._setbacks and needed[resource.urn]):
                continue
            with self._gate, self._setbacks.of(resource):
                self._operations.delete(key, resource)
                needed.subtract(set(resource.needs))
        self._drop_idle_providers()

    def _doomed(self, kept: set[str], matched: Container[int]) -> dict[int, Resource]:
        doomed = {
            key: resource
            for key, resource in self._state.ordered()
            if resource.delete or not (key in matched or resource.urn in kept or resource.is_default_provider)
        }
        return doomed if self._targets.are_all else self._targeted(doomed, kept)

    def _needed(self, doomed: Container[int], kept: Container[str]) -> Counter[str]:
        """How many need each URN of those that may not be there any more, or could not be made what they should be:
        they still are what they were."""
        return Counter(
            urn
            for key, one in self._state.resources.items()
            if key in doomed or one.urn in self._setbacks or one.urn not in kept
            for urn in set(one.needs)
        )

    def _targeted(self, doomed: dict[int, Resource], kept: set[str]) -> dict[int, Resource]:
        """Of what is to be deleted, the targets.

        :raises ConfigError: when something that is no target, and stays, needs one of them.
        """
        self._targets.all_found(kept | self._state.urns())
        others = {key: one for key, one in doomed.items() if one.type != STACK_TYPE}
        taken = {key: one for key, one in others.items() if one.delete or self._targets.take(one)}
        # What is no target may still be served by a provider in whose place another has come.
        serving = {one.provider for key, one in self._state.resources.items() if key not in taken}
        taken = {key: one for key, one in taken.items() if not (one.is_provider and one.reference in serving)}
        if self._targets.excludes:
            return self._without_needed(taken)
        gone = {one.urn for one in taken.values()} - kept
        for key, one in self._state.ordered():
            if key not in taken and (needed := gone & set(one.needs)):
                names = ", ".join(sorted(urn.rsplit("::", 1)[-1] for urn in needed))
                raise ConfigError(
                    f"{one.name} depends on {names}, which would be deleted.",
                    "Name it as a target, too, or add --target-dependents.",
                )
        return taken

    def _without_needed(self, taken: dict[int, Resource]) -> dict[int, Resource]:
        """Those that nothing needs that stays."""
        needed: set[str] = set()
        left: dict[int, Resource] = {}
        for key, one in reversed(self._state.ordered()):
            if key in taken and one.urn not in needed:
                left[key] = one
            else:
                needed.update(one.needs)
        return dict(reversed(left.items()))

    def _drop_idle_providers(self) -> None:
        used = {urn for resource in self._state.resources.values() for urn in resource.needs}
        idle: Changes = {
            key: None
            for key, resource in self._state.resources.items()
            if resource.is_default_provider and (resource.urn not in used or resource.delete)
        }
        if idle:
            self._state.put(idle)
