"""What to do with one resource: check, compare, then create, update, replace, delete or leave it the same.

The rules are Pulumi's own engine's. Creates are ordered by the program, which registers a resource when its inputs are
known; deletes are ordered by :mod:`~trivet.infra.engine.deletes`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from trivet.core.errors import ConfigError, TrivetError
from trivet.infra.engine.checkpoint import now
from trivet.infra.engine.deletes import Deletes
from trivet.infra.engine.events import Report
from trivet.infra.engine.gate import Gate
from trivet.infra.engine.hooks import Hooks
from trivet.infra.engine.operations import Operations
from trivet.infra.engine.outside import Outside
from trivet.infra.engine.paths import differ, ignoring, parse
from trivet.infra.engine.plugins import VERSION
from trivet.infra.engine.policy import Policies
from trivet.infra.engine.provider import Diff, Provider
from trivet.infra.engine.providers import Providers
from trivet.infra.engine.setbacks import Setbacks
from trivet.infra.engine.state import STACK_TYPE, Changes, Resource, State, refuse_to_replace
from trivet.infra.engine.targets import Targets
from trivet.infra.engine.values import UNKNOWN, Properties, has_unknown, mark_like, reveal


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


@dataclass(frozen=True)
class Run:
    """How one operation is to be carried out.

    :param preview: whether to change nothing.
    :param destroys: whether the program runs only so that its hooks are there while everything is deleted.
    :param goes_on: whether one failure leaves what does not need it going.
    :param parallel: how many steps at once.
    """

    preview: bool
    destroys: bool = False
    goes_on: bool = False
    parallel: int = 16
    targets: Targets = field(default_factory=Targets)


class Steps:
    """Carries out steps on one state. :meth:`register` may be called from many threads at once."""

    def __init__(
        self,
        state: State,
        providers: Providers,
        policies: Policies,
        hooks: Hooks,
        report: Report,
        gate: Gate,
        run: Run,
    ) -> None:
        self.state = state
        self.providers = providers
        self._policies = policies
        self.hooks = hooks
        self._report = report
        self._gate = gate
        self._run = run
        self._targets = run.targets
        self._setbacks = Setbacks(report, go_on=run.goes_on)
        self._operations = Operations(state, providers, hooks, self._setbacks, report, preview=run.preview)
        self._deletes = Deletes(state, self._operations, run.targets, self._setbacks, gate)
        self._outside = Outside(state, providers, report, preview=run.preview)
        self._claimed: set[str] = set()
        self._matched: set[int] = set()
        self._replaced: set[str] = set()
        self._stack_outputs: Properties | None = None
        self._finishing: dict[str, Callable[[Properties], None]] = {}
        self._turn = threading.Lock()
        self._slots = threading.BoundedSemaphore(run.parallel)

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
        if self._run.destroys:
            return found[1] if found else want
        if found and found[1].custom != want.custom:
            raise ConfigError(f"{want.urn} cannot turn from a component into another resource, or back.", "Rename it.")
        if self._setbacks.stop(want):
            return want
        with self._slots, self._setbacks.of(want):
            self._gate.check()  # another one may have failed while this one waited
            return self._make(goal, found)
        return want

    def fails(self, urn: str) -> bool:
        """Whether it could not be made what the program wants."""
        return urn in self._setbacks

    def is_left_out(self, urn: str) -> bool:
        """Whether nothing is known of it: it is not there, and is no target or the program only comes to delete it."""
        return urn in self._targets.left_out or (self._run.destroys and self.state.find([urn]) is None)

    def _make(self, goal: Goal, found: tuple[int, Resource] | None) -> Resource:
        want = goal.want
        taken = self._targets.take(want, *([found[1].urn] if found else []))
        if not (taken or (found and found[1].pending_replacement)):  # what had to go before another comes back
            return self._untouched(want, found)
        self._targets.check(want)
        if has_unknown(want.inputs) and not self._run.preview:
            raise ConfigError(f"{want.name} needs a value that is not known: what it comes from failed or is left out.")
        if want.is_provider:
            given = {VERSION: goal.version} if goal.version else {}
            return self._entry(replace(want, inputs=want.inputs | given), found)
        return self._custom(goal, found) if want.custom else self._component(want, found)

    def _untouched(self, want: Resource, found: tuple[int, Resource] | None) -> Resource:
        """What is no target stays as it is, or stays out."""
        if found is None:
            self._targets.left_out.add(want.urn)
            return want
        self._admitted(found[1])
        self._report.ends("same", found[1])
        return found[1]

    def read(self, want: Resource, version: str) -> Resource:
        """A resource that is there already and that the program only looks at.

        :raises ConfigError: when it is not there.
        """
        with self._turn:
            self._claim(want.urn)
            found = self.state.find([want.urn])
        if self._run.destroys:
            return found[1] if found else want
        if self._setbacks.stop(want):
            return want
        with self._slots, self._setbacks.of(want):
            self._gate.check()
            if want.id == UNKNOWN and not self._run.preview:
                raise ConfigError(f"The id of {want.name} is not known: what it comes from failed or is left out.")
            return self._outside.read(self._served(want, version), found)
        return want

    def _claim(self, urn: str) -> None:
        if urn in self._claimed:
            raise ConfigError(f"Two resources have the URN {urn}.", "Give one another name.")
        self._claimed.add(urn)

    def invoke(self, package: str, reference: str, version: str, function: str, arguments: Properties) -> Properties:
        """What a function of a provider gives. It takes no step's place: a hook of a step may call one."""
        self._gate.check()
        return self.providers.invoke(package, reference, version, function, arguments)

    def provider(self, token: str, reference: str, version: str) -> Provider:
        """The provider that the program names, or the default one of a type's or a function's package."""
        self._gate.check()
        return self.providers.of(reference or self._default(token.split(":", 1)[0], version).reference)

    def outputs(self, urn: str, outputs: Properties) -> None:
        """Record what a component registers as its outputs: with that it is complete."""
        found = self.state.find([urn])
        if found and found[1].type == STACK_TYPE:
            self._stack_outputs = outputs  # recorded in the end: a run that fails keeps what was known before
            return
        if found and found[1].outputs != outputs and not (self._run.preview or self._run.destroys):
            self.state.put({found[0]: replace(found[1], outputs=outputs)})
        finish = self._finishing.pop(urn, None)
        if finish:
            finish(outputs)

    def finish(self) -> None:
        """Delete what was not registered, dependents first, and what replacements left behind.

        :raises ConfigError: before anything is deleted, when one of them is protected.
        :raises TrivetError: what failed before, where it went on after that.
        """
        kept, matched = (set(), set()) if self._run.destroys else (self._claimed, self._matched)
        try:
            self._deletes.prune(kept, matched)
            self._setbacks.raise_first()
        except TrivetError:
            self._record_stack_outputs(whole=False)
            raise
        self._record_stack_outputs(whole=True)

    def _record_stack_outputs(self, *, whole: bool) -> None:
        """:param whole: whether everything went well; else only those that are known are new."""
        found = next(((key, one) for key, one in self.state.resources.items() if one.type == STACK_TYPE), None)
        if found is None or self._stack_outputs is None or self._run.preview or self._run.destroys:
            return
        key, stack = found
        known = {name: value for name, value in self._stack_outputs.items() if not has_unknown(value)}
        self.state.put({key: replace(stack, outputs=self._stack_outputs if whole else stack.outputs | known)})

    def hold_policies(self) -> None:
        """Hold the policies over the whole stack.

        :raises GateRefused: when a mandatory one is violated.
        """
        live = [one for _, one in self.state.ordered() if not one.delete]
        self._policies.admit_stack((one, self._entry_of(one)) for one in live)

    def refresh(self, *, first: bool = False) -> None:
        """Take over what changed outside.

        :param first: whether to do what the program says after it.
        """
        self._outside.refresh(self._targets, self._gate, first=first)

    def _entry(self, want: Resource, found: tuple[int, Resource] | None) -> Resource:
        """A provider that the program makes."""
        op, changes, new = self.providers.step(want, found)
        self.state.put(changes)
        self._report.ends(op, new)
        return new

    def _component(self, want: Resource, found: tuple[int, Resource] | None) -> Resource:
        want = self._policies.admit(want)
        key, old = found or (None, None)
        op = "create" if old is None else "same" if old.inputs == want.inputs else "update"
        new = replace(want, outputs=old.outputs, created=old.created, modified=old.modified) if old else want
        if op != "same":
            self.hooks.before(op, want, old)
            new = replace(new, created=new.created or now(), modified=now())
            self._finishing[want.urn] = lambda outputs: self._after(op, replace(new, outputs=outputs), old)
        self.state.put({key: new})
        self._report.ends(op, new)
        return new

    def _after(self, op: str, new: Resource, old: Resource | None) -> None:
        with self._setbacks.aside():
            self.hooks.after(op, new, old)

    def _custom(self, goal: Goal, found: tuple[int, Resource] | None) -> Resource:
        want, wish = self._served(goal.want, goal.version), goal.delete_before_replace
        provider = self.providers.of(want.provider)
        if want.import_id and not (found and _is_imported(found[1], want.import_id)):
            return self._outside.adopt(provider, want, found, partial(self._admitted, wish=wish))
        if found is None:
            return self._operations.create(provider, self._checked(provider, want, wish))
        key, old = found
        want = ignoring(want, old)
        checked = self._checked(provider, want, wish, old.inputs)
        diff = provider.diff(old, checked.inputs, want.ignore_changes)
        unfinished = self.state.unfinished(old)  # it may have been done, or not
        replaces = (
            _replaces(diff, want, old.inputs, checked.inputs)
            or self.providers.changed(old, want.provider)
            or not self._targets.replaces.isdisjoint((old.urn, want.urn))
            or not self._replaced.isdisjoint((*want.replace_with, want.deleted_with))
            or self._is_left_behind(old, want)
            or self._is_triggered(old, want)
        )
        if replaces or old.external or old.pending_replacement or unfinished == "deleting":
            # Without the old inputs, or a name that the provider chose would be chosen again and the old one's deletion
            # would take the new one with it.
            fresh = self._checked(provider, want, wish)
            first = (diff.delete_before_replace if wish is None else wish) or unfinished == "deleting"
            return self._replace(provider, key, old, fresh, diff.names, delete_first=first)
        new = replace(
            checked,
            id=old.id,
            outputs=mark_like(old.outputs, checked.inputs, want.additional_secret_outputs),
            created=old.created,
            modified=old.modified,
        )
        if diff.changes or unfinished == "updating" or old.init_errors:
            return self._operations.update(provider, key, old, new, diff.names)
        self.state.put({key: new})
        self._report.ends("same", new)
        return new

    def _checked(
        self, provider: Provider, want: Resource, wish: bool | None, old: Properties | None = None
    ) -> Resource:
        """The resource with the inputs as its provider completes them, where the policies let it pass."""
        return self._admitted(replace(want, inputs=provider.check(want, old or {})), wish)

    def _admitted(self, want: Resource, wish: bool | None = None) -> Resource:
        """:param wish: whether the program wants it deleted before it is replaced."""
        return self._policies.admit(want, self._entry_of(want), wish)

    def _entry_of(self, resource: Resource) -> Resource | None:
        return self.providers.entry(resource.provider) if resource.provider else None

    def _replace(
        self,
        provider: Provider,
        key: int,
        old: Resource,
        want: Resource,
        changed: Sequence[str],
        *,
        delete_first: bool,
    ) -> Resource:
        refuse_to_replace(old)
        self._replaced.add(want.urn)
        if not (delete_first or old.pending_replacement):
            also: Changes = {key: replace(old, delete=True)}
            return self._operations.create(provider, want, "replace", also=also, changed=changed)
        if not old.pending_replacement:
            with self._turn:
                for other, dependent in self._must_go_before(old):
                    self._operations.delete(other, dependent, leaves=replace(dependent, pending_replacement=True))
                self._operations.delete(key, old, leaves=replace(old, pending_replacement=True))
        return self._operations.create(provider, want, "replace", key=key, changed=changed)

    def _must_go_before(self, old: Resource) -> list[tuple[int, Resource]]:
        """The dependents, last first, that would be replaced once the properties that they take from ``old`` change."""
        gone = {old.urn}
        dependents: list[tuple[int, Resource]] = []
        for key, other in self.state.ordered():
            deps = other.property_dependencies
            taken = [name for name in other.inputs if not gone.isdisjoint(deps.get(name, ()))]
            goes_along = not gone.isdisjoint((other.deleted_with, *other.replace_with))
            if not (taken or goes_along) or other.delete or other.pending_replacement or other.urn in self._claimed:
                continue
            if not other.custom or other.is_provider:
                continue
            if goes_along or self._would_be_replaced(other, taken):
                if other.protect:
                    raise ConfigError(f"{other.name} would be replaced with {old.name}, but is protected.")
                if self._targets.excludes and not self._targets.take(other):
                    raise ConfigError(
                        f"{other.name} would have to be replaced with {old.name}, but is excluded.",
                        "Exclude both or neither.",
                    )
                gone.add(other.urn)
                dependents.append((key, other))
        return dependents[::-1]

    def _would_be_replaced(self, other: Resource, taken: list[str]) -> bool:
        inputs = other.inputs | dict.fromkeys(taken, UNKNOWN)
        diff = self.providers.of(other.provider).diff(other, inputs)
        return _replaces(diff, other, other.inputs, inputs)

    def _is_left_behind(self, old: Resource, want: Resource) -> bool:
        """Whether a run that was cut short replaced what it is to be replaced with, but not this one."""
        leaders = (self.state.find([urn]) for urn in {*old.replace_with} & {*want.replace_with})
        return any(found is not None and found[1].created > old.created for found in leaders)

    def _is_triggered(self, old: Resource, want: Resource) -> bool:
        """Whether the value changed with which the program asks for another object.

        :raises ConfigError: when it is not known even now.
        """
        if has_unknown(want.replacement_trigger) and not self._run.preview:
            raise ConfigError(f"The replacement trigger of {want.name} is not known.")
        before, after = reveal(old.replacement_trigger), reveal(want.replacement_trigger)
        return has_unknown([before, after]) or (None not in (before, after) and before != after)

    def _served(self, want: Resource, version: str) -> Resource:
        """The resource with the provider by which it is served."""
        return want if want.provider else replace(want, provider=self._default(want.package, version).reference)

    def _default(self, package: str, version: str) -> Resource:
        return self.providers.default(package, version)


def _is_imported(old: Resource, wanted: str) -> bool:
    """Whether it is the object that was to be imported, or has come in its place since."""
    return not old.external and wanted == (old.import_id or old.id)


def _replaces(diff: Diff, want: Resource, old: Properties, new: Properties) -> bool:
    """Whether a change makes another object necessary, to the provider or to the program."""
    paths = map(parse, want.replace_on_changes)
    return diff.replaces or (diff.changes and any(differ(path, old, new) for path in paths))
