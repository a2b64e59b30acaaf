"""The provider plugins: executables on PATH, and the SDK's own for dynamic providers."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from trivet.core.errors import Unsupported
from trivet.infra.engine.children import Child
from trivet.infra.engine.events import Report
from trivet.infra.engine.provider import Provider
from trivet.infra.engine.state import Resource
from trivet.infra.engine.values import Properties, reveal

DYNAMIC = "pulumi-python"  # the package of dynamic resources, whose plugin ships with the Pulumi SDK
VERSION = "version"  # the input of a provider entry that is the engine's, not the provider's


class Plugins:
    """The provider plugins of one operation: a process per provider entry, started when first needed."""

    def __init__(
        self,
        project: str,
        program: Path,
        config: Mapping[str, str],
        env: Mapping[str, str],
        report: Report,
    ) -> None:
        self._folder = program if program.is_dir() else program.parent
        self._config = dict(config)
        path = os.pathsep.join(filter(None, [str(self._folder), env.get("PYTHONPATH", "")]))
        self._env = {**env, "PULUMI_PROJECT": project, "PYTHONPATH": path}
        self._report = report
        self._engine = ""
        self._children: list[Child] = []
        self._begun: dict[str, Child] = {}
        self._greeted: dict[str, Provider] = {}
        self._configured: dict[tuple[str, str, str], Provider] = {}
        self._lock = threading.Lock()

    def serve(self, engine: str) -> None:
        """Tell where the engine's own service is; before any plugin starts."""
        self._engine = engine

    def has(self, package: str) -> bool:
        """Whether there is an executable for it."""
        return self._executable(package) is not None

    def start(self, package: str) -> None:
        """Start a process for a package's provider without waiting for it."""
        if package not in self._begun:
            self._begun[package] = self._child(package)

    def greeted(self, entry: Resource) -> Provider:
        """The provider of an entry that is not configured yet, or only so with other inputs.

        :raises Unsupported: naming a package that has no plugin here.
        """
        with self._lock:
            return self._greeted_of(entry)

    def of(self, entry: Resource) -> Provider:
        """The provider of an entry, configured with the entry's inputs."""
        key = entry.urn, entry.id, json.dumps(reveal(entry.inputs), sort_keys=True)
        with self._lock:
            if key not in self._configured:
                provider = self._greeted_of(entry)
                provider.configure(entry, self._arguments(entry))
                self._configured[key] = self._greeted.pop(entry.urn)
            return self._configured[key]

    def cancel(self) -> None:
        """Ask every plugin to end what it does soon."""
        for provider in (*self._greeted.values(), *self._configured.values()):
            provider.cancel()

    def stop(self) -> None:
        """End every plugin."""
        for provider in (*self._greeted.values(), *self._configured.values()):
            provider.close()
        for child in self._children:
            child.stop()

    def _greeted_of(self, entry: Resource) -> Provider:
        if entry.urn not in self._greeted:
            package = entry.package_served
            child = self._begun.pop(package, None) or self._child(package)
            provider = Provider(child.channel(), child.ended)
            provider.handshake(self._engine, str(self._folder))
            asked = reveal(entry.inputs.get(VERSION, ""))
            if asked and (found := provider.version()) and found != asked:
                self._report.diagnostic(
                    "warning", f"The program asks for version {asked} of the plugin '{package}'; {found} is on PATH."
                )
            self._greeted[entry.urn] = provider
        return self._greeted[entry.urn]

    def _child(self, package: str) -> Child:
        what = f"The provider plugin '{package}'"
        command = [*self._command(package), self._engine]
        child = Child(what, command, self._folder, self._env)
        child.hear(self._report.line)
        self._children.append(child)
        return child

    def _command(self, package: str) -> list[str]:
        if package == DYNAMIC:
            return [sys.executable, "-u", "-m", "pulumi.dynamic"]
        found = self._executable(package)
        if found is None:
            raise Unsupported(
                f"There is no provider plugin for the package '{package}': no pulumi-resource-{package} is on PATH.",
                "Use the pulumi CLI, which downloads it.",
            )
        return [found]

    def _executable(self, package: str) -> str | None:
        return shutil.which(f"pulumi-resource-{package}", path=self._env.get("PATH"))

    def _arguments(self, entry: Resource) -> Properties:
        """What an entry is configured with. Dynamic providers are told the stack's whole config, since each of them
        reads its own part."""
        if entry.package_served == DYNAMIC:
            return dict(self._config)
        return {name: value for name, value in entry.inputs.items() if name != VERSION}
