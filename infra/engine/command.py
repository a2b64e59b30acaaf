"""Stands in for the pulumi CLI in Pulumi's Automation API: takes the argument lists that the API builds.

What a command line says and this engine does not implement is refused by name; nothing is ignored.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from time import time
from typing import Any

from pulumi.automation import CommandResult, OnOutput
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from trivet.core.errors import ConfigError, Locked, TrivetError, Unsupported, UsageError
from trivet.infra.engine.arguments import parse
from trivet.infra.engine.checkpoint import VERSION, Backend, StateFile, decode, export
from trivet.infra.engine.children import Child
from trivet.infra.engine.events import Report
from trivet.infra.engine.history import Entry, History
from trivet.infra.engine.limits import lines as limits
from trivet.infra.engine.policy import PackSource
from trivet.infra.engine.project import Project
from trivet.infra.engine.settings import StackSettings
from trivet.infra.engine.state import STACK_TYPE, State, verify
from trivet.infra.engine.targets import Targets
from trivet.infra.engine.update import Target, Update
from trivet.infra.engine.values import mask, reveal

_STACK_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_MOST_PARALLEL = 64
_ENGINES_OWN = "pulumi:"  # the namespace of Pulumi's own settings
_OF_PACKS = ("policy_pack", "policy_pack_config")
_TITLES = {"update": "Updating", "refresh": "Refreshing", "destroy": "Destroying"}


class EmbeddedCommand:
    """The object that ``LocalWorkspace(pulumi_command=…)`` takes. An operation runs in the caller's process.

    :ivar version: the version of the CLI whose behaviour the Automation API may expect.
    :ivar host: what runs the program of the next operation, where its caller has started that already.
    """

    command = "trivet-embedded-engine"
    version = VersionInfo.parse(VERSION)

    def __init__(self) -> None:
        self.selected = ""
        self.host: Child | None = None

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnOutput | None = None,
        on_error: OnOutput | None = None,
    ) -> CommandResult:
        """Carry out one command.

        :raises pulumi.automation.errors.CommandError: when it fails; its cause is the error of :mod:`trivet.core`.
        """
        lines: list[str] = []

        def show(line: str) -> None:
            lines.append(line)
            if on_output:
                on_output(line)

        try:
            options = parse(args)
            call = _Call(self, options, Path(cwd), {**os.environ, **additional_env}, show)
            getattr(call, options.command)()
        except TrivetError as error:
            told = f"error: {_as_the_cli_says(error)}"
            if on_error:
                on_error(told)
            raise create_command_error(CommandResult("\n".join(lines), told, 255)) from error
        return CommandResult("\n".join(lines), "", 0)


def _as_the_cli_says(error: TrivetError) -> str:
    """The Automation API tells errors apart by the CLI's words."""
    return f"the stack is currently locked by another process: {error}" if isinstance(error, Locked) else str(error)


