"""Puts the stand-ins where Pulumi's engines look for provider plugins: into a folder on PATH, for a rehearsal only."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from trivet.core.files import write_atomic
from trivet.rehearsal.plugins.guards import REHEARSAL, STORE
from trivet.rehearsal.plugins.packages import MODULES

# -E -P: what lies in the program's folder, which engines put on PYTHONPATH, must not take the place of our modules.
_SHIM = """#!/bin/sh
exec {python} -E -P -m trivet.rehearsal.plugins {package} "$@"
"""


def write_shims(folder: Path) -> Path:
    """Write an executable ``pulumi-resource-<package>`` for each package, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in MODULES:
        shim = folder / f"pulumi-resource-{package}"
        text = _SHIM.format(python=shlex.quote(sys.executable), package=package)
        write_atomic(shim, text)
        shim.chmod(0o755)
    return folder


def rehearsing(folder: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment with the stand-ins first on PATH and all that they ask for, but for a cloud's endpoint.

    :param folder: for the executables and the strict store, both of which are made.
    """
    plugins = write_shims(folder / "bin")
    path = os.pathsep.join(filter(None, [str(plugins), environment.get("PATH", "")]))
    return {**environment, "PATH": path, REHEARSAL: "1", STORE: str(folder / "store")}
