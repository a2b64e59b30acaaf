"""What is taken over from outside: resources that are only read, imported ones, and changes that a refresh finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from trivet.core.errors import ConfigError, Unsupported
from trivet.infra.engine.checkpoint import now
from trivet.infra.engine.events import Report
from trivet.infra.engine.gate import Gate
from trivet.infra.engine.paths import ignoring
from trivet.infra.engine.provider import Live, Provider
from trivet.infra.engine.providers import Providers
from trivet.infra.engine.state import Changes, Resource, State, refuse_to_replace
from trivet.infra.engine.targets import Targets
from trivet.infra.engine.values import UNKNOWN, Properties, mark_like, reveal

Admitted = Callable[[Resource], Resource]
DYNAMIC = "__provider"  # the input in which a dynamic resource carries its provider


class Outside:
    """Reads what providers hold into one state. :meth:`read` and :meth:`adopt` may be called from many threads."""

    def __init__(self, state: State, providers: Providers, report: Report, *, preview: bool) -> None:
        self._state = state
        self._providers = providers
        self._report = report
        self._preview = preview

    def read(self, want: Resource, found: tuple[int, Resource] | None) -> Resource:
        """A resource that is there already and that the program only looks at.

        :param found: the entry of its URN.
        :raises ConfigError: when it is not there.
        """
        if found and not found[1].external:
            raise Unsupported(
                f"The embedded engine does not let go of a resource that the program only reads now: {want.name}.",
                "Give what is read another name, or use the pulumi CLI.",
            )
        # In a preview the id may come only with the apply.
        live = Live(want.id, None, want.inputs) if want.id == UNKNOWN else self._there(want)
        inputs = want.inputs if live.inputs is None else live.inputs
        new = replace(want, id=live.id, inputs=inputs, outputs=live.outputs, external=True)
        self._state.put({found[0] if found else None: new}, replace(want, id=""))
        self._report.ends("read", new)
        return new

    def adopt(
        self, provider: Provider, want: Resource, found: tuple[int, Resource] | None, admitted: Admitted
    ) -> Resource:
        """Import an object that is there already; the program must say what it is like.

        :param found: the entry of another object, in whose place it comes.
        :param admitted: gives a resource as the policies make it, or raises.
        :raises ConfigError: when it is not there, or is not like that; of the latter a preview only warns.
        """
        if found:
            refuse_to_replace(found[1])
        # Were it told what the program says, a provider might give just that back.
        asked = {name: value for name, value in want.inputs.items() if name == DYNAMIC}
        live = self._there(replace(want, id=want.import_id, inputs=asked))
        if live.inputs is None:
            raise Unsupported(f"The provider of {want.type} does not say what it would import for {want.name}.")
        there = replace(
            want,
            id=live.id,
            inputs=mark_like(live.inputs, want.inputs),
            outputs=mark_like(live.outputs, want.inputs, want.additional_secret_outputs),
        )
        want = ignoring(want, there)
        checked = admitted(replace(want, inputs=provider.check(want, there.inputs)))
        new = replace(there, inputs=checked.inputs, created=now(), modified=now())
        if provider.diff(there, new.inputs, want.ignore_changes).differs:
            message = _unlike(want, there.inputs, new.inputs)
            if not self._preview:
                raise ConfigError(message, "Say in the program what is there, and change it after the import.")
            self._report.diagnostic("warning", message, want.urn)
        replaced: Changes = {found[0]: replace(found[1], delete=True)} if found else {}
        # A create of it that was cut off may have made this very object.
        self._state.put({**replaced, **self._state.reborn(new, replaced), None: new}, replace(want, id=""))
        self._report.ends("import", new)
        return new

    def refresh(self, targets: Targets, gate: Gate, *, first: bool = False) -> None:
        """Take over what changed outside: read every resource that a provider serves.

        :param first: whether something else comes after it, in whose counts each is one of ``refresh``.
        """
        if not (targets.are_all or first):  # else some may be made afterwards
            targets.all_found(self._state.urns())
        for key, one in self._state.ordered():
            if targets.take(one):
                with gate:
                    self._refresh(key, self._state.resources[key], first=first)
        for operation in list(self._state.pending.values()):
            if operation.kind != "creating":
                self._state.put({}, operation.resource)

    def _refresh(self, key: int, old: Resource, *, first: bool) -> None:
        if old.delete or old.pending_replacement:
            return
        live: Live | None = Live(old.id, old.inputs, old.outputs, old.init_errors)
        if old.custom and not old.is_provider:
            live = self._providers.read(old)
        if live is None:
            self._state.forget(key)
            self._report.ends("refresh" if first else "delete", old)
            return
        inputs = old.inputs if live.inputs is None else live.inputs
        new = replace(old, id=live.id, inputs=inputs, outputs=live.outputs, init_errors=live.failures)
        if new != old:
            self._state.put({key: replace(new, modified=now())})
        self._report.ends("refresh" if first else "same" if new == old else "update", old)

    def _there(self, want: Resource) -> Live:
        found = self._providers.read(want)
        if found is None:
            raise ConfigError(f"There is no {want.type} with the id '{want.id}', which {want.name} stands for.")
        self._report.hide([found.inputs or {}, found.outputs])
        return found


def _unlike(want: Resource, there: Properties, said: Properties) -> str:
    own = {name for name in {*there, *said} if not name.startswith("__")}  # else the provider's own notes
    names = sorted(name for name in own if reveal(there.get(name)) != reveal(said.get(name)))
    text = f"The inputs of {want.name} are not those of the {want.type} '{want.import_id}' that it imports"
    return f"{text}: {', '.join(names)}." if names else f"{text}."