class _Call:
    """One command: its options and where it works. Each method without underscore is a command."""

    def __init__(
        self,
        engine: EmbeddedCommand,
        options: argparse.Namespace,
        cwd: Path,
        env: Mapping[str, str],
        show: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._options = options
        self._cwd = cwd
        self._env = env
        self._show = show
        self._project = Project.load(cwd)

    def up(self) -> None:
        self._operate("update", Update.up, preview=False, runs_program=True)

    def preview(self) -> None:
        self._operate("update", Update.up, preview=True, runs_program=True)

    def destroy(self) -> None:
        runs = self._options.run_program == "true"
        self._operate("destroy", Update.destroy, preview=self._options.preview_only, runs_program=runs)

    def refresh(self) -> None:
        def work(update: Update, state: State) -> None:
            if self._options.clear_pending_creates:
                for operation in list(state.pending.values()):
                    state.put({}, operation.resource)
            update.refresh(state)

        self._operate("refresh", work, preview=self._options.preview_only)

    def stack_init(self) -> None:
        settings = self._settings
        self._backend.create(self._project.name, self._stack, settings.vault())
        self._engine.selected = self._stack

    def stack_select(self) -> None:
        self._file.require()
        self._engine.selected = self._stack

    def stack_ls(self) -> None:
        def summary(file: StateFile) -> dict[str, Any]:
            updated, count = file.updated()
            return {
                "name": file.name,
                "current": file.name == self._engine.selected,
                "lastUpdate": updated,
                "updateInProgress": False,
                "resourceCount": count,
            }

        self._print([summary(file) for file in self._backend.stacks(self._project.name)])

    def stack_rm(self) -> None:
        with self._file.locked():
            self._file.require()
            count = self._file.updated()[1]
            if count and not self._options.force:
                raise ConfigError(f"The stack '{self._stack}' still has {count} resources.", "Destroy it first.")
            self._file.remove()
            self._history.remove()
        if not self._options.preserve_config:
            self._settings.delete()

    def stack_output(self) -> None:
        state = self._file.load(self._settings.vault)
        found = [item.outputs for item in state.resources.values() if item.type == STACK_TYPE]
        outputs = found[0] if found else {}
        self._print(reveal(outputs) if self._options.show_secrets else mask(outputs))

    def stack_export(self) -> None:
        state = self._file.load(self._settings.vault)
        self._print(export(state, show_secrets=self._options.show_secrets))

    def stack_import(self) -> None:
        try:
            document = json.loads(Path(self._options.file).read_text())
            found = decode(document["version"], document["deployment"], self._settings.vault)
        except (OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, TrivetError):
                raise
            raise ConfigError(f"{self._options.file} is not what `pulumi stack export` writes.") from error
        resources = [item for _, item in found.ordered()]
        verify(resources)
        ours = f"urn:pulumi:{self._stack}::{self._project.name}::"
        for foreign in (item.urn for item in resources if not item.urn.startswith(ours)):
            raise ConfigError(f"{foreign} is of another stack than '{self._stack}' of '{self._project.name}'.")
        with self._file.locked():
            self._file.require()
            self._file.save(State(resources, found.pending.values(), self._settings.vault()))

    def stack_history(self) -> None:
        self._file.require()
        decrypt = self._settings.vault().decrypt if self._options.show_secrets else None
        self._print(self._history.page(self._options.page_size, self._options.page, decrypt))

    def config_all(self) -> None:
        shown = self._options.show_secrets
        self._print(
            {
                key: {"value": value, "secret": secret} if shown or not secret else {"secret": True}
                for key, (value, secret) in self._settings.values().items()
            }
        )

    def config_get(self) -> None:
        key = self._settings.key(self._options.key)
        values = self._settings.values()
        if key not in values:
            raise ConfigError(f"The configuration key '{key}' is not set for the stack '{self._stack}'.")
        self._print({"value": values[key][0], "secret": values[key][1]})

    def config_set(self) -> None:
        settings = self._settings
        settings.set({settings.key(self._options.key): (self._options.value, self._options.secret)})

    def config_set_all(self) -> None:
        settings = self._settings
        values: dict[str, tuple[str, bool]] = {}
        for secret, pairs in ((False, self._options.plaintext), (True, self._options.secret)):
            for pair in pairs:
                key, separator, value = pair.partition("=")
                if not separator:
                    raise UsageError(f"'{pair}' is not KEY=VALUE.")
                values[settings.key(key)] = (value, secret)
        settings.set(values)

    def config_rm(self) -> None:
        settings = self._settings
        settings.remove([settings.key(key) for key in self._options.keys])

    def _operate(
        self,
        kind: str,
        work: Callable[[Update, State], None],
        *,
        preview: bool,
        runs_program: bool = False,
    ) -> None:
        options = self._options
        log = Path(options.event_log) if options.event_log else None
        report = Report(self._show, log, preview=preview)
        started, begun, result = time(), False, "failed"
        try:
            self._file.require()
            target = self._target()
            report.line(f"{'Previewing' if preview else _TITLES[kind]} ({self._stack}) with the embedded engine")
            if options.verbose:
                report.line("\n".join(["What it is not:", *limits()]))
            with (
                Update(
                    target, report, packages=self._file.packages(), preview=preview, runs_program=runs_program
                ) as update,
                self._state(preview=preview) as state,
            ):
                begun = True
                try:
                    work(update, state)
                finally:
                    report.summary()
            if options.expect_no_changes and report.changes.keys() - {"same", "read", "refresh"}:
                raise ConfigError("No changes were expected, but there were.", "See the lines above.")
            result = "succeeded"
        except TrivetError as error:
            error.message = report.redacted(error.message)
            raise
        finally:
            report.close()
            if begun and not preview:
                self._remember(kind, result, started, report)

    def _state(self, *, preview: bool) -> AbstractContextManager[State]:
        if preview:
            return nullcontext(self._file.load(self._settings.vault))
        return self._file.writing(self._settings.vault)

    def _remember(self, kind: str, result: str, started: float, report: Report) -> None:
        changes, config = dict(report.changes), self._settings.sealed()
        self._history.add(Entry(kind, self._options.message, result, started, time(), changes, config))

    def _target(self) -> Target:
        options = self._options
        spares = getattr(options, "exclude_protected", False)
        if options.target and (options.exclude or spares):
            raise UsageError("--target cannot be given with --exclude or --exclude-protected.", "Leave one out.")
        if (options.exclude_dependents and not options.exclude) or (options.target_dependents and not options.target):
            raise UsageError("--target-dependents belongs to --target, --exclude-dependents to --exclude.")
        config = self._settings.values()
        for key in (key for key in config if key.startswith(_ENGINES_OWN)):
            raise Unsupported(
                f"The embedded engine does not implement the setting '{key}'.", "Remove it or use the pulumi CLI."
            )
        return Target(
            stack=self._stack,
            project=self._project.name,
            program=self._project.main,
            config=config,
            env=self._env,
            parallel=min(options.parallel, _MOST_PARALLEL),
            client=options.client,
            host=self._engine.host,
            other=self._other,
            targets=Targets(
                options.target,
                dependents=options.target_dependents or options.exclude_dependents,
                replaces=getattr(options, "replace", ()),
                excludes=options.exclude,
            ),
            goes_on=getattr(options, "continue_on_error", False),
            refreshes=getattr(options, "refresh", None) == "true",
            spares_protected=spares,
            packs=self._packs(),
        )

    def _packs(self) -> list[PackSource]:
        """The policy packs, with the configs in the same order."""
        packs, configs = ([self._cwd / path for path in getattr(self._options, name, ())] for name in _OF_PACKS)
        if configs and len(configs) != len(packs):
            raise UsageError("There are not as many --policy-pack-config as --policy-pack.", "Give one for each pack.")
        return [PackSource(folder, config) for folder, config in zip_longest(packs, configs)]

    def _other(self, name: str) -> State:
        """The state of another stack of this backend, whose secrets this stack's passphrase opens."""
        organization, _, rest = name.partition("/")
        project, _, stack = rest.partition("/")
        if rest and (organization != "organization" or not stack or "/" in stack):
            raise ConfigError(f"'{name}' is no name of a stack.", "Write organization/PROJECT/STACK.")
        file = self._backend.stack(project or self._project.name, stack or name)
        return file.load(self._settings.vault)

    @cached_property
    def _backend(self) -> Backend:
        url = self._env.get("PULUMI_BACKEND_URL") or self._project.backend_url
        if not url:
            raise ConfigError(
                "No state backend is named.", "Set PULUMI_BACKEND_URL=file://FOLDER; `trivet env` prints it."
            )
        return Backend(url, self._cwd)

    @cached_property
    def _stack(self) -> str:
        given = self._options.stack or self._engine.selected
        name = given.removeprefix(f"organization/{self._project.name}/")
        if not _STACK_NAME.fullmatch(name):
            raise UsageError(f"'{given}' is not a stack's name." if given else "Name the stack with --stack.")
        return name

    @cached_property
    def _file(self) -> StateFile:
        return self._backend.stack(self._project.name, self._stack)

    @cached_property
    def _history(self) -> History:
        return History(self._backend.root, self._project.name, self._stack)

    @cached_property
    def _settings(self) -> StackSettings:
        return StackSettings(self._project, self._stack, self._passphrase)

    def _passphrase(self) -> str:
        if "PULUMI_CONFIG_PASSPHRASE" in self._env:
            return self._env["PULUMI_CONFIG_PASSPHRASE"]
        file = self._env.get("PULUMI_CONFIG_PASSPHRASE_FILE")
        if file and Path(file).is_file():
            return Path(file).read_text().strip()
        raise ConfigError(
            f"The passphrase file {file} does not exist."
            if file
            else "No passphrase for the stack's secrets is given.",
            "Set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE; `trivet env` prints it.",
        )

    def _print(self, value: Any) -> None:
        for line in json.dumps(value, indent=2).splitlines():
            self._show(line)
