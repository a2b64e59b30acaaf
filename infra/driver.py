"""Drives Pulumi, with its CLI or without, through Pulumi's Automation API.

Only the command differs: the real ``pulumi`` where it is on PATH, else the embedded engine. A stack belongs to the
engine that made it. With what :meth:`Driver.environment` gives, a plain ``pulumi up --stack NAME`` does the same.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from trivet.core.errors import ConfigError, Locked, NotFound, TrivetError, Unsupported, UsageError
from trivet.core.files import private_folder, write_atomic
from trivet.infra.engine.failures import failure
from trivet.infra.listing import Listed

if TYPE_CHECKING:
    from pulumi import automation as auto
    from pulumi.automation.events import EngineEvent

PULUMI = "pulumi"
EMBEDDED = "embedded"
ENGINES = (PULUMI, EMBEDDED)
CLOUD = "trivet:cloud"
LOCAL = "local"
REHEARSAL = "-rehearsal"
_WITH_PROGRAM = ("preview", "up")
_COLOUR = re.compile(r"<\{%[^%]*%\}>")

Changes = dict[str, int]
"""How many resources by what was done: create, update, replace, delete, same."""

Show = Callable[[str], Any]


@dataclass(frozen=True)
class Options:
    """How an operation is to be carried out.

    :param packs: the policy packs to which it is held; as a mapping, each with the file of its config.
    :param refresh: whether to take over first what changed outside.
    :param goes_on: whether one failure leaves what does not need it going.
    :param tell: is given every line of the engine, and first what the embedded one does not do.
    """

    packs: Mapping[Path, Path] | Sequence[Path] = ()
    refresh: bool = False
    goes_on: bool = False
    tell: Show | None = None


class Driver:
    """One stack of one project.

    :param root: the project root, where ``Pulumi.yaml`` lies.
    :param stack: the stack's name.
    :param home: where the stack keeps what it has on this machine; state and passphrase of a stack on this machine lie
        beside it, in the folder above, unless ``PULUMI_BACKEND_URL`` and ``PULUMI_CONFIG_PASSPHRASE`` say otherwise.
    :param engine: ``pulumi`` or ``embedded`` to force one, as ``TRIVET_ENGINE`` does.
    """

    def __init__(self, root: Path, stack: str, home: Path, engine: str | None = None) -> None:
        self.root = root
        self.stack = stack
        self.home = home
        self._forced = engine or os.environ.get("TRIVET_ENGINE") or None
        self._new_cloud: str | None = None
        self._takes_over = False
        if self._forced not in (None, *ENGINES):
            raise UsageError(f"'{self._forced}' is no engine.", f"Choose {PULUMI} or {EMBEDDED}.")

    @property
    def engine(self) -> str:
        """Which engine runs this stack, and its version, such as ``embedded 3.205.0``."""
        return f"{self._engine} {self._command.version}"

    @property
    def name(self) -> str:
        """Which engine runs this stack."""
        return self._engine

    @property
    def cloud(self) -> str:
        """The stack's cloud, as its config says.

        :raises ConfigError: when it says none.
        """
        path = self.root / f"Pulumi.{self.stack}.yaml"
        settings = (yaml.safe_load(path.read_text()) if path.exists() else None) or {}
        cloud = (settings.get("config") or {}).get(CLOUD, self._new_cloud)
        if not isinstance(cloud, str):
            raise ConfigError(
                f"The stack '{self.stack}' has no {CLOUD}.", "Set it with `trivet up` or `pulumi config set`."
            )
        return cloud

    def environment(self) -> dict[str, str]:
        """The variables with which the pulumi CLI finds what this driver uses; what the user has set is not in it.

        A stack on this machine gets a file backend and, on first use, a file with a random passphrase. State and
        secrets provider of a real stack are the user's own.
        """
        environment = {"PULUMI_SKIP_UPDATE_CHECK": "true"}
        if self._is_here:
            folder = private_folder(self.home.parent)
            environment["PULUMI_BACKEND_URL"] = f"file://{folder}"
            if "PULUMI_CONFIG_PASSPHRASE" not in os.environ:
                environment["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(_passphrase(folder / ".passphrase"))
        return {name: value for name, value in environment.items() if name not in os.environ}

    def set_config(self, values: Mapping[str, str], secret: Mapping[str, str] | None = None) -> None:
        """Set config values by their full keys, ``secret`` ones encrypted; makes the stack if there is none."""
        from pulumi import automation as auto

        self._new_cloud = values.get(CLOUD)
        config = {key: auto.ConfigValue(value) for key, value in values.items()}
        config |= {key: auto.ConfigValue(value, secret=True) for key, value in (secret or {}).items()}
        with self._errors():
            self._open(create=True).set_all_config(config)
        self.claim()

    def preview(self, on_output: Show | None = None, options: Options | None = None) -> Changes:
        """What :meth:`up` would change.

        :raises GateRefused: when a mandatory policy is violated.
        """
        return self._operate("preview", on_output, options)

    def foresee(self, options: Options | None = None) -> tuple[Changes, list[Listed]]:
        """The same as :meth:`preview`, and every resource that there would be afterwards, secrets hidden."""
        seen: dict[str, Listed] = {}

        def see(event: EngineEvent) -> None:
            step = event.resource_pre_event or event.res_outputs_event
            new = step.metadata.new if step else None
            if new and new.inputs is not None:
                seen[new.urn] = Listed.of(
                    new.type, new.urn, new.inputs, protect=new.protect, retain=new.retain_on_delete, identity=new.id
                )

        changes = self._operate("preview", None, options, see)
        return changes, list(seen.values())

    def listed(self) -> list[Listed]:
        """Every resource of the state, secrets sealed."""
        resources = json.loads(self.sealed_export())["deployment"].get("resources") or []
        return [Listed.from_state(one) for one in resources if not one.get("delete")]

    def up(self, on_output: Show | None = None, options: Options | None = None) -> Changes:
        """Make the stack what the program says.

        :raises Locked: naming who is at it.
        :raises GateRefused: when a mandatory policy is violated.
        :raises TrivetError: for the first failure; what was done before is recorded, and the next call goes on there.
        """
        return self._operate("up", on_output, options)

    def refresh(self, on_output: Show | None = None) -> Changes:
        """Take over into the state what changed outside."""
        return self._operate("refresh", on_output)

    def destroy(self, on_output: Show | None = None) -> Changes:
        """Delete every resource. The empty state and the config stay; any engine may begin again."""
        changes = self._operate("destroy", on_output)
        self._record.unlink(missing_ok=True)
        return changes

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secrets in clear."""
        with self._errors():
            return {name: output.value for name, output in self._open().outputs().items()}

    def export(self) -> dict[str, Any]:
        """The state as ``pulumi stack export --show-secrets`` gives it: secrets in clear."""
        with self._errors():
            deployment = self._open().export_stack()
        return {"version": deployment.version, "deployment": deployment.deployment}

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Nothing works on the stack in the block, as far as a lock in its folder tells.

        :raises Locked: naming who does.
        """
        from trivet.infra.engine.checkpoint import Backend
        from trivet.infra.engine.project import Project

        url = os.environ.get("PULUMI_BACKEND_URL") or self.environment().get("PULUMI_BACKEND_URL", "")
        with Backend(url, self.root).stack(Project.load(self.root).name, self.stack).locked():
            yield

    def sealed_export(self) -> str:
        """The same as ``pulumi stack export`` prints it: secrets sealed."""
        with self._errors():
            return self._open()._run_pulumi_cmd_sync(["stack", "export"]).stdout

    def take(self, path: Path) -> None:
        """Make what lies in the file, as :meth:`sealed_export` gives it, the stack's state."""
        with self._errors():
            self._open()._run_pulumi_cmd_sync(["stack", "import", "--file", str(path)])

    def succeeded_by(self, engine: str) -> Driver:
        """The driver of the same stack with another engine, although it belongs to this one; see ``infra.migrate``."""
        heir = Driver(self.root, self.stack, self.home, engine)
        heir._takes_over = True
        return heir

    @property
    def _record(self) -> Path:
        return record_of(self.home)

    @property
    def _is_here(self) -> bool:
        """Whether it is on this machine: only then the embedded engine may serve it."""
        return self.cloud == LOCAL or self.stack.endswith(REHEARSAL)

    @cached_property
    def _engine(self) -> str:
        recorded = self._record.read_text().strip() if self._record.exists() else None
        engine = self._forced or recorded or (PULUMI if shutil.which("pulumi") else EMBEDDED)
        if recorded and engine != recorded and not self._takes_over:
            raise _belongs(self.stack, recorded)
        if engine == PULUMI and not shutil.which("pulumi"):
            raise ConfigError(
                f"The stack '{self.stack}' needs the pulumi CLI, which is not on PATH.", "Install it and call again."
            )
        return engine

    @cached_property
    def _command(self) -> Any:
        from pulumi import automation as auto

        from trivet.infra.engine.command import EmbeddedCommand

        if self._engine == EMBEDDED:
            return EmbeddedCommand()
        try:
            return auto.PulumiCommand()
        except auto.InvalidVersionError as error:
            raise ConfigError(f"The pulumi CLI on PATH does not fit: {error}", "Install a newer one.") from error

    def _open(self, *, create: bool = False) -> auto.Stack:
        from pulumi import automation as auto

        if self._engine == EMBEDDED and not self._is_here:
            raise Unsupported(
                f"The embedded engine serves the cloud 'local' and rehearsals, not '{self.cloud}'.",
                "Install the pulumi CLI, which has the providers.",
            )
        workspace = auto.LocalWorkspace(
            work_dir=str(self.root),
            env_vars=self.environment(),
            pulumi_command=self._command,
            secrets_provider="passphrase" if self._is_here else None,
        )
        stack = (auto.Stack.create_or_select if create else auto.Stack.select)(self.stack, workspace)
        if self._engine == EMBEDDED and not self._record.exists():
            counts = {summary.name: summary.resource_count for summary in workspace.list_stacks()}
            if counts[self.stack]:
                raise _belongs(self.stack, PULUMI)  # by hand: this driver leaves a record
        return stack

    def claim(self) -> None:
        """Record that the stack belongs to the engine in use."""
        write_atomic(self._record, f"{self._engine}\n")

    def _operate(
        self,
        verb: str,
        on_output: Show | None,
        options: Options | None = None,
        see: Callable[[EngineEvent], Any] | None = None,
    ) -> Changes:
        told: list[str] = []

        def on_event(event: EngineEvent) -> None:
            if see:
                see(event)
            if event.diagnostic_event and event.diagnostic_event.severity == "error":
                told.append(_COLOUR.sub("", event.diagnostic_event.message))

        with self._program(verb), self._errors(told):
            stack = self._open()
            if verb == "up":
                self.claim()
            given = self._arguments(options) if options else {}
            show = on_output or (options and options.tell)
            result = getattr(stack, verb)(on_output=show, on_event=on_event, **given)
        changes = result.change_summary if verb == "preview" else result.summary.resource_changes
        return {str(getattr(op, "value", op)): count for op, count in (changes or {}).items() if count}

    def _arguments(self, options: Options) -> dict[str, Any]:
        """The options, as the Automation API takes them."""
        given: dict[str, Any] = {"refresh": options.refresh or None, "continue_on_error": options.goes_on or None}
        given["policy_packs"] = [*map(str, options.packs)]
        if isinstance(options.packs, Mapping):
            given["policy_pack_configs"] = [*map(str, options.packs.values())]
        if options.tell and self._engine == EMBEDDED:  # the CLI would write a log that may hold secrets
            given["log_verbosity"] = 1
        return {name: value for name, value in given.items() if value}

    @contextmanager
    def _program(self, verb: str) -> Iterator[None]:
        """The program's process has started, where the embedded engine will need one: it imports Pulumi's SDK while
        this process does, which takes each a fifth of a second."""
        if self._engine != EMBEDDED or verb not in _WITH_PROGRAM or not self._is_here:
            yield
            return
        from trivet.infra.engine.children import language_host
        from trivet.infra.engine.project import Project

        with ExitStack() as ending:
            with suppress(TrivetError):  # the engine says what is wrong, or what is so before that
                host = language_host(Project.load(self.root).main, {**os.environ, **self.environment()})
                ending.callback(host.stop)
                self._command.host = host
                ending.callback(setattr, self._command, "host", None)
            yield

    @contextmanager
    def _errors(self, told: Sequence[str] = ()) -> Iterator[None]:
        """Errors of the Automation API as Trivet's own; ``told`` is what the engine itself called an error."""
        from pulumi import automation as auto

        try:
            yield
        except auto.CommandError as error:
            if isinstance(error.__cause__, TrivetError):
                raise error.__cause__ from error.__cause__.__cause__
            raise self._translated(error, told) from error

    def _translated(self, error: auto.CommandError, told: Sequence[str]) -> TrivetError:
        from pulumi import automation as auto

        if isinstance(error, auto.ConcurrentUpdateError):
            return Locked(f"The stack '{self.stack}' is locked by another update.", "Wait until it ends.")
        if isinstance(error, auto.StackNotFoundError):
            return NotFound(f"There is no stack '{self.stack}'.", "Make it with `trivet up`.")
        said = [line.partition("error:")[2].strip() for line in str(error).splitlines() if "error:" in line]
        return failure("pulumi failed", next(iter([*told, *said, str(error)])))


def record_of(home: Path) -> Path:
    """The file that names the engine of the stack with that home; not in the home, which the program may delete."""
    return home.with_name(f".{home.name}.engine")


def _belongs(stack: str, engine: str) -> ConfigError:
    return ConfigError(
        f"The stack '{stack}' was made by the engine '{engine}', and belongs to it.",
        f"Use TRIVET_ENGINE={engine}, or `trivet stack migrate`.",
    )


def _passphrase(path: Path) -> Path:
    """The file with the passphrase, made with a random one on first use."""
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        write_atomic(draft, secrets.token_urlsafe(32))
        with suppress(FileExistsError):  # another process was first, and may have used its own by now
            path.hardlink_to(draft)
        draft.unlink()
    return path
