"""Runs a recorded program under the SDK's own mocks: ``python mocked.py JSON``, in the program's folder.

The JSON says ``project``, ``stack``, ``config`` and ``preview``. The mocks give what the providers give, so that what
a resource takes from another is the same as with an engine.
"""

from __future__ import annotations

import asyncio
import base64
import json
import runpy
import sys
from pathlib import Path
from typing import Any

import dill
from pulumi.runtime import Mocks, run_in_stack, set_all_config
from pulumi.runtime.mocks import MockCallArgs, MockEngine, MockMonitor, MockResourceArgs, MockSettings
from pulumi.runtime.settings import configure

WORLD = Path.cwd().parent / "world"


class Providers(Mocks):
    """What the plugin ``shelf`` and dynamic providers give."""

    def __init__(self, *, preview: bool) -> None:
        self.preview = preview
        self.rooms: dict[str, str] = {}

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if not args.custom and not args.resource_id:
            return None, args.inputs
        if args.typ == "pulumi:providers:shelf":
            self.rooms[args.name] = args.inputs["room"]
            return None if self.preview else args.name, args.inputs
        if args.resource_id:
            return args.resource_id, json.loads((WORLD / args.resource_id).read_text())
        if args.typ.startswith("pulumi-python:"):
            return self.dynamic(args)
        return self.book(args)

    def book(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        room = self.rooms[args.provider.split("::")[3]] if args.provider else "hall"
        made = {"pages": 100, **args.inputs, "label": f"{room}: {args.inputs['title']}"}
        if self.preview:
            return None, made
        return f"{room}-{args.inputs['title']}-", {**made, "number": 7}

    def dynamic(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if self.preview:
            return None, args.inputs
        made = dill.loads(base64.b64decode(args.inputs["__provider"]["value"])).create(args.inputs)  # it is a secret
        return made.id, made.outs

    def call(self, args: MockCallArgs) -> dict[str, Any]:
        return {"count": len(list(WORLD.iterdir()))}


class Monitor(MockMonitor):
    """The SDK's mock, with the URNs that Pulumi gives: it leaves out grandparents and counts the stack as a parent."""

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        above = parent.split("::")[2] if parent else ""
        types = [above, type_] if above not in ("", "pulumi:pulumi:Stack") else [type_]
        return super().make_urn("", "$".join(types), name)


def main() -> None:
    asked = json.loads(sys.argv[1])
    preview = asked["preview"]
    given = {"project": asked["project"], "stack": asked["stack"], "organization": "organization"}
    monitor = Monitor(Providers(preview=preview))
    configure(MockSettings(monitor=monitor, engine=MockEngine(None), dry_run=preview, callbacks=None, **given))
    set_all_config(asked["config"], asked["secret"])
    sys.path.insert(0, str(Path.cwd()))
    asyncio.run(run_in_stack(lambda: runpy.run_path("__main__.py", run_name="__main__") and None))


if __name__ == "__main__":
    main()
