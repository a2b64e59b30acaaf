"""How long operations tell what they do, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Progress(Protocol):
    """What a caller hands to a long operation."""

    def step(self, title: str) -> AbstractContextManager[Callable[[str], None]]:
        """Enter a step; call what it gives with a short note of what was found."""
        ...


class Silent:
    """Tells nobody."""

    def step(self, title: str) -> AbstractContextManager[Callable[[str], None]]:  # noqa: ARG002
        """A step that is not shown."""
        return nullcontext(lambda _note: None)
