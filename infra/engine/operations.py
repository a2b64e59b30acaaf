"""Has providers create, update and delete, one object at a time: each call is journaled before and after, so that it is
known after a crash what may have been done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from trivet.core import faults
from trivet.core.errors import PlatformError, TrivetError
from trivet.infra.engine.checkpoint import now
from trivet.infra.engine.events import Report
from trivet.infra.engine.hooks import Hooks
from trivet.infra.engine.provider import Gone, Live, Provider
from trivet.infra.engine.providers import Providers
from trivet.infra.engine.setbacks import Setbacks
from trivet.infra.engine.state import Changes, Resource, State


class Operations:
    """Works on one state. Its methods may be called from any thread, about different resources."""

    def __init__(
        self, state: State, providers: Providers, hooks: Hooks, setbacks: Setbacks, report: Report, *, preview: bool
    ) -> None:
        self._state = state
        self._providers = providers
        self._hooks = hooks
        self._setbacks = setbacks
        self._report = report
        self._preview = preview
        self.doomed: set[str] = set()
        """URNs of what is deleted in this operation, and may take others with it."""

    def create(
        self,
        provider: Provider,
        want: Resource,
        op: str = "create",
        *,
        key: int | None = None,
        also: Changes | None = None,
        changed: Sequence[str] = (),
    ) -> Resource:
        """Create and record it, under ``key`` or as an additional resource, in one step with what changes ``also``.

        :param changed: the inputs for which it comes in another's place.
        :raises PlatformError: also when it was made and recorded, but does not work as it should.
        """
        self._report.begins(op, want)
        cut_off = self._state.pending.get(want.object)
        if cut_off and (
            cut_off.resource.inputs != want.inputs or self._providers.changed(cut_off.resource, want.provider)
        ):
            self.recover(cut_off.resource)
        self._hooks.before("create", want, None)
        live = Live("", None, provider.foresee(want)) if self._preview else self._made(provider, want)
        new = replace(want, id=live.id, outputs=live.outputs, init_errors=live.failures)
        new = new if self._preview else replace(new, created=now(), modified=now())
        self._state.put({**(also or {}), **self._state.reborn(new, also or {}), key: new}, want, new)
        return self._ended(op, "create", new, None, changed)

    def update(
        self, provider: Provider, key: int, old: Resource, want: Resource, changed: Sequence[str] = ()
    ) -> Resource:
        """Change it in place, and record it; raises as :meth:`create` does."""
        self._report.begins("update", want)
        self._hooks.before("update", want, old)
        if self._preview:
            new = replace(want, outputs=provider.foresee(want, old), init_errors=())
        else:

            def change() -> Live:
                with self._asking("updating", old):
                    return provider.update(old, want)

            live = self._hooks.trying("update", want, old, change)
            new = replace(want, outputs=live.outputs, init_errors=live.failures, modified=now())
        self._state.put({key: new}, old)
        return self._ended("update", "update", new, old, changed)

    def delete(self, key: int, old: Resource, leaves: Resource | None = None) -> None:
        """Delete it, unless that was done or it is to be retained; ``leaves`` is what stays recorded."""
        counts = not (leaves or old.delete or old.pending_replacement)
        self._report.begins("delete", old)
        if not old.pending_replacement:
            self._hooks.before("delete", None, old)
        if old.custom and not (self._stays(old) or old.pending_replacement or self._preview):

            def remove() -> None:
                with self._asking("deleting", old):
                    self._providers.of(old.provider).delete(old)

            self._hooks.trying("delete", None, old, remove)
        self._state.put({key: leaves}, old)
        if counts:
            self._report.ends("delete", old)
        if not old.pending_replacement:
            with self._setbacks.aside():
                self._hooks.after("delete", None, old)

    def recover(self, lost: Resource) -> None:
        """Do a create again that was cut off and is not wanted any more, to learn the id by which to delete it."""
        lost = replace(lost, delete=True)
        self._report.diagnostic("warning", f"Creating {lost.name} was cut off: it is done again, then undone.")
        found = lost
        if not self._preview:
            with self._asking("creating", lost):
                live = self._providers.of(lost.provider).create(lost)
            found = replace(lost, id=live.id, outputs=live.outputs, created=now(), modified=now())
        live = self._state.find([lost.urn])
        if live and live[1].id == found.id:
            self._restore(*live, found)
            self._state.put({}, lost)
        else:
            self._state.put({None: found}, lost)

    def _restore(self, key: int, live: Resource, found: Resource) -> None:
        """Make an object what is recorded of it again, after a create under its own id was done over it."""
        if self._preview:
            return
        provider = self._providers.of(live.provider)
        if provider.diff(found, live.inputs).differs:
            with self._asking("updating", live):
                made = provider.update(found, live)
            self._state.put({key: replace(live, outputs=made.outputs, modified=now())}, live)

    def _made(self, provider: Provider, want: Resource) -> Live:
        def make() -> Live:
            with self._asking("creating", want):
                return provider.create(want)

        return self._hooks.trying("create", want, None, make)

    def _ended(self, op: str, hook: str, new: Resource, old: Resource | None, changed: Sequence[str]) -> Resource:
        """Tell how it went, once it is recorded."""
        self._report.hide(new.outputs)
        if new.init_errors:
            raise PlatformError(
                f"{new.name} is there and recorded, but does not work yet: {'; '.join(new.init_errors)}.",
                "Call again; it is updated then.",
            )
        self._report.ends(op, new, changed)
        with self._setbacks.aside():
            self._hooks.after(hook, new, old)
        return new

    def _stays(self, old: Resource) -> bool:
        """Whether its provider is not to be asked to delete it."""
        return old.is_provider or old.external or old.retain_on_delete or old.deleted_with in self.doomed

    @contextmanager
    def _asking(self, kind: str, resource: Resource) -> Iterator[None]:
        """Around the one call that changes the world: recorded before, and forgotten only when its outcome is known."""
        self._state.begin(kind, resource)
        try:
            yield
        except Gone:
            raise
        except TrivetError:
            self._state.put({}, resource)
            raise
        faults.point(f"engine.{kind}.done")
