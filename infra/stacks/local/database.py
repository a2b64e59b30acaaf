"""Where the ledger and the metrics keep their SQLite files."""

from __future__ import annotations

import pulumi

from trivet.infra.stacks.local.storage import Folder


def create(home: str, options: pulumi.ResourceOptions) -> Folder:
    """The databases' folder; each database is made by whoever first writes to it."""
    return Folder("database", f"{home}/database", home, options)
