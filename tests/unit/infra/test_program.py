"""The program under Pulumi's mocks: one graph, one output, nothing secret in it; and the providers on a real folder."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trivet.core.errors import ConfigError
from trivet.core.outputs import Outputs
from trivet.infra.stacks.local.endpoint import ShellProvider
from trivet.infra.stacks.local.keys import SigningKeyProvider
from trivet.infra.stacks.local.storage import FolderProvider


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Pulumi.yaml").touch()
    monkeypatch.delenv("TRIVET_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(config: dict[str, str], mode: str = "up") -> dict[str, Any]:
    command = [sys.executable, str(Path(__file__).with_name("mocked.py")), json.dumps(config), mode]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


CONFIG = {"cloud": "local", "environment": "dev", "region": "local", "endpoints": '["loan"]'}


def test_the_graph_gives_valid_outputs_and_writes_their_copy(root: Path) -> None:
    done = run(CONFIG)
    assert set(done["resources"]) == {
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
    outputs = Outputs.parse(done["output"], "output")
    assert outputs.endpoints["loan"].port == 8123
    assert outputs.store == "file:store"
    assert outputs.native.home == ".trivet/local"
    assert Outputs.read(root / ".trivet" / "local" / "outputs.json") == outputs
    assert str(root) not in json.dumps(done), "a checkout must be able to move"


def test_a_preview_writes_nothing(root: Path) -> None:
    run(CONFIG, "preview")
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
