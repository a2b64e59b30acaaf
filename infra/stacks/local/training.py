"""Where jobs and workflow runs keep their working folders."""

from __future__ import annotations

import pulumi

from trivet.infra.stacks.local.storage import Folder


def create(home: str, options: pulumi.ResourceOptions) -> Folder:
    """The jobs' folder."""
    return Folder("jobs", f"{home}/jobs", home, options)
