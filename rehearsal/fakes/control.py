"""``/trivet-fake/``: what a test says to any fake and asks of it. No part of a cloud."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

from trivet.core.errors import TrivetError
from trivet.rehearsal.fakes.constraints import Switches
from trivet.rehearsal.fakes.containers import Runtime
from trivet.rehearsal.fakes.faults import Faults
from trivet.rehearsal.fakes.handle import PREFIX
from trivet.rehearsal.fakes.refusing import Answer, Refused
from trivet.rehearsal.fakes.settings import Adjustable


class AnyWorld(Protocol):
    """What a running fake holds, as far as this looks at it."""

    @property
    def runtime(self) -> Runtime:
        """Its containers."""
        ...

    @property
    def constraints(self) -> Switches:
        """What holds."""
        ...

    @property
    def settings(self) -> Adjustable:
        """How it is set."""
        ...


class AnyCalls(Protocol):
    """The list of calls."""

    def all(self) -> list[dict[str, str]]:
        """In order."""
        ...

    def clear(self) -> None:
        """Forget them."""
        ...


class AnyControl:
    """Answers JSON with JSON; 400 with a sentence where something is wrong. A fake adds verbs of its own."""

    def __init__(self, world: AnyWorld, calls: AnyCalls, faults: Faults[Any], forget: Callable[[], None]) -> None:
        """
        :param forget: ends what runs and forgets what was made.
        """
        self._held = world
        self._forget = forget
        self._calls = calls
        self._faults = faults

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """One request."""
        verb = getattr(self, f"_{method.lower()}_{path.removeprefix(PREFIX).replace('-', '_')}", None)
        if verb is None:
            return _json(404, {"message": f"The control API has no {method} {path}."})
        try:
            return _json(200, verb(json.loads(body or b"{}")))
        except (TrivetError, Refused) as error:
            return _json(400, {"message": str(error)})
        except (KeyError, TypeError, ValueError) as error:
            return _json(400, {"message": f"{type(error).__name__}: {error}"})

    def _post_reset(self, _given: dict[str, Any]) -> dict[str, Any]:
        self._faults.clear()
        self._forget()
        self._held.constraints.reset()
        self._calls.clear()
        return {}

    def _get_state(self, _given: dict[str, Any]) -> dict[str, Any]:
        return {"mode": self._held.runtime.mode, "constraints": self._held.constraints.states()}

    def _get_calls(self, _given: dict[str, Any]) -> list[dict[str, str]]:
        return self._calls.all()

    def _delete_calls(self, _given: dict[str, Any]) -> dict[str, Any]:
        self._calls.clear()
        return {}

    def _get_processes(self, _given: dict[str, Any]) -> list[int]:
        return self._held.runtime.pids()

    def _post_settings(self, given: dict[str, Any]) -> dict[str, Any]:
        self._held.settings.change(given)
        return {}

    def _post_constraint(self, given: dict[str, Any]) -> dict[str, Any]:
        self._held.constraints.switch(given["name"], given["on"])
        return {}

    def _post_fault(self, given: dict[str, Any]) -> dict[str, Any]:
        self._faults.add(given)
        return {}

    def _delete_fault(self, _given: dict[str, Any]) -> dict[str, Any]:
        self._faults.clear()
        return {}


def _json(status: int, content: Any) -> Answer:
    return status, [("Content-Type", "application/json")], json.dumps(content).encode()
