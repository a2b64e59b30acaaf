"""Folders: of the stack, of the store and of records."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider

from trivet.core.files import private_folder
from trivet.core.layout import project_root

ENDPOINTS = "endpoints"


def located(path: str) -> Path:
    """A path of the state on this machine: relative to the project root, unless ``TRIVET_HOME`` moved it."""
    return project_root() / path


def file_url(path: str, home: str) -> str:
    """``path`` as the outputs give it: relative to the stack's home."""
    return f"file:{Path(path).relative_to(home)}"


class FolderProvider(ResourceProvider):
    """A private folder; deleting it deletes what is in it."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        private_folder(located(props["path"]))
        return CreateResult(props["path"], {"path": props["path"]})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        moved = _olds["path"] != _news["path"]
        return DiffResult(changes=moved, replaces=["path"] if moved else [], delete_before_replace=True)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        there = located(id_).is_dir()
        return ReadResult(id_ if there else "", props if there else {})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        folder = located(_id)
        if folder.exists():
            shutil.rmtree(folder)


class HomeProvider(FolderProvider):
    """The stack's folder: an endpoint that an update cut short has left in it ends before it goes."""

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        from trivet.platforms.local.endpoints import stop

        for folder in located(_id).glob(f"{ENDPOINTS}/*"):
            stop(folder)
        super().delete(_id, _props)


class Folder(Resource):
    """A folder of the stack."""

    path: pulumi.Output[str]
    provider: type[FolderProvider] = FolderProvider

    def __init__(self, name: str, path: str, home: str = "", opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(self.provider(), name, {"path": path}, opts)
        self.url = self.path.apply(lambda at: file_url(at, home or path))


class HomeFolder(Folder):
    """The folder in which everything of the stack lies."""

    provider = HomeProvider


def create(home: str, options: pulumi.ResourceOptions) -> dict[str, Folder]:
    """The store's folder and that of the records."""
    return {name: Folder(name, f"{home}/{name}", home, options) for name in ("store", "records")}
