"""The program under Pulumi's mocks, in a process of its own, since they leave event loops behind wherever they run.

``python mocked.py CONFIG PREVIEW`` prints what was registered and the stack's output as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pulumi
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks

from trivet.infra import program
from trivet.infra.export import export


class Recorder(Mocks):
    """Answers as the providers do and remembers what was registered."""

    def __init__(self) -> None:
        self.resources: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        inputs = {key: value for key, value in args.inputs.items() if key != "__provider"}
        self.resources[args.name] = inputs
        known: dict[str, Any] = {}
        if args.name.startswith("endpoint-"):
            known = {"host": "127.0.0.1", "port": 8123.0}
        if args.name == "signing-key":
            known = {"public_key": "PEM", "key_id": "0123"}
        return args.name, {**inputs, **known}

    def call(self, args: MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"the local stack calls nothing, yet {args.token}")


def main() -> None:
    mocks, output = Recorder(), {}
    pulumi.runtime.set_mocks(mocks, project="trivet", stack="local", preview=sys.argv[2] == "preview")
    pulumi.runtime.set_all_config({f"trivet:{key}": value for key, value in json.loads(sys.argv[1]).items()})

    @pulumi.runtime.test
    def body() -> Any:
        component = program.build(program.Settings.of(program.configured()), "local")
        return export(component).apply(output.update)

    body()
    sys.stdout.write(json.dumps({"resources": mocks.resources, "output": output}))


if __name__ == "__main__":
    main()
