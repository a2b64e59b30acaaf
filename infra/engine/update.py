"""One preview, up, refresh or destroy, from beginning to end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, resource_pb2_grpc

from trivet.core.errors import NotFound, PlatformError
from trivet.infra.engine.builtin import OtherStack
from trivet.infra.engine.events import Report
from trivet.infra.engine.failures import failure
from trivet.infra.engine.gate import Gate
from trivet.infra.engine.logs import Logs, serving
from trivet.infra.engine.monitor import Monitor
from trivet.infra.engine.plugins import Child, Plugins, language_host
from trivet.infra.engine.policy import Pack, PackSource, Policies
from trivet.infra.engine.providers import Providers
from trivet.infra.engine.services import served
from trivet.infra.engine.state import State
from trivet.infra.engine.steps import Steps
from trivet.infra.engine.targets import Targets
from trivet.infra.engine.values import secret

ORGANIZATION = "organization"  # of every stack in a backend without any
_CALLS_PER_STEP = 4  # the SDK's language host makes as many at once


def _no_other(name: str) -> State:
    raise NotFound(f"There is no stack '{name}'.")


@dataclass(frozen=True)
class Target:
    """What an operation works on.

    :param config: every value by its full key, and whether it is secret.
    :param targets: which resources may be touched.
    :param other: gives the state of another stack.
    :param packs: the policy packs to which a preview or an up is held.
    :param client: the address of a language host that runs already, as inline programs have; ``None`` starts one.
    """

    stack: str
    project: str
    program: Path
    config: Mapping[str, tuple[str, bool]]
    env: Mapping[str, str]
    parallel: int = 16
    client: str | None = None
    other: OtherStack = _no_other
    targets: Targets = field(default_factory=Targets)
    packs: Sequence[PackSource] = ()

    @property
    def plain_config(self) -> dict[str, str]:
        """The values alone."""
        return {key: value for key, (value, _) in self.config.items()}


class Update:
    """The children and services of one operation; they end with the block in which it is used.

    They start with it too, before the state is read: deriving the key to its secrets takes as long as their imports.

    :param packages: whose provider plugins will be needed; another is started when it is.
    :param runs_program: whether the language host is needed.
    """

    def __init__(
        self, target: Target, report: Report, *, packages: Iterable[str], preview: bool, runs_program: bool
    ) -> None:
        self._target = target
        self._report = report
        self._packages = packages
        self._preview = preview
        self._runs_program = runs_program and not target.client
        self._gate = Gate()
        self._host: Child | None = None
        self._plugins = Plugins(target.project, target.program, target.plain_config, target.env, report)
        self._engine = ""
        self._packs: list[Pack] = []
        self._ending = ExitStack()
        report.hide([secret(value) for value, hidden in target.config.values() if hidden])

    def __enter__(self) -> Self:
        try:
            self._engine = self._ending.enter_context(serving(Logs(self._report, self._gate)))
            self._ending.callback(self._plugins.stop)
            self._plugins.serve(self._engine)
            for package in self._packages:
                self._plugins.start(package)
            for source in self._target.packs:
                self._packs.append(Pack(source, self._engine, self._env_of_packs(), self._report.line))
                self._ending.callback(self._packs[-1].stop)
            if self._runs_program:
                self._host = language_host(self._target.program, self._target.env, self._report.line)
                self._ending.callback(self._host.stop)
        except BaseException:
            self._ending.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.close()

    def up(self, state: State) -> None:
        """Make the stack what the program says.

        :raises TrivetError: the first failure; what was done before it is recorded.
        :raises KeyboardInterrupt: once what was in progress has ended and is recorded.
        """
        policies = Policies(self._packs, self._report, preview=self._preview)
        steps = self._steps(state, policies)

        def work() -> None:
            policies.configure()
            with self._language_host() as channel, self._monitor(steps) as address:
                self._run_program(channel, address)
                steps.prune()  # before the monitor's threads end, and with them the plugins that they started
                steps.hold_policies()

        self._attend(work)

    def destroy(self, state: State) -> None:
        """Delete everything, dependents first; raises as :meth:`up` does."""
        self._attend(self._steps(state).prune)

    def refresh(self, state: State) -> None:
        """Take over what changed outside; raises as :meth:`up` does."""
        self._attend(self._steps(state).refresh)

    def _steps(self, state: State, policies: Policies | None = None) -> Steps:
        target = self._target
        policies = policies or Policies((), self._report, preview=self._preview)
        providers = Providers(
            target.stack, target.project, state, self._plugins, target.config, target.other, preview=self._preview
        )
        return Steps(
            state,
            providers,
            policies,
            self._report,
            self._gate,
            target.targets,
            preview=self._preview,
            parallel=target.parallel,
        )

    def _env_of_packs(self) -> dict[str, str]:
        target = self._target
        return {
            **target.env,
            "PULUMI_ORGANIZATION": ORGANIZATION,
            "PULUMI_PROJECT": target.project,
            "PULUMI_STACK": target.stack,
            "PULUMI_DRY_RUN": str(self._preview).lower(),
            "PULUMI_CONFIG": json.dumps(target.plain_config),
        }

    def _attend(self, work: Callable[[], None]) -> None:
        """Run ``work`` beside this thread, which stays free for Ctrl-C."""
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(work)
            try:
                future.result()
            except KeyboardInterrupt as interrupt:
                self._report.line("Interrupted: what is in progress ends first. Ctrl-C again does not wait for it.")
                self._gate.close(interrupt)
                self._plugins.cancel()
                try:
                    self._gate.wait_until_idle()
                finally:  # the program, or after a second Ctrl-C the provider, may never end by itself
                    self._ending.close()
                wait([future])
                raise

    @contextmanager
    def _language_host(self) -> Iterator[grpc.Channel]:
        if self._host:
            with self._host.channel() as channel:
                yield channel
        else:
            with grpc.insecure_channel(str(self._target.client), options=_GRPC_CHANNEL_OPTIONS) as channel:
                yield channel

    @contextmanager
    def _monitor(self, steps: Steps) -> Iterator[str]:
        monitor = Monitor(self._target.stack, self._target.project, steps, self._report, self._gate)

        def add(server: grpc.Server) -> None:
            resource_pb2_grpc.add_ResourceMonitorServicer_to_server(monitor, server)

        with closing(monitor), served(add, self._target.parallel * _CALLS_PER_STEP) as address:
            yield address

    def _run_program(self, channel: grpc.Channel, address: str) -> None:
        target = self._target
        request = language_pb2.RunRequest(
            project=target.project,
            stack=target.stack,
            config=target.plain_config,
            configSecretKeys=[key for key, (_, hidden) in target.config.items() if hidden],
            dryRun=self._preview,
            parallel=target.parallel,
            monitor_address=address,
            args=[self._engine],
            organization=ORGANIZATION,
        )
        try:
            result = language_pb2_grpc.LanguageRuntimeStub(channel).Run(request)
        except grpc.RpcError as error:
            self._gate.check()
            if self._host:
                raise (self._host.ended() or PlatformError("The program does not answer.")) from error
            raise
        finally:
            self._gate.wait_until_idle()
        self._gate.check()
        if result.error:
            raise failure("The program failed", result.error) from RuntimeError(result.error)
