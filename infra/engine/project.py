"""``Pulumi.yaml``, as the pulumi CLI reads it. Nothing heavy is imported: the program's process starts by it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from trivet.core.errors import ConfigError, Unsupported

_DESCRIPTIVE = {"description", "author", "website", "license", "template"}
_RUNTIME_OPTIONS = {"virtualenv", "toolchain"}


@dataclass(frozen=True)
class Project:
    """One ``Pulumi.yaml``."""

    root: Path
    name: str
    main: Path
    backend_url: str | None

    @classmethod
    def load(cls, root: Path) -> Project:
        """:raises Unsupported: for a setting that this engine does not implement."""
        path = root / "Pulumi.yaml"
        if not path.is_file():
            raise ConfigError(f"There is no Pulumi.yaml in {root}.", "Call this in a project's root.")
        data = mapping(path)
        unknown = data.keys() - _DESCRIPTIVE - {"name", "runtime", "main", "backend"}
        if unknown:
            raise unsupported(f"the setting '{min(unknown)}' of Pulumi.yaml")
        runtime = data.get("runtime")
        options = runtime.get("options") or {} if isinstance(runtime, dict) else {}
        language = runtime.get("name") if isinstance(runtime, dict) else runtime
        if language != "python":
            raise unsupported(f"the runtime {language!r}")
        if options.keys() - _RUNTIME_OPTIONS:
            raise unsupported(f"the runtime option '{min(options.keys() - _RUNTIME_OPTIONS)}'")
        return cls(root, data["name"], root / data.get("main", "."), (data.get("backend") or {}).get("url"))


def mapping(path: Path) -> dict[str, Any]:
    """The settings in a file, by name.

    :raises ConfigError: for a file that holds something else.
    """
    try:
        data = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {str(error).splitlines()[0]}.") from error
    if not isinstance(data, dict | None):
        raise ConfigError(f"{path} does not hold settings by name.")
    return data or {}


def unsupported(what: str) -> Unsupported:
    """The error of what the CLI takes and this engine does not."""
    return Unsupported(f"The embedded engine does not implement {what}.", "Leave it out or use the pulumi CLI.")
