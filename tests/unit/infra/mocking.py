"""A cloud's stack under Pulumi's mocks: reads lines of JSON, arguments of :func:`answer`, and answers each in JSON."""

from __future__ import annotations

import contextvars
import gc
import json
import os
import sys
from abc import abstractmethod
from importlib import import_module
from typing import Any

import pulumi
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks
from pulumi.runtime.mocks import MockMonitor

from trivet.infra.export import export
from trivet.infra.settings import Settings


class Recorder(Mocks):
    """Answers with what a cloud would fill in, as far as the stack reads it, and remembers what was registered."""

    def __init__(self, region: str) -> None:
        self.region = region
        self.resources: dict[str, dict[str, Any]] = {}
        self.outputs: dict[str, dict[str, Any]] = {}

    @abstractmethod
    def known(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """The id of a resource, and what the cloud says of it beside its inputs."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.resources[f"{args.typ}::{args.name}"] = {"type": args.typ, **args.inputs}
        identity, known = self.known(args)
        self.outputs[f"{args.typ}::{args.name}"] = {"id": identity, **known}
        return identity, {**known, **args.inputs}

    def call(self, args: MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"the stack calls nothing else, yet {args.token}")


class Monitor(MockMonitor):
    """Remembers, too, from which resources each input comes, and what the engine is asked besides."""

    def __init__(self, mocks: Mocks) -> None:
        super().__init__(mocks)
        self.keys: dict[str, str] = {}
        self.refers: dict[str, dict[str, list[str]]] = {}
        self.options: dict[str, dict[str, Any]] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        key = f"{request.type}::{request.name}"
        found = {
            name: sorted({self.keys[urn] for urn in one.urns if urn in self.keys})
            for name, one in request.propertyDependencies.items()
        }
        self.refers[key] = {name: keys for name, keys in sorted(found.items()) if keys}
        options = {"protect": request.protect, "ignoreChanges": list(request.ignoreChanges)}
        self.options[key] = {name: value for name, value in options.items() if value}
        answer = super().RegisterResource(request)
        self.keys[answer.urn] = key
        return answer


def answer(recorder: type[Recorder], project: str, stack: str, config: str, home: str, how: str) -> dict[str, Any]:
    """The graph and the output of one stack, or why it was refused and what was registered before that.

    :param home: where the copy of the output goes.
    :param how: ``up`` or ``preview``.
    """
    os.environ["TRIVET_HOME"] = home
    mocks, output = recorder(json.loads(config)["region"]), {}
    monitor = Monitor(mocks)
    pulumi.runtime.set_mocks(mocks, project=project, stack=stack, preview=how == "preview", monitor=monitor)

    @pulumi.runtime.test
    def body() -> Any:
        settings = Settings.of(json.loads(config))
        component = import_module(f"trivet.infra.stacks.{settings.cloud}").Stack
        return export(component(stack, settings)).apply(output.update)

    try:
        body()
    except ValueError as error:  # a ConfigError, or what Pulumi makes of one behind an output
        return {"refused": str(error), "registered": sorted(mocks.resources)}
    graph = {"resources": mocks.resources, "outputs": mocks.outputs, "refers": monitor.refers, "output": output}
    graph["options"] = monitor.options
    return graph


def main(recorder: type[Recorder]) -> None:
    gc.disable()  # most of what is made are Pulumi's types, which stay
    for line in sys.stdin:
        alone = contextvars.copy_context()  # in which Pulumi keeps its root resource and its settings
        sys.stdout.write(json.dumps(alone.run(answer, recorder, *json.loads(line))) + "\n")
        sys.stdout.flush()
