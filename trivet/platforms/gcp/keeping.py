"""What the store keeps of one endpoint: what was wanted last, what a pause has taken, and a release under way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import Field

from trivet.core.document import Document
from trivet.core.errors import NotFound
from trivet.core.platform import Store
from trivet.platforms.gcp.deployed import Plan

D = TypeVar("D", bound=Document)


class Wanted(Document):
    """What is deployed, in the order of its releases, or was before a pause."""

    plan: Plan


class Begun(Document):
    """A release that is not over: what it is to be, how the traffic was split before, and what deploys each of it."""

    ids: tuple[str, ...]
    before: dict[str, int]
    operations: dict[str, str] = Field(default_factory=dict)


class Failed(Document):
    """Why the last release was taken back."""

    reason: str


class Keeping:
    """What is kept of one endpoint, by the name that the stack gives it."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        folder = f"endpoints/{name}"
        keys = (f"{folder}/{what}.json" for what in ("wanted", "paused", "rollout", "failed"))
        self._wanted, self._paused, self._begun, self._failed = keys

    def want(self, plan: Plan) -> None:
        """Remember what serves, in this order."""
        self._store.put(self._wanted, Wanted(plan=plan).canonical())

    def wanted(self) -> Plan:
        """What was wanted last; empty when nothing was."""
        found = self._read(self._wanted, Wanted)
        return found.plan if found else ()

    def pause(self, plan: Plan) -> None:
        """Remember what serves, which is about to be taken off."""
        self._store.put(self._paused, Wanted(plan=plan).canonical())

    def paused(self) -> Plan | None:
        """What served before a pause; none when there was none."""
        found = self._read(self._paused, Wanted)
        return found.plan if found else None

    def begin(self, plan: Plan, split: Mapping[str, int]) -> dict[str, int]:
        """Remember how the traffic is split before a release, and return that.

        One that was begun before, and not ended since whoever did so was killed, is the same release: what it has
        changed already is not what there was before.
        """
        ids = tuple(one.id for one in plan)
        earlier = self._read(self._begun, Begun)
        if earlier and earlier.ids == ids:
            return earlier.before
        self._store.put(self._begun, Begun(ids=ids, before=dict(split)).canonical())
        return dict(split)

    def begun(self) -> tuple[str, ...]:
        """Of what a release is that is under way, or was left so; empty where none is."""
        found = self._read(self._begun, Begun)
        return found.ids if found else ()

    def deploys(self, one: str, operation: str) -> None:
        """Remember by its name what deploys one of the release that is under way."""
        if found := self._read(self._begun, Begun):
            changed = found.model_copy(update={"operations": {**found.operations, one: operation}})
            self._store.put(self._begun, changed.canonical())

    def deploying(self, one: str) -> str:
        """The operation that deploys it; empty where none is known."""
        found = self._read(self._begun, Begun)
        return found.operations.get(one, "") if found else ""

    def over(self, plan: Plan) -> None:
        """The release serves."""
        self._end(plan)
        for key in (self._failed, self._paused):
            self._store.delete(key)

    def fail(self, plan: Plan, reason: str) -> None:
        """The release was taken back."""
        self._store.put(self._failed, Failed(reason=reason).canonical())
        self._end(plan)

    def failed(self) -> str:
        """Why the last release was taken back; empty where it was not."""
        found = self._read(self._failed, Failed)
        return found.reason if found else ""

    def forget(self) -> None:
        """Nothing is wanted any more."""
        for key in (self._begun, self._failed, self._paused, self._wanted):
            self._store.delete(key)

    def _end(self, plan: Plan) -> None:
        if self.begun() == tuple(one.id for one in plan):  # else another one was begun since
            self._store.delete(self._begun)

    def _read(self, key: str, kind: type[D]) -> D | None:
        try:
            return kind.model_validate_json(self._store.get(key))
        except NotFound:
            return None
