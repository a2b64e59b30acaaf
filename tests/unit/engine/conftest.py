"""Small projects whose resources are files in a folder: what a provider did is what lies there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from trivet.infra.driver import Driver, Options
from trivet.infra.engine.checkpoint import Backend, StateFile
from trivet.infra.engine.crypt import Vault

ENGINES = ["embedded"] + (["pulumi"] if shutil.which("pulumi") else [])

PROVIDER = '''
import os, time
from pathlib import Path
from pulumi.dynamic import *

HERE = Path(__file__).resolve().parent.parent
WORLD = HERE / "world"

def note(what):
    with open(HERE / "asked", "a") as file:
        file.write(what + "\\n")

def text(props):
    return "|".join([str(props.get("content", ""))] + [str(props[k]) for k in sorted(props) if k.startswith("from_")])

class Plain(ResourceProvider):
    def check(self, olds, news):
        wrong = [CheckFailure("content", "may not be 'wrong'")] if news.get("content") == "wrong" else []
        return CheckResult(news, wrong)

    def create(self, props):
        id = f"{props['name']}.{props.get('kind', 'a')}"
        note(f"create {id}")
        if props.get("content") == "slow":
            time.sleep(2)
        if (HERE / f"fail-{props['name']}").exists():
            raise RuntimeError(f"no room for {id}: {props.get('content')}")
        (WORLD / id).write_text(text(props))
        return CreateResult(id, {**props, "path": f"world/{id}"})

    def read(self, id, props):
        if not (WORLD / id).exists():
            return ReadResult(None, {})
        content = (WORLD / id).read_text().partition("|")[0]
        return ReadResult(id, {**props, "content": content})

    def update(self, id, olds, news):
        note(f"update {id}")
        (WORLD / id).write_text(text(news))
        return UpdateResult({**news, "path": f"world/{id}"})

    def delete(self, id, props):
        note(f"delete {id}")
        (WORLD / id).unlink(missing_ok=True)

class Kinds(Plain):
    """Another kind is another file; so is another path that it is bound to."""

    def diff(self, id, olds, news):
        names = sorted(name for name in {*olds, *news} if name.startswith(("kind", "content", "from_", "bound_")))
        changed = [name for name in names if olds.get(name) != news.get(name)]
        return DiffResult(bool(changed), [name for name in changed if name.startswith(("kind", "bound_"))])
'''

PROGRAM = """
import json
from pathlib import Path
import pulumi
from pulumi.dynamic import Resource
from provider import Kinds, Plain

class File(Resource, module="test", name="File"):
    path: pulumi.Output[str]

    def __init__(self, name, props, opts, plain):
        super().__init__(Plain() if plain else Kinds(), name, {"name": name, "path": None, **props}, opts)

class Group(pulumi.ComponentResource):
    def __init__(self, name, opts):
        super().__init__("test:index:Group", name, {}, opts)
        self.register_outputs({"size": 1})

made = {}
for item in json.loads((Path(__file__).parent / "graph.json").read_text()):
    options = {**item.get("options", {})}
    options["depends_on"] = [made[name] for name in item.get("after", [])]
    options["parent"] = made.get(item.get("parent"))
    options["aliases"] = [pulumi.Alias(**alias) for alias in options.get("aliases", [])] or None
    opts = pulumi.ResourceOptions(**options)
    if item.get("group"):
        made[item["name"]] = Group(item["name"], opts)
        continue
    props = dict(item.get("props", {}))
    props.update({f"from_{name}": made[name].path for name in item.get("takes", [])})
    props.update({f"bound_{name}": made[name].path for name in item.get("bound", [])})
    if "secret" in item:
        props["content"] = pulumi.Config().require_secret(item["secret"])
    made[item["name"]] = File(item["name"], props, opts, item.get("plain", False))
    pulumi.export(item["name"], made[item["name"]].path)
if any("secret" in item for item in json.loads((Path(__file__).parent / "graph.json").read_text())):
    pulumi.export("hidden", pulumi.Config().require_secret("word"))
pulumi.export("whole", 3)
"""


OPERATE = """
import sys
import time
from pathlib import Path
from trivet.infra.driver import Driver, Options
root, stack, home, verb = sys.argv[1:]
getattr(Driver(Path(root), stack, Path(home)), verb)()
"""


HEAD = """
import pulumi
from pulumi import CustomResource, Output, ProviderResource, ResourceOptions

def book(name, title=None, version="1.2.0", options=None, **props):
    opts = ResourceOptions.merge(ResourceOptions(version=version), options)
    props = {"title": title or name, "label": None, "number": None, **props}
    return CustomResource("shelf:index:Book", name, props, opts)

def count(of="books", version="1.2.0"):
    return pulumi.runtime.invoke("shelf:index:count", {"of": of}, pulumi.InvokeOptions(version=version)).value

