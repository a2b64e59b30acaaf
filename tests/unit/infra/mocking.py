"""A cloud's stack under Pulumi's mocks, as a program of its own, since they leave event loops behind wherever they run.

With ``STACK CONFIG PREVIEW`` it prints the stack's graph as JSON; without arguments it reads lines of
``[PROJECT, STACK, CONFIG]`` and answers each with a graph.
"""

from __future__ import annotations

import json
import sys
from abc import abstractmethod
from importlib import import_module
from typing import Any

import pulumi
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks
from pulumi.runtime.mocks import MockMonitor

from trivet.core.errors import ConfigError
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


class Refused(Exception):
    """The stack cannot be made, and these resources were registered before that was told."""

    def __init__(self, registered: list[str]) -> None:
        super().__init__(f"{len(registered)} resources were registered")
        self.registered = registered


def build(recorder: type[Recorder], project: str, stack: str, config: str, *, preview: bool) -> dict[str, Any]:
    """The graph and the output of one stack.

    :raises Refused: by what was wrong in the config.
    """
    mocks, output = recorder(json.loads(config)["region"]), {}
    monitor = Monitor(mocks)
    pulumi.runtime.set_mocks(mocks, project=project, stack=stack, preview=preview, monitor=monitor)

    @pulumi.runtime.test
    def body() -> Any:
        settings = Settings.of(json.loads(config))
        component = import_module(f"trivet.infra.stacks.{settings.cloud}").Stack
        return export(component(stack, settings)).apply(output.update)

    try:
        body()
    except ConfigError as error:
        raise Refused(sorted(mocks.resources)) from error
    graph = {"resources": mocks.resources, "outputs": mocks.outputs, "refers": monitor.refers, "output": output}
    graph["options"] = monitor.options
    return graph


def serve(recorder: type[Recorder]) -> None:
    """One graph for each line of project, stack and config."""
    for line in sys.stdin:
        project, stack, config = json.loads(line)
        try:
            answer = build(recorder, project, stack, config, preview=True)
        except Refused as error:
            answer = {"refused": str(error.__cause__), "registered": error.registered}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def main(recorder: type[Recorder]) -> None:
    if len(sys.argv) == 1:
        serve(recorder)
        return
    stack, config, how = sys.argv[1:]
    try:
        sys.stdout.write(json.dumps(build(recorder, "trivet", stack, config, preview=how == "preview")))
    except Refused as error:
        sys.stdout.writelines(f"{name}\n" for name in error.registered)
        raise
