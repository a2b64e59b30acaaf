"""The provider entries of a state: the ones that a program makes, and the default ones that the engine makes itself."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from uuid import uuid4

from trivet.core.errors import IntegrityError, Unsupported
from trivet.infra.engine.builtin import PACKAGE, OtherStack, invoke, read
from trivet.infra.engine.checkpoint import now
from trivet.infra.engine.plugins import DYNAMIC, VERSION, Plugins
from trivet.infra.engine.provider import Live, Provider
from trivet.infra.engine.state import DEFAULT, PROVIDER_TYPE, Changes, Resource, State, make_urn, refuse_to_replace
from trivet.infra.engine.values import UNKNOWN, Properties, secret

Config = Mapping[str, tuple[str, bool]]
"""Every config value by its full key, and whether it is secret."""


class Providers:
    """Finds or makes the entry by which a resource is served, and gives the configured provider behind it."""

    def __init__(
        self,
        stack: str,
        project: str,
        state: State,
        plugins: Plugins,
        config: Config,
        other: OtherStack,
        *,
        preview: bool,
        admit: Callable[[Resource], Resource] = lambda entry: entry,
    ) -> None:
        """:param admit: gives an entry as the policies make it, or raises."""
        self._admit = admit
        self._other = other
        self._stack = stack
        self._project = project
        self._state = state
        self._plugins = plugins
        self._config = config
        self._preview = preview
        self._made: dict[str, Resource] = {}
        self._lock = threading.Lock()

    def of(self, reference: str) -> Provider:
        """The provider that a resource names.

        :raises IntegrityError: when there is no such entry.
        """
        entry = self.entry(reference)
        if entry.package_served == PACKAGE:
            raise Unsupported("The embedded engine has no resources of 'pulumi' of its own.", "Use the pulumi CLI.")
        return self._plugins.of(entry)

    def entry(self, reference: str) -> Resource:
        """The entry that a resource names; where it was replaced since, the one that is there now."""
        urn, _, identity = reference.rpartition("::")
        if exact := self._state.entry(urn, identity):
            return exact
        found = self._state.find([urn])
        if found is None:
            raise IntegrityError(f"The state is corrupt: there is no provider {reference}.")
        return found[1]

    def default(self, package: str, version: str) -> Resource:
        """The entry of a package for resources that name none, one for each version, with what the stack's config says
        of the package."""
        name = re.sub(r"[^A-Za-z0-9_]", "_", f"{DEFAULT}_{version}") if version else DEFAULT
        urn = make_urn(self._stack, self._project, "", f"{PROVIDER_TYPE}{package}", name)
        with self._lock:
            if urn not in self._made:
                want = Resource(
                    urn, custom=True, type=f"{PROVIDER_TYPE}{package}", inputs=self._inputs(package, version)
                )
                found = self._state.find([urn])
                self._made[urn] = self._builtin(want, found) if package == PACKAGE else self._plugin(want, found)
            return self._made[urn]

    def read(self, want: Resource) -> Live | None:
        """A resource as it is outside; ``None`` when it is not there."""
        return read(want, self._other) if want.package == PACKAGE else self.of(want.provider).read(want)

    def invoke(self, package: str, reference: str, version: str, function: str, arguments: Properties) -> Properties:
        """What a function of a provider, or of the engine, gives."""
        if package == PACKAGE:
            return invoke(function, arguments, self._state)
        provider = self.of(reference or self.default(package, version).reference)
        return provider.invoke(function, arguments, preview=self._preview)

    def _plugin(self, want: Resource, found: tuple[int, Resource] | None) -> Resource:
        _, changes, made = self.step(want, found)
        self._state.put(changes)
        return made

    def _builtin(self, want: Resource, found: tuple[int, Resource] | None) -> Resource:
        made = found[1] if found else replace(want, id=self._id(), created=now(), modified=now())
        self._state.put({found[0] if found else None: made})
        return made

    def step(self, want: Resource, found: tuple[int, Resource] | None) -> tuple[str, Changes, Resource]:
        """What to do about an entry, the changes of the state that this makes, and the entry as it then is."""
        old = found[1] if found else None
        want = self._admit(want)
        provider = self._plugins.greeted(want)
        checked = provider.check_config(_without_version(want), _inputs_of(old))
        inputs = checked | {name: value for name, value in want.inputs.items() if name == VERSION}
        new = replace(want, inputs=inputs, outputs=inputs, modified=now())
        if found is None or old is None:
            new = replace(new, id=self._id(), created=now())
            return "create", {None: new}, new
        diff = provider.diff_config(_without_version(old), checked)
        if diff.replaces:
            refuse_to_replace(old)
            new = replace(new, id=self._id(), created=now())
            return "replace", {found[0]: replace(old, delete=True), None: new}, new
        changed = inputs != old.inputs
        new = replace(new, id=old.id, created=old.created, modified=new.modified if changed else old.modified)
        return "update" if changed else "same", {found[0]: new}, new

    def changed(self, old: Resource, reference: str) -> bool:
        """Whether a resource has to be replaced for being served by another provider now."""
        if not old.provider or old.provider == reference:
            return False
        before, after = self.entry(old.provider), self.entry(reference)
        if before.urn == after.urn and before.id == after.id:
            return False
        if not (before.is_default_provider and after.is_default_provider):
            return True
        return self._plugins.greeted(after).diff_config(_without_version(before), _inputs_of(after)).replaces

    def _inputs(self, package: str, version: str) -> Properties:
        if package == DYNAMIC:
            return {}
        given = {
            key.removeprefix(f"{package}:"): secret(value) if hidden else value
            for key, (value, hidden) in self._config.items()
            if key.startswith(f"{package}:")
        }
        return given | ({VERSION: version} if version else {})

    def _id(self) -> str:
        return UNKNOWN if self._preview else str(uuid4())


def _inputs_of(entry: Resource | None) -> Properties:
    return {} if entry is None else {name: value for name, value in entry.inputs.items() if name != VERSION}


def _without_version(entry: Resource) -> Resource:
    return replace(entry, inputs=_inputs_of(entry))
