"""Endpoint shells: a name, a port chosen once and a folder. The runtime starts a server there later."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, Resource, ResourceProvider

from trivet.core.errors import ConfigError
from trivet.core.files import private_folder
from trivet.infra.settings import EndpointSettings
from trivet.infra.stacks.local.storage import ENDPOINTS, located

HOST = "127.0.0.1"


class ShellProvider(ResourceProvider):
    """Reserves a port by writing it down: nothing listens until the first release."""

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        wanted = news.get("wanted_port")
        if wanted and wanted != (_olds or {}).get("wanted_port"):
            _port(wanted)  # asked before anything is touched: a replacement deletes first
        return CheckResult(news, [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        port = _port(props.get("wanted_port"))
        private_folder(located(props["folder"]))
        return CreateResult(props["name"], {**props, "host": HOST, "port": port})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        replaces = [key for key in ("name", "folder", "wanted_port") if _olds.get(key) != _news.get(key)]
        return DiffResult(changes=bool(replaces), replaces=replaces, delete_before_replace=True)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        there = located(props["folder"]).is_dir()
        return ReadResult(id_ if there else "", props if there else {})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        from trivet.platforms.local.endpoints import stop

        folder = located(_props["folder"])
        if folder.exists():
            stop(folder)
            shutil.rmtree(folder)


def _port(wanted: float | None) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, int(wanted or 0)))
        except OSError as error:
            raise ConfigError(
                f"Port {int(wanted or 0)} of {HOST} is taken ({error.strerror}).",
                "Set another in trivet:endpoints, or none to take a free one.",
            ) from error
        return probe.getsockname()[1]


class Shell(Resource):
    """An endpoint before any model."""

    name: pulumi.Output[str]
    host: pulumi.Output[str]
    port: pulumi.Output[int]
    folder: pulumi.Output[str]

    def __init__(self, settings: EndpointSettings, folder: str, opts: pulumi.ResourceOptions | None = None) -> None:
        self.endpoint, self.most_instances = settings.name, settings.most_instances
        props = {"name": settings.name, "folder": folder, "wanted_port": settings.port, "host": None, "port": None}
        super().__init__(ShellProvider(), f"endpoint-{settings.name}", props, opts)


def create(home: str, endpoints: Sequence[EndpointSettings], options: pulumi.ResourceOptions) -> list[Shell]:
    """A shell for each endpoint."""
    return [Shell(one, f"{home}/{ENDPOINTS}/{one.name}", options) for one in endpoints]
