"""The program under Pulumi's mocks: one graph, one output, nothing secret in it; and the providers on a real folder."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks

from trivet.core.errors import ConfigError
from trivet.core.outputs import Outputs
from trivet.infra import program
from trivet.infra.stacks.local.endpoint import ShellProvider
from trivet.infra.stacks.local.keys import SigningKeyProvider
from trivet.infra.stacks.local.storage import FolderProvider


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


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Pulumi.yaml").touch()
    monkeypatch.delenv("TRIVET_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(mocks: Recorder, config: dict[str, str], preview: bool = False) -> dict[str, Any]:
    """Run the program in a thread of its own: Pulumi and its mocks leave event loops behind wherever they ran."""
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        with ThreadPoolExecutor(1) as pool:
            seen = pool.submit(_run, mocks, config, preview).result()
        gc.collect()
    return seen


def _run(mocks: Recorder, config: dict[str, str], preview: bool) -> dict[str, Any]:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    pulumi.runtime.set_mocks(mocks, project="trivet", stack="local", preview=preview)
    pulumi.runtime.set_all_config({f"trivet:{key}": value for key, value in config.items()})
    seen: dict[str, Any] = {}

    @pulumi.runtime.test
    def body() -> Any:
        from trivet.infra.export import export

        component = program.build(program.Settings.of(program.configured()), "local")
        return export(component).apply(seen.update)

    try:
        body()
    finally:
        loop.close()
    return seen


CONFIG = {"cloud": "local", "environment": "dev", "region": "local", "endpoints": '["loan"]'}


def test_the_graph_gives_valid_outputs_and_writes_their_copy(root: Path) -> None:
    mocks = Recorder()
    seen = run(mocks, CONFIG)
    assert set(mocks.resources) == {
        "local",
        "home",
        "store",
        "records",
        "signing-key",
        "database",
        "registry",
        "jobs",
        "endpoint-loan",
    }
    outputs = Outputs.parse(seen, "seen")
    assert outputs.endpoints["loan"].port == 8123
    assert outputs.store == "file:store"
    assert outputs.native.home == ".trivet/local"
    assert Outputs.read(root / ".trivet" / "local" / "outputs.json") == outputs
    assert str(root) not in json.dumps(seen), "a checkout must be able to move"


def test_a_preview_writes_nothing(root: Path) -> None:
    run(Recorder(), CONFIG, preview=True)
    assert not (root / ".trivet").exists()


def test_a_folder_comes_and_goes(root: Path) -> None:
    provider = FolderProvider()
    made = provider.create({"path": ".trivet/x"})
    assert (root / ".trivet" / "x").stat().st_mode & 0o777 == 0o700
    (root / ".trivet" / "x" / "file").touch()
    assert provider.read(made.id, made.outs).id == made.id
    assert not provider.diff(made.id, {"path": "a"}, {"path": "a"}).changes
    assert provider.diff(made.id, {"path": "a"}, {"path": "b"}).replaces == ["path"]
    provider.delete(made.id, made.outs)
    provider.delete(made.id, made.outs)
    assert not (root / ".trivet" / "x").exists()
    assert not provider.read(made.id, made.outs).id


def test_the_private_key_stays_in_its_file(root: Path) -> None:
    provider = SigningKeyProvider()
    made = provider.create({"path": ".trivet/keys/signing.pem"})
    private = root / ".trivet" / "keys" / "signing.pem"
    assert private.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" in private.read_text()
    assert "PRIVATE" not in json.dumps(made.outs)
    again = provider.create({"path": ".trivet/keys/signing.pem"})
    assert again.outs == made.outs, "a create that is repeated must not make another key"
    provider.delete(made.id, made.outs)
    assert not private.parent.exists()


def test_a_port_is_chosen_once_and_a_taken_one_is_named(root: Path) -> None:
    provider = ShellProvider()
    wanted = {"name": "loan", "folder": ".trivet/endpoints/loan", "wanted_port": None}
    made = provider.create(wanted)
    assert 1024 <= made.outs["port"] <= 65535
    assert not provider.diff(made.id, made.outs, wanted).changes
    provider.delete(made.id, made.outs)
    assert not (root / ".trivet" / "endpoints" / "loan").exists()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Port {port} of 127.0.0.1 is taken"):
            provider.create({**wanted, "wanted_port": float(port)})