"""

PLUGINS = ["shelf", "rooms"]


@dataclass
class World:
    """One project, its stack and the folder in which its resources are files."""

    root: Path
    driver: Driver
    lines: list[str] = field(default_factory=list)
    options: Options | None = None

    def graph(self, *items: dict[str, Any]) -> None:
        """Make the program say these resources."""
        (self.root / "program" / "graph.json").write_text(json.dumps(items))

    def files(self) -> dict[str, str]:
        """What the provider holds."""
        return {path.name: path.read_text() for path in sorted((self.root / "world").iterdir())}

    def asked(self) -> list[str]:
        """What the provider was asked since the last call, in order."""
        path = self.root / "asked"
        asked = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return asked

    def is_asked(self, what: str) -> bool:
        """Whether the provider was asked this since the last call of :meth:`asked`."""
        path = self.root / "asked"
        return path.exists() and what in path.read_text().splitlines()

    @property
    def is_embedded(self) -> bool:
        """Whether the embedded engine runs it."""
        return self.driver.engine.startswith("embedded")

    def up(self) -> dict[str, int]:
        return self.driver.up(self.lines.append, self.options)

    def preview(self, show: Any = None) -> dict[str, int]:
        return self.driver.preview(show, self.options)

    def again(self) -> Driver:
        """A driver as the next command makes it."""
        return Driver(self.root, self.driver.stack, self.driver.home, self.driver._forced)

    def resources(self) -> list[dict[str, Any]]:
        """The resources in the state, but for the stack's own and the provider's."""
        return [item for item in self.driver.export()["deployment"].get("resources", []) if "File" in item["type"]]

    def state_file(self) -> StateFile:
        """The embedded engine's own view of the state file."""
        return Backend(f"file://{self.driver.home.parent}", self.root).stack("trial", self.driver.stack)

    def vault(self, salt: str | None) -> Vault:
        assert salt
        return Vault(salt, (self.driver.home.parent / ".passphrase").read_text)

    def processes(self) -> list[psutil.Process]:
        """Processes that work in the project, but for this one."""
        running = psutil.process_iter(["cwd", "cmdline"])
        return [process for process in running if (process.info["cwd"] or "").startswith(str(self.root))]

    def begin(self, verb: str, fault: str = "") -> subprocess.Popen[str]:
        """Start one operation in a process of its own, which dies at the named point."""
        arguments = [str(self.root), self.driver.stack, str(self.driver.home), verb]
        environment = {**os.environ, "TRIVET_FAULT": fault, "TRIVET_ENGINE": "embedded"}
        return subprocess.Popen(
            [sys.executable, "-c", OPERATE, *arguments], env=environment, text=True, stderr=subprocess.PIPE
        )


def make_world(root: Path, engine: str = "embedded", stack: str = "dev") -> World:
    """A new project in ``root``."""
    (root / "program").mkdir(parents=True)
    (root / "world").mkdir()
    (root / "Pulumi.yaml").write_text("name: trial\nruntime: python\nmain: program/\n")
    (root / "program" / "provider.py").write_text(PROVIDER)
    (root / "program" / "__main__.py").write_text(PROGRAM)
    world = World(root, Driver(root, stack, root / ".trivet" / stack, engine))
    world.graph()
    world.driver.set_config({"trivet:cloud": "local"})
    return world


def wait_for(condition, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def say(world: World, text: str) -> None:
    (world.root / "program" / "__main__.py").write_text(HEAD + text)


def entries(world: World) -> list[dict[str, Any]]:
    return world.driver.export()["deployment"].get("resources", [])


def held(world: World) -> dict[str, Any]:
    return {name: json.loads(text) for name, text in world.files().items()}


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith(("PULUMI_", "TRIVET_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    yield


@pytest.fixture(params=ENGINES)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """A project for each engine that is present."""
    made = make_world(tmp_path, request.param)
    request.node.user_properties.append(("engine", made.driver.engine))
    return made


@pytest.fixture
def embedded(tmp_path: Path) -> World:
    """A project for the embedded engine alone."""
    return make_world(tmp_path)


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _surroundings: None) -> None:
    """The plugins, where both engines find them."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in PLUGINS:
        executable = folder / f"pulumi-resource-{name}"
        path = str(Path(__file__).with_name(f"{name}.py"))
        executable.write_text(f"#!{sys.executable}\nimport runpy\nrunpy.run_path({path!r}, run_name='__main__')\n")
        executable.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def shelf(world: World, on_path: None) -> World:
    """A project for each engine that is present, and the plugin on PATH."""
    return world


@pytest.fixture
def embedded_shelf(embedded: World, on_path: None) -> World:
    """The same for the embedded engine alone."""
    return embedded


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    engines = sorted({value for report in reports for name, value in report.user_properties if name == "engine"})
    if engines:
        terminalreporter.write_line(f"The contract of the engines was held against: {', '.join(engines)}")
