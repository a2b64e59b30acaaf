"""The projects whose stacks are made and destroyed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

KINDS = ("plugin", "dynamic")
STACK = "dev"

_PROGRAMS = {
    "plugin": """
import pulumi

class Book(pulumi.CustomResource):
    label: pulumi.Output[str]

    def __init__(self, name, place):
        props = {"title": name, "pages": 100, "tags": {"by": "someone", "in": "1900"}, "place": place, "label": None}
        super().__init__("shelf:index:Book", name, props, pulumi.ResourceOptions(version="1.0.0"))
""",
    "dynamic": """
import pulumi
from provider import Books

class Book(pulumi.dynamic.Resource):
    label: pulumi.Output[str]

    def __init__(self, name, place):
        props = {"title": name, "pages": 100, "tags": {"by": "someone", "in": "1900"}, "place": place, "label": None}
        super().__init__(Books(), name, props)
""",
}
_REST = """
books = []
for number in range({size}):
    books.append(Book(f"book{{number}}", books[(number - 1) // 2].label if number else "the first"))
pulumi.export("last", books[-1].label)
"""
_PROVIDER = """
from pulumi.dynamic import CreateResult, ResourceProvider

class Books(ResourceProvider):
    def create(self, props):
        return CreateResult(props["title"], {**props, "label": f"the book {props['title']}"})
"""


def make(folder: Path, kind: str, size: int) -> Path:
    """A project with one program of ``size`` resources of a kind."""
    program = folder / "program"
    program.mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text("name: benchmark\nruntime: python\nmain: program/\n")
    (program / "__main__.py").write_text(_PROGRAMS[kind] + _REST.format(size=size))
    (program / "provider.py").write_text(_PROVIDER)
    return folder


def environment(folder: Path) -> dict[str, str]:
    """This process's environment without what is set for other stacks, and the plugin on PATH."""
    executable = folder / "bin" / "pulumi-resource-shelf"
    if not executable.exists():
        executable.parent.mkdir(parents=True)
        module = Path(__file__).with_name("plugin.py")
        executable.write_text(
            f"#!{sys.executable}\nimport runpy\nrunpy.run_path({str(module)!r}, run_name='__main__')\n"
        )
        executable.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "TRIVET_"))}
    path = [str(executable.parent), str(Path(sys.executable).parent), kept["PATH"]]
    return {**kept, "PATH": os.pathsep.join(path)}


def plugin(kind: str) -> Sequence[str]:
    """How an engine starts the plugin."""
    return {
        "plugin": ["pulumi-resource-shelf", "127.0.0.1:1"],
        "dynamic": [sys.executable, "-u", "-m", "pulumi.dynamic", "127.0.0.1:1"],
    }[kind]


@contextmanager
def started(command: Sequence[str], cwd: Path, env: dict[str, str]) -> Iterator[Popen[str]]:
    """A process that prints its port; ended with the block."""
    with Popen(command, cwd=cwd, env=env, stdout=PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
