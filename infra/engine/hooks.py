"""Hooks: functions of the program that are called before and after something is done to a resource, or when it failed.

What a hook before it raises keeps it from being done; what one after it raises fails the operation, but what was done
stays recorded. The names of hooks are kept in the state, since a resource may be deleted by a later run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pulumi.runtime.proto import callback_pb2, resource_pb2

from trivet.core.errors import ConfigError, PlatformError, TrivetError
from trivet.infra.engine.callbacks import Callbacks
from trivet.infra.engine.events import Report
from trivet.infra.engine.gate import Gate
from trivet.infra.engine.provider import Gone
from trivet.infra.engine.state import Resource
from trivet.infra.engine.values import to_struct

_MOST_RETRIES = 100  # as many as Pulumi's own engine
_ON_ERROR = "OnError"
KINDS = {
    "before_create": "BeforeCreate", "after_create": "AfterCreate",
    "before_update": "BeforeUpdate", "after_update": "AfterUpdate",
    "before_delete": "BeforeDelete", "after_delete": "AfterDelete",
    "on_error": _ON_ERROR,
}  # fmt: skip
"""The kinds of hooks by their names in a registration; the values are those of the state."""

Answer = TypeVar("Answer")


class Hooks:
    """The hooks of one run. Its methods may be called from any thread."""

    def __init__(self, callbacks: Callbacks, gate: Gate, report: Report, *, preview: bool) -> None:
        self._callbacks = callbacks
        self._gate = gate
        self._report = report
        self._preview = preview
        self._hooks: dict[str, resource_pb2.RegisterResourceHookRequest] = {}
        self._on_error: dict[str, callback_pb2.Callback] = {}

    def add(self, hook: resource_pb2.RegisterResourceHookRequest) -> None:
        """Know it by its name from now on.

        :raises ConfigError: when there is one of that name.
        """
        if hook.name in self._hooks:
            raise ConfigError(f"Two hooks have the name '{hook.name}'.", "Give one another name.")
        self._hooks[hook.name] = hook

    def add_on_error(self, hook: resource_pb2.RegisterErrorHookRequest) -> None:
        """The same for one that decides whether to try again."""
        if hook.name in self._on_error:
            raise ConfigError(f"Two error hooks have the name '{hook.name}'.", "Give one another name.")
        self._on_error[hook.name] = hook.callback

    def before(self, op: str, new: Resource | None, old: Resource | None) -> None:
        """Call what is to be called before it.

        :raises TrivetError: when one of them fails: it is not to be done.
        """
        self._run(f"Before{op.capitalize()}", new, old)

    def after(self, op: str, new: Resource | None, old: Resource | None) -> None:
        """Call what is to be called after it.

        :raises TrivetError: when one of them fails.
        """
        self._run(f"After{op.capitalize()}", new, old)

    def trying(self, op: str, new: Resource | None, old: Resource | None, work: Callable[[], Answer]) -> Answer:
        """What ``work`` gives, tried again as long as it fails and a hook wants that.

        :raises TrivetError: the failure of the last try.
        """
        told: list[str] = []
        while True:
            try:
                return work()
            except Gone:  # what was done is not known, so that doing it again could do it twice
                raise
            except TrivetError as error:
                told.insert(0, str(error))
                if self._gate.closed or not self._wants_again(op, new, old, told):
                    raise
                if len(told) > _MOST_RETRIES:
                    self._report.diagnostic("warning", f"{op} was tried {_MOST_RETRIES} times again.")
                    raise
                self._report.diagnostic("warning", f"{error} It is tried again, as a hook wants.")

    def _run(self, kind: str, new: Resource | None, old: Resource | None) -> None:
        resource = _either(new, old)
        for name in resource.resource_hooks.get(kind, ()):
            hook = self._hooks.get(name)
            if hook is None:
                raise _unregistered(resource, name)
            if self._preview and not hook.on_dry_run:
                continue
            what = f"The hook '{name}' ({kind} of {resource.name})"
            asked = resource_pb2.ResourceHookRequest(
                **_about(new, old), new_outputs=to_struct(new.outputs) if new and kind.startswith("After") else None
            )
            answer = resource_pb2.ResourceHookResponse.FromString(self._callbacks.call(hook.callback, asked, what))
            if answer.error and hook.ignore_errors:
                self._report.diagnostic("warning", f"{what} failed: {answer.error}", resource.urn)
            elif answer.error:
                raise PlatformError(f"{what} failed: {answer.error}")

    def _wants_again(self, op: str, new: Resource | None, old: Resource | None, told: Sequence[str]) -> bool:
        resource = _either(new, old)
        asked = resource_pb2.ErrorHookRequest(**_about(new, old), failed_operation=op, errors=told)
        again = False
        for name in resource.resource_hooks.get(_ON_ERROR, ()):
            if name not in self._on_error:
                raise _unregistered(resource, name)
            what = f"The error hook '{name}' of {resource.name}"
            answer = resource_pb2.ErrorHookResponse.FromString(self._callbacks.call(self._on_error[name], asked, what))
            if answer.error:
                raise PlatformError(f"{what} failed: {answer.error}")
            again = again or answer.retry
        return again


def _about(new: Resource | None, old: Resource | None) -> dict[str, Any]:
    """What every hook is told."""
    resource = _either(new, old)
    return {
        "urn": resource.urn,
        "id": resource.id,
        "name": resource.name,
        "type": resource.type,
        "new_inputs": to_struct(new.inputs) if new else None,
        "old_inputs": to_struct(old.inputs) if old else None,
        "old_outputs": to_struct(old.outputs) if old else None,
    }


def _unregistered(resource: Resource, name: str) -> PlatformError:
    return PlatformError(
        f"{resource.name} has the hook '{name}', which the program has not registered.",
        "Run the program with it: destroy needs --run-program for that.",
    )


def _either(new: Resource | None, old: Resource | None) -> Resource:
    resource = new or old
    if resource is None:
        raise ValueError("a hook is about a resource")
    return resource
