"""Where jobs and workflow runs keep their working folders."""

from __future__ import annotations

from typing import Any

import pulumi

from trivet.infra.stacks.local.storage import Folder, FolderProvider, located


class JobsProvider(FolderProvider):
    """The jobs' folder: what runs in it ends before it goes."""

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        from trivet.platforms.local.jobs import stop

        stop(located(_id))
        super().delete(_id, _props)


class JobsFolder(Folder):
    """The folder of jobs and workflow runs."""

    provider = JobsProvider


def create(home: str, options: pulumi.ResourceOptions) -> JobsFolder:
    """The jobs' folder."""
    return JobsFolder("jobs", f"{home}/jobs", home, options)
