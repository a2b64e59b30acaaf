"""What is named by ``MODULE:NAME``, so that it is imported only when it is needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def named(where: str) -> Any:
    """The function or class of that name."""
    module, _, name = where.partition(":")
    return getattr(import_module(module), name)
