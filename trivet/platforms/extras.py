"""Packages that only one cloud needs are missing until its extra is installed: say which."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from trivet.core.errors import ConfigError


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Import what the extra ``name`` brings.

    :raises ConfigError: naming the missing package and the command that installs it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        parts = (error.name or "").split(".")
        missing = ".".join(parts[: 2 if parts[0] == "google" else 1])  # google is the roof of many packages
        if missing in ("", "trivet"):
            raise
        raise ConfigError(f"The package {missing} is not installed.", f"Run `pip install 'trivet[{name}]'`.") from error
