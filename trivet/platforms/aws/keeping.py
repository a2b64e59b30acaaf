"""What the store keeps of one endpoint while SageMaker holds it no longer, or not yet again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trivet.core.document import Document
from trivet.core.errors import NotFound
from trivet.core.platform import Store
from trivet.platforms.aws import scaling
from trivet.platforms.aws.hosted import Described
from trivet.platforms.aws.scaling import Bounds


class Paused(Document):
    """What an endpoint served before it was paused, and how each variant scaled: the least and the most machines."""

    config: str
    scaling: tuple[Bounds, ...]


class Scaled(Document):
    """How an endpoint's variants scaled before a release was begun that is not over."""

    bounds: tuple[Bounds, ...]


class Keeping:
    """What is kept of one endpoint, by the name that the stack gives it."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._paused_key = f"endpoints/{name}/paused.json"
        self._scaled_key = f"endpoints/{name}/scaled.json"
        self._name = name

    def pause(self, there: Described, bounds: Sequence[Bounds]) -> None:
        """Remember what serves."""
        paused = Paused(config=there["EndpointConfigName"], scaling=tuple(bounds))
        self._store.put(self._paused_key, paused.canonical())

    def paused(self) -> Paused | None:
        """What served before a pause; none when there was none."""
        try:
            return Paused.model_validate_json(self._store.get(self._paused_key))
        except NotFound:
            return None

    def awake(self) -> None:
        """The pause is over."""
        self._store.delete(self._paused_key)

    def begin(self, bounds: Sequence[Bounds]) -> None:
        """Remember how it scales: SageMaker may want that forgotten before it takes an update."""
        if bounds:
            self._store.put(self._scaled_key, Scaled(bounds=tuple(bounds)).canonical())

    def over(self) -> None:
        """It scales as it should."""
        self._store.delete(self._scaled_key)

    def scaled(self, client: Any, endpoint: str) -> list[Bounds]:
        """How the variants scale; where they do not, how they did before a pause or a release that is not over.

        :param endpoint: as SageMaker calls it.
        """
        if now := scaling.bounds(client, endpoint):
            return sorted(now, key=lambda one: one.variant != self._name)
        if paused := self.paused():
            return list(paused.scaling)
        try:
            return list(Scaled.model_validate_json(self._store.get(self._scaled_key)).bounds)
        except NotFound:
            return []
