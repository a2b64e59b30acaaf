"""Ways to seed a fault into the graph of a stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .graphs import Stack, graph


class Mutation(NamedTuple):
    """One fault.

    :param seed: puts it into a graph, which it may change.
    """

    name: str
    seed: Callable[[Stack], object]
    profile: str = "aws-prod"

    def seeded(self) -> Stack:
        """The graph with it."""
        faulty = graph(self.profile).copy()
        self.seed(faulty)
        return faulty


def setting(type_: str, name: str, **values: Any) -> Callable[[Stack], object]:
    """Give inputs of one resource other values; ``None`` leaves one out."""

    def seed(stack: Stack) -> None:
        inputs = stack.find(type_, name)
        inputs.update(values)
        for key in [key for key, value in values.items() if value is None]:
            del inputs[key]

    return seed


def without(type_: str, name: str = "") -> Callable[[Stack], object]:
    """Leave resources out, all of a type where no name is said."""

    def seed(stack: Stack) -> None:
        gone = [key for key in stack.keys(type_) if not name or key.endswith(f"::{name}")]
        assert gone
        for key in gone:
            del stack.resources[key]

    return seed


def adding(type_: str, name: str, /, **inputs: Any) -> Callable[[Stack], object]:
    """A resource more."""
    return lambda stack: stack.resources.update({f"{type_}::{name}": inputs})
