"""One preview, up, refresh or destroy, from beginning to end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, resource_pb2_grpc

from trivet.core.errors import NotFound, PlatformError
from trivet.infra.engine.builtin import OtherStack
from trivet.infra.engine.callbacks import Callbacks
from trivet.infra.engine.children import Child, language_host
from trivet.infra.engine.events import Report
from trivet.infra.engine.failures import failure
from trivet.infra.engine.gate import Gate
from trivet.infra.engine.hooks import Hooks
from trivet.infra.engine.logs import Logs, serving
from trivet.infra.engine.monitor import Monitor
from trivet.infra.engine.plugins import Plugins
from trivet.infra.engine.policy import Pack, PackSource, Policies
from trivet.infra.engine.providers import Providers
from trivet.infra.engine.remote import Surroundings
from trivet.infra.engine.services import served
from trivet.infra.engine.state import State
from trivet.infra.engine.steps import Run, Steps
from trivet.infra.engine.targets import Targets
from trivet.infra.engine.values import secret

ORGANIZATION = "organization"  # of every stack in a backend without any
_MOST_CALLS = 1024  # at once: threads are only made as they are needed, and components call from within calls
_GRACE_S = 5.0


def _nothing() -> None:
    """There is no program to hang up on."""


def _no_other(name: str) -> State:
    raise NotFound(f"There is no stack '{name}'.")


@dataclass(frozen=True)
class Target:
    """What an operation works on.

    :param config: every value by its full key, and whether it is secret.
    :param targets: which resources may be touched.
    :param other: gives the state of another stack.
    :param goes_on: whether one failure leaves what does not need it going.
    :param refreshes: whether to take over first what changed outside.
    :param spares_protected: whether a destroy leaves out what is protected, and what that needs.
    :param packs: the policy packs to which a preview or an up is held.
    :param client: the address of a language host that runs already, as inline programs have; ``None`` starts one.
    :param host: one that its caller has started already; it ends with the operation all the same.
    """

    stack: str
    project: str
    program: Path
    config: Mapping[str, tuple[str, bool]]
    env: Mapping[str, str]
    parallel: int = 16
    client: str | None = None
    host: Child | None = None
    other: OtherStack = _no_other
    targets: Targets = field(default_factory=Targets)
    goes_on: bool = False
    refreshes: bool = False
    spares_protected: bool = False
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
        self._runs_program = runs_program
        self._callbacks = Callbacks()
        self._break_off: Callable[[], object] = _nothing  # hangs up on the program
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
            if self._runs_program and not self._target.client:  # first, since it takes longest to start
                self._host = self._target.host or language_host(self._target.program, self._target.env)
                self._ending.callback(self._host.stop)
                self._host.hear(self._report.line)
            self._ending.callback(self._plugins.stop)
            self._plugins.serve(self._engine)
            for package in {*self._packages, *self._configured()}:
                self._plugins.start(package)
            for source in self._target.packs:
                self._packs.append(Pack(source, self._engine, self._env_of_packs(), self._report.line))
                self._ending.callback(self._packs[-1].stop)
            self._ending.callback(self._callbacks.close)
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
        steps = self._steps(state, policies, self._target.targets)

        def work() -> None:
            policies.configure()
            self._refresh_first(steps)
            self._with_program(steps)
            steps.hold_policies()

        self._attend(work)

    def destroy(self, state: State) -> None:
        """Delete everything, dependents first; raises as :meth:`up` does."""
        spared = [one.urn for one in state.resources.values() if one.protect and self._target.spares_protected]
        targets = self._target.targets.without(spared)
        steps = self._steps(state, None, targets, destroys=True)

        def work() -> None:
            self._refresh_first(steps)
            if self._runs_program:
                self._with_program(steps)
            else:
                steps.finish()

        self._attend(work)

    def refresh(self, state: State) -> None:
        """Take over what changed outside; raises as :meth:`up` does."""
        self._attend(self._steps(state, None, self._target.targets).refresh)

    def _refresh_first(self, steps: Steps) -> None:
        if self._target.refreshes:
            steps.refresh(first=True)

    def _steps(self, state: State, policies: Policies | None, targets: Targets, *, destroys: bool = False) -> Steps:
        target = self._target
        policies = policies or Policies((), self._report, preview=self._preview)
        self._report.hide([[one.inputs, one.outputs] for one in state.resources.values()])
        providers = Providers(
            target.stack,
            target.project,
            state,
            self._plugins,
            target.config,
            target.other,
            preview=self._preview,
            admit=policies.admit,
        )
        hooks = Hooks(self._callbacks, self._gate, self._report, preview=self._preview)
        run = Run(self._preview, destroys, target.goes_on, target.parallel, targets)
        return Steps(state, providers, policies, hooks, self._report, self._gate, run)

    def _configured(self) -> set[str]:
        """Packages that the config says something of and that have a plugin: a program most likely uses them."""
        named = {key.partition(":")[0] for key in self._target.config} if self._runs_program else set()
        return {package for package in named if self._plugins.has(package)}

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
                    self._break_off()
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

    def _surroundings(self) -> Surroundings:
        target = self._target
        return Surroundings(target.project, target.stack, ORGANIZATION, target.config, self._preview, target.parallel)

    @contextmanager
    def _monitor(self, steps: Steps) -> Iterator[Monitor]:
        monitor = Monitor(self._surroundings(), steps, self._callbacks, self._report, self._gate)

        def add(server: grpc.Server) -> None:
            resource_pb2_grpc.add_ResourceMonitorServicer_to_server(monitor, server)

        with served(add, _MOST_CALLS) as address:
            monitor.address = address
            yield monitor

    def _with_program(self, steps: Steps) -> None:
        """Run the program and, when it has registered everything, delete what is to be deleted: until then its hooks
        are there, and the plugins, which end with the threads of the monitor that started them."""
        with self._language_host() as channel, self._monitor(steps) as monitor:
            request = language_pb2.RunRequest(
                **self._surroundings().fields(), monitor_address=monitor.address, args=[self._engine]
            )
            running = language_pb2_grpc.LanguageRuntimeStub(channel).Run.future(request)
            running.add_done_callback(lambda _: monitor.has_ended())
            self._break_off = running.cancel
            try:
                monitor.wait_until_registered()
                self._gate.wait_until_idle()
                self._gate.check()
                if running.done():
                    self._told(running)
                steps.finish()
            finally:
                monitor.let_go()
                with suppress(grpc.RpcError, grpc.FutureTimeoutError, grpc.FutureCancelledError):
                    running.exception(_GRACE_S)
                self._break_off = _nothing
            if running.done():
                self._told(running)
            else:
                running.cancel()
                self._report.diagnostic("warning", "The program does not end by itself; everything is done.")

    def _told(self, running: grpc.Future) -> None:
        """:raises TrivetError: what the program's run ended with, where it did not end well."""
        try:
            result = running.result()
        except (grpc.RpcError, grpc.FutureCancelledError) as error:
            self._gate.check()
            if self._host:
                raise (self._host.ended() or PlatformError("The program does not answer.")) from error
            raise
        if result.error:
            raise failure("The program failed", result.error) from RuntimeError(result.error)
