"""What to do with one resource: check, compare, then create, update, replace, delete or leave it the same.

The rules are Pulumi's own engine's. Creates are ordered by the program, which registers a resource when its inputs are
known; deletes are ordered here, dependents first.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from trivet.core import faults
from trivet.core.errors import ConfigError, TrivetError
from trivet.infra.engine.checkpoint import now
from trivet.infra.engine.events import Report
from trivet.infra.engine.gate import Gate
from trivet.infra.engine.outside import Outside
from trivet.infra.engine.paths import differ, ignoring, parse
from trivet.infra.engine.plugins import VERSION
from trivet.infra.engine.policy import Policies
from trivet.infra.engine.provider import Diff, Gone, Provider
from trivet.infra.engine.providers import Providers
from trivet.infra.engine.state import STACK_TYPE, Changes, Resource, State, refuse_to_replace
from trivet.infra.engine.targets import Targets
from trivet.infra.engine.values import UNKNOWN, Properties, mark_like


@dataclass(frozen=True)
class Goal:
    """What the program wants of one resource.

    :param want: the resource without id and outputs; its ``aliases`` are all URNs that it may have had.
    :param delete_before_replace: the option; ``None`` leaves it to the provider.
    :param version: of the default provider, where the resource names no provider.
    """

    want: Resource
    delete_before_replace: bool | None = None
    version: str = ""


class Steps:
    """Carries out steps on one state. :meth:`register` may be called from many threads at once."""

    def __init__(
        self,
        state: State,
        providers: Providers,
        policies: Policies,
        report: Report,
        gate: Gate,
        targets: Targets,
        *,
        preview: bool,
        parallel: int,
    ) -> None:
        self.state = state
        self.providers = providers
        self._policies = policies
        self._report = report
        self._gate = gate
        self._targets = targets
        self._outside = Outside(state, providers, report, preview=preview)
        self._preview = preview
        self._claimed: set[str] = set()
        self._matched: set[int] = set()
        self._turn = threading.Lock()
        self._doomed: set[str] = set()
        self._slots = threading.BoundedSemaphore(parallel)

    def register(self, goal: Goal) -> Resource:
        """Make one resource what the program wants; returns the resource as it is now.

        :raises ConfigError: for a second resource of the same URN, a protected one or inputs that the provider refuses.
        :raises PlatformError: when the provider fails.
        """
        want = goal.want
        with self._turn:  # a delete before a replacement may be busy with this very resource
            self._claim(want.urn)
            found = self.state.find((want.urn, *want.aliases), self._matched)
            if found:
                self._matched.add(found[0])
        if found and found[1].custom != want.custom:
            raise ConfigError(f"{want.urn} cannot turn from a component into another resource, or back.", "Rename it.")
        with self._slots:
            self._gate.check()  # another one may have failed while this one waited
            if not self._targets.take(want, *([found[1].urn] if found else [])):
                return self._untouched(want, found)
            self._targets.check(want)
            if want.is_provider:
                given = {VERSION: goal.version} if goal.version else {}
                return self._entry(replace(want, inputs=want.inputs | given), found)
            return self._custom(goal, found) if want.custom else self._component(want, found)

    def is_left_out(self, urn: str) -> bool:
        """Whether it is no target and not there, so that nothing is known of it."""
        return urn in self._targets.left_out

    def _untouched(self, want: Resource, found: tuple[int, Resource] | None) -> Resource:
        """What is no target stays as it is, or stays out."""
        if found is None:
            self._targets.left_out.add(want.urn)
            return want
        self._report.ends("same", found[1])
        return found[1]

    def read(self, want: Resource, version: str) -> Resource:
        """A resource that is there already and that the program only looks at.

        :raises ConfigError: when it is not there.
        """
        with self._turn:
            self._claim(want.urn)
            found = self.state.find([want.urn])
        with self._slots:
            self._gate.check()
            return self._outside.read(self._served(want, version), found)

    def _claim(self, urn: str) -> None:
        if urn in self._claimed:
            raise ConfigError(f"Two resources have the URN {urn}.", "Give one another name.")
        self._claimed.add(urn)

    def invoke(self, package: str, reference: str, version: str, function: str, arguments: Properties) -> Properties:
        """What a function of a provider gives."""
        with self._slots:
            self._gate.check()
            return self.providers.invoke(package, reference, version, function, arguments)

    def outputs(self, urn: str, outputs: Properties) -> None:
        """Record what a component registers as its outputs."""
        found = self.state.find([urn])
        if found and found[1].outputs != outputs and not self._preview:
            self.state.put({found[0]: replace(found[1], outputs=outputs)})

    def prune(self) -> None:
        """Delete what was not registered, dependents first, and what replacements left behind.

        :raises ConfigError: before anything is deleted, when one of them is protected.
        """
        for operation in list(self.state.pending.values()):
            if operation.kind == "creating":
                with self._gate:
                    self._recover(operation.resource)
        doomed = {
            key: resource
            for key, resource in self.state.ordered()
            if resource.delete or not (resource.urn in self._claimed or resource.is_default_provider)
        }
        if not self._targets.are_all:
            doomed = self._targeted(doomed)
        protected = [item.name for item in doomed.values() if item.protect and not item.delete]
        if protected:
            raise ConfigError(
                f"Protected, and so not deleted: {', '.join(protected)}.",
                "Run `up` with protect=False first, or keep them in the program.",
            )
        self._doomed = {resource.urn for resource in doomed.values()}
        for key, resource in reversed(doomed.items()):
            if not (resource.is_default_provider and resource.delete):
                with self._gate:
                    self._delete(key, resource)
        self._drop_idle_providers()

    def _targeted(self, doomed: dict[int, Resource]) -> dict[int, Resource]:
        """Of what is to be deleted, the targets.

        :raises ConfigError: when something that is no target, and stays, needs one of them.
        """
        self._targets.all_found(self._claimed | self.state.urns())
        others = {key: one for key, one in doomed.items() if one.type != STACK_TYPE}
        taken = {key: one for key, one in others.items() if one.delete or self._targets.take(one)}
        gone = {one.urn for one in taken.values()} - self._claimed
        for key, one in self.state.ordered():
            if key not in taken and (needed := gone & set(one.needs)):
                names = ", ".join(sorted(urn.rsplit("::", 1)[-1] for urn in needed))
                raise ConfigError(
                    f"{one.name} depends on {names}, which would be deleted.",
                    "Name it as a target, too, or add --target-dependents.",
                )
        return taken

    def hold_policies(self) -> None:
        """Hold the policies over the whole stack.

        :raises GateRefused: when a mandatory one is violated.
        """
        live = [one for _, one in self.state.ordered() if not one.delete]
        self._policies.admit_stack((one, self._entry_of(one)) for one in live)

    def refresh(self) -> None:
        """Take over what changed outside."""
        self._outside.refresh(self._targets, self._gate)

    def _entry(self, want: Resource, found: tuple[int, Resource] | None) -> Resource:
        """A provider that the program makes."""
        want = self._policies.admit(want)
        op, changes, new = self.providers.step(want, found)
        self.state.put(changes)
        self._report.ends(op, new)
        return new

    def _component(self, want: Resource, found: tuple[int, Resource] | None) -> Resource:
        want = self._policies.admit(want)
        key, old = found or (None, None)
        op = "create" if old is None else "same" if old.inputs == want.inputs else "update"
        new = replace(want, outputs=old.outputs, created=old.created, modified=old.modified) if old else want
        new = new if op == "same" else replace(new, created=new.created or now(), modified=now())
        self.state.put({key: new})
        self._report.ends(op, new)
        return new

    def _custom(self, goal: Goal, found: tuple[int, Resource] | None) -> Resource:
        want = self._served(goal.want, goal.version)
        provider = self.providers.of(want.provider)
        if want.import_id and not (found and _is_imported(found[1], want.import_id)):
            return self._outside.adopt(provider, self._admitted(want), found)
        if found is None:
            return self._create(provider, self._checked(provider, want))
        key, old = found
        want = ignoring(want, old)
        checked = self._checked(provider, want, old.inputs)
        diff = provider.diff(old, checked.inputs, want.ignore_changes)
        unfinished = self.state.unfinished(old)  # it may have been done, or not
        replaces = (
            _replaces(diff, want, old.inputs, checked.inputs)
            or self.providers.changed(old, want.provider)
            or not self._targets.replaces.isdisjoint((old.urn, want.urn))
        )
        if replaces or old.external or old.pending_replacement or unfinished == "deleting":
            # Without the old inputs, or a name that the provider chose would be chosen again and the old one's deletion
            # would take the new one with it.
            fresh = self._checked(provider, want)
            wish = goal.delete_before_replace
            first = (diff.delete_before_replace if wish is None else wish) or unfinished == "deleting"
            return self._replace(provider, key, old, fresh, delete_first=first)
        new = replace(
            checked,
            id=old.id,
            outputs=mark_like(old.outputs, checked.inputs, want.additional_secret_outputs),
            created=old.created,
            modified=old.modified,
        )
        if diff.changes or unfinished == "updating":
            return self._update(provider, key, old, new)
        self.state.put({key: new})
        self._report.ends("same", new)
        return new

    def _checked(self, provider: Provider, want: Resource, old: Properties | None = None) -> Resource:
        """The resource with the inputs as its provider completes them, where the policies let it pass."""
        return self._admitted(replace(want, inputs=provider.check(want, old or {})))

    def _admitted(self, want: Resource) -> Resource:
        return self._policies.admit(want, self._entry_of(want))

    def _entry_of(self, resource: Resource) -> Resource | None:
        return self.providers.entry(resource.provider) if resource.provider else None

    def _update(self, provider: Provider, key: int, old: Resource, want: Resource) -> Resource:
        self._report.begins("update", want)
        if self._preview:
            new = replace(want, outputs=provider.foresee(want, old))
        else:
            with self._asking("updating", old):
                new = replace(want, outputs=provider.update(old, want), modified=now())
        self.state.put({key: new}, old)
        self._report.ends("update", new)
        return new

    def _replace(self, provider: Provider, key: int, old: Resource, want: Resource, *, delete_first: bool) -> Resource:
        refuse_to_replace(old)
        if not (delete_first or old.pending_replacement):
            return self._create(provider, want, "replace", also={key: replace(old, delete=True)})
        if not old.pending_replacement:
            with self._turn:
                for other, dependent in self._must_go_before(old):
                    self._delete(other, dependent, leaves=replace(dependent, pending_replacement=True))
                self._delete(key, old, leaves=replace(old, pending_replacement=True))
        return self._create(provider, want, "replace", key=key)

    def _must_go_before(self, old: Resource) -> list[tuple[int, Resource]]:
        """The dependents, last first, that would be replaced once the properties that they take from ``old`` change."""
        gone = {old.urn}
        dependents: list[tuple[int, Resource]] = []
        for key, other in self.state.ordered():
            deps = other.property_dependencies
            taken = [name for name in other.inputs if not gone.isdisjoint(deps.get(name, ()))]
            if not taken or other.delete or other.pending_replacement or other.urn in self._claimed:
                continue
            inputs = other.inputs | dict.fromkeys(taken, UNKNOWN)
            if not other.custom or other.is_provider:
                continue
            diff = self.providers.of(other.provider).diff(other, inputs)
            if _replaces(diff, other, other.inputs, inputs):
                if other.protect:
                    raise ConfigError(f"{other.name} would be replaced with {old.name}, but is protected.")
                gone.add(other.urn)
                dependents.append((key, other))
        return dependents[::-1]

    def _create(
        self,
        provider: Provider,
        want: Resource,
        op: str = "create",
        *,
        key: int | None = None,
        also: Changes | None = None,
    ) -> Resource:
        """Create and record it, under ``key`` or as an additional resource, in one step with what changes ``also``."""
        self._report.begins(op, want)
        cut_off = self.state.pending.get(want.object)
        if cut_off and (
            cut_off.resource.inputs != want.inputs or self.providers.changed(cut_off.resource, want.provider)
        ):
            self._recover(cut_off.resource)
        if self._preview:
            new = replace(want, outputs=provider.foresee(want))
        else:
            with self._asking("creating", want):
                identity, outputs = provider.create(want)
            new = replace(want, id=identity, outputs=outputs, created=now(), modified=now())
        self.state.put({**(also or {}), **self.state.reborn(new, also or {}), key: new}, want, new)
        self._report.ends(op, new)
        return new

    def _delete(self, key: int, old: Resource, leaves: Resource | None = None) -> None:
        """Delete it, unless that was done or it is to be retained; ``leaves`` is what stays recorded."""
        counts = not (leaves or old.delete or old.pending_replacement)
        self._report.begins("delete", old)
        if old.custom and not (self._stays(old) or old.pending_replacement or self._preview):
            with self._asking("deleting", old):
                self.providers.of(old.provider).delete(old)
        self.state.put({key: leaves}, old)
        if counts:
            self._report.ends("delete", old)

    def _stays(self, old: Resource) -> bool:
        """Whether its provider is not to be asked to delete it."""
        return old.is_provider or old.external or old.retain_on_delete or old.deleted_with in self._doomed

    @contextmanager
    def _asking(self, kind: str, resource: Resource) -> Iterator[None]:
        """Around the one call that changes the world: recorded before, and forgotten only when its outcome is known."""
        self.state.begin(kind, resource)
        try:
            yield
        except Gone:
            raise
        except TrivetError:
            self.state.put({}, resource)
            raise
        faults.point(f"engine.{kind}.done")

    def _recover(self, lost: Resource) -> None:
        """Do a create again that was cut off and is not wanted any more, to learn the id by which to delete it."""
        lost = replace(lost, delete=True)
        self._report.diagnostic("warning", f"Creating {lost.name} was cut off: it is done again, then undone.")
        found = lost
        if not self._preview:
            with self._asking("creating", lost):
                identity, outputs = self.providers.of(lost.provider).create(lost)
            found = replace(lost, id=identity, outputs=outputs, created=now(), modified=now())
        live = self.state.find([lost.urn])
        is_wanted = live is not None and live[1].id == found.id  # it was imported since
        self.state.put({} if is_wanted else {None: found}, lost)

    def _served(self, want: Resource, version: str) -> Resource:
        """The resource with the provider by which it is served."""
        return want if want.provider else replace(want, provider=self._default(want.package, version).reference)

    def _default(self, package: str, version: str) -> Resource:
        return self.providers.default(package, version)

    def _drop_idle_providers(self) -> None:
        used = {urn for resource in self.state.resources.values() for urn in resource.needs}
        idle: Changes = {
            key: None
            for key, resource in self.state.resources.items()
            if resource.is_default_provider and (resource.urn not in used or resource.delete)
        }
        if idle:
            self.state.put(idle)


def _is_imported(old: Resource, wanted: str) -> bool:
    """Whether it is the object that was to be imported, or has come in its place since."""
    return not old.external and wanted == (old.import_id or old.id)


def _replaces(diff: Diff, want: Resource, old: Properties, new: Properties) -> bool:
    """Whether a change makes another object necessary, to the provider or to the program."""
    paths = map(parse, want.replace_on_changes)
    return diff.replaces or (diff.changes and any(differ(path, old, new) for path in paths))
