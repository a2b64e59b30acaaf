"""One measured process: ``python -m benchmarks.engine.worker WHAT FOLDER [VERB]``; prints its own CPU seconds."""

# ruff: noqa: N802, ARG002 — names and signatures are the protocol's
from __future__ import annotations

import asyncio
import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

from benchmarks.engine.projects import STACK, started


def main() -> None:
    """Do it."""
    what, folder, *verb = sys.argv[1:]
    call = {"mocks": mocks, "echo": echo}[what](Path(folder)) if not verb else driven(what, Path(folder), *verb)
    call()
    print(process_time(), flush=True)
    os._exit(0)  # the mocks leave event loops behind


def driven(engine: str, folder: Path, verb: str) -> Callable[[], Any]:
    """The driver, as `trivet` calls it; ``begin`` makes the stack."""
    from trivet.infra.driver import Driver

    driver = Driver(folder, STACK, folder / ".trivet" / STACK, engine)
    return getattr(driver, verb) if verb != "begin" else lambda: driver.set_config({"trivet:cloud": "local"})


def mocks(folder: Path) -> Callable[[], Any]:
    """The program in a preview under the SDK's mocks."""
    from pulumi.runtime import Mocks, run_in_stack
    from pulumi.runtime.mocks import MockEngine, MockMonitor, MockSettings
    from pulumi.runtime.settings import configure

    class Same(Mocks):
        def new_resource(self, args: Any) -> tuple[str | None, dict[str, Any]]:
            return None, {**args.inputs, "label": f"the book {args.name}"}

        def call(self, args: Any) -> Any:
            return {}

    given = {"project": "benchmark", "stack": STACK, "organization": "organization", "callbacks": None}
    configure(MockSettings(monitor=MockMonitor(Same()), engine=MockEngine(None), dry_run=True, **given))
    os.chdir(folder / "program")
    sys.path.insert(0, str(folder / "program"))

    def program() -> None:
        runpy.run_path("__main__.py", run_name="__main__")

    return lambda: asyncio.run(run_in_stack(program))


def echo(folder: Path) -> Callable[[], Any]:
    """The program in a preview, run as an engine runs it, against a monitor that gives back what it is told."""
    import grpc
    from google.protobuf import empty_pb2
    from pulumi.runtime.proto import language_pb2, language_pb2_grpc, resource_pb2, resource_pb2_grpc

    from trivet.infra.engine import host
    from trivet.infra.engine.events import Report
    from trivet.infra.engine.gate import Gate
    from trivet.infra.engine.logs import Logs, serving
    from trivet.infra.engine.services import served

    class Echo(resource_pb2_grpc.ResourceMonitorServicer):
        def GetDeploymentInfo(self, request: Any, context: Any) -> Any:
            return resource_pb2.DeploymentInfo(supportedFeatures=[resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS])

        def RegisterResource(self, request: Any, context: Any) -> Any:
            urn = f"urn:pulumi:{STACK}::benchmark::{request.type}::{request.name}"
            answer = resource_pb2.RegisterResourceResponse(urn=urn, object=request.object)
            answer.object["label"] = f"the book {request.name}"
            return answer

        def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:
            return empty_pb2.Empty()

        def SignalAndWaitForShutdown(self, request: Any, context: Any) -> Any:
            return empty_pb2.Empty()

    def call() -> None:
        command = [sys.executable, "-u", "-P", host.__file__, str(folder / "program")]
        with (
            serving(Logs(Report(print), Gate())) as engine,
            served(
                lambda server: resource_pb2_grpc.add_ResourceMonitorServicer_to_server(Echo(), server), 64
            ) as monitor,
            started(command, folder, dict(os.environ)) as process,
        ):
            assert process.stdout
            request = language_pb2.RunRequest(
                project="benchmark", stack=STACK, dryRun=True, parallel=16, monitor_address=monitor, args=[engine]
            )
            with grpc.insecure_channel(f"127.0.0.1:{process.stdout.readline().strip()}") as channel:
                result = language_pb2_grpc.LanguageRuntimeStub(channel).Run(request)
            assert not result.error, result.error

    return call


if __name__ == "__main__":
    main()
