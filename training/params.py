"""What a user's ``train(frame, params)`` is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


class TrainParams(Mapping[str, Any]):
    """The parameters of one training: the user's own (``params`` in trivet.yaml) as a mapping, and a few more.

    ``features`` names the columns that the model may see, in order. ``target`` names the column to learn: 1 where the
    outcome is the positive one, else 0. ``protected`` names columns that are in the frame so that a training can
    mitigate, and that no model may take. ``seed`` is the one to give to everything that draws lots.
    """

    def __init__(
        self, own: Mapping[str, Any], *, features: tuple[str, ...], target: str, protected: tuple[str, ...], seed: int
    ) -> None:
        self._own = dict(own)
        self.features = features
        self.target = target
        self.protected = protected
        self.seed = seed

    def __getitem__(self, name: str) -> Any:
        return self._own[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)
