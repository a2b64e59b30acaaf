"""Where the model registry keeps its SQLite file."""

from __future__ import annotations

import pulumi

from trivet.infra.stacks.local.storage import Folder


def create(home: str, options: pulumi.ResourceOptions) -> Folder:
    """The registry's folder; MLflow makes the database in it with the first registration."""
    return Folder("registry", f"{home}/registry", home, options)
