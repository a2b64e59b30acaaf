"""Which command an image stands for, where there are no images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from trivet.core.errors import ConfigError


@dataclass(frozen=True)
class Image:
    """An image's entry point, and the environment that its Dockerfile sets."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


class Images:
    """A table from glob patterns on an image's URI to entry points; the first that fits counts.

    A value is a list, the entry point, or an object with the members ``argv`` and ``env``.
    """

    def __init__(self, table: Mapping[str, Any]) -> None:
        """:raises ConfigError: where an entry is neither."""
        self._table = {pattern: _image(pattern, entry) for pattern, entry in table.items()}

    @classmethod
    def read(cls, path: Path) -> Images:
        """:raises ConfigError: where the file is no such table."""
        try:
            table = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path} cannot be read as a table of images: {error}.") from error
        if not isinstance(table, dict):
            raise ConfigError(f"{path} is no table of images.", 'Write {"PATTERN": ["COMMAND", …]}.')
        return cls(table)

    def find(self, uri: str) -> Image | None:
        """The image that has this URI, or None: it was never pushed."""
        return next((image for pattern, image in self._table.items() if fnmatchcase(uri, pattern)), None)


def _image(pattern: str, entry: Any) -> Image:
    if isinstance(entry, Sequence):
        entry = {"argv": entry}
    argv, environment = entry.get("argv"), entry.get("env", {})
    if not argv or isinstance(argv, str) or not all(isinstance(part, str) for part in (*argv, *environment.values())):
        raise ConfigError(f"The image {pattern} has no entry point.", 'Give a list of texts, as ["python", "-m", "x"].')
    return Image(tuple(argv), dict(environment))
