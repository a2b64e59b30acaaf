"""Where a stack keeps what it has, on this machine and in its store."""

from __future__ import annotations

import os
from pathlib import Path

from trivet.core.errors import ConfigError

HOME = "TRIVET_HOME"  # variable of the environment
PROJECT_FILE = "Pulumi.yaml"
OUTPUTS_FILE = "outputs.json"

JOB_OUTPUTS = ("training", "outputs")
"""Folders of a stack's store in which jobs may leave what they make; the identity of jobs may write nowhere else."""


def project_root(start: Path | None = None) -> Path:
    """The nearest folder, from ``start`` (default: the working directory) upwards, that has a ``Pulumi.yaml``.

    :raises ConfigError: when there is none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    raise ConfigError(
        f"No {PROJECT_FILE} in {here} or above it.",
        "Run `trivet init NAME --from FILE.csv --target COLUMN` there.",
    )


def trivet_folder(root: Path) -> Path:
    """``<root>/.trivet``, or what ``TRIVET_HOME`` says."""
    override = os.environ.get(HOME)
    return Path(override).resolve() if override else root / ".trivet"


def stack_home(root: Path, stack: str) -> Path:
    """The folder of one stack."""
    return trivet_folder(root) / stack
