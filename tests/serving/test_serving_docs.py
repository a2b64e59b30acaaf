"""What docs/serving.md tells a newcomer to type does what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from trivet.core.errors import ExitCode

from .containers import Container
from .rawhttp import wait_for

PAGE = Path(__file__).parents[2] / "docs" / "serving.md"
TOKEN = "a-token-of-more-than-sixteen-characters"


def blocks(language: str) -> list[str]:
    """The page's blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def typed(command: str, folder: Path) -> str:
    """What a shell prints."""
    environ = {"PATH": os.environ["PATH"], "NO_PROXY": "*"}
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=folder, env=environ, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def scores_in(printed: str) -> list[float]:
    """Every score: in JSON under its name or as an output's data, in CSV the first cell."""
    named = re.findall(r'"score":([0-9.]+)|"score","datatype":"FP32","shape":\[1\],"data":\[([0-9.]+)\]', printed)
    return [float(one or other) for one, other in named] + [
        float(cell) for cell in re.findall(r"(?:^|})([01]\.[0-9]+),(?:yes|no|approve|deny|1|0)", printed, re.MULTILINE)
    ]


def test_every_front_is_asked_for_the_same_row(start, made, tmp_path):
    server = start(made)
    [ask] = [block for block in blocks("sh") if "url=" in block]
    requests = ask.count("curl ")
    printed = typed(ask.replace("http://127.0.0.1:8080", server.url), tmp_path)
    scores = scores_in(printed)
    assert (len(scores), len(set(scores))) == (requests, 1), printed
    assert '"contributions":{' in printed


def test_the_configuration_starts_a_server_whose_model_is_changed(made, other, tmp_path, client):
    for version, package in (("1", made), ("2", other)):
        shutil.copytree(package.folder, tmp_path / "models" / "loan" / version)
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o600)
    [text] = blocks("json")
    config: dict[str, Any] = json.loads(text) | {"port": 0}
    (tmp_path / "config.json").write_text(json.dumps(config))
    server = Container({}, tmp_path / "log", [str(tmp_path / "config.json")], cwd=tmp_path)
    try:
        server.line("ready")
        wait_for((tmp_path / "admin.sock").exists)
        [load] = [block for block in blocks("sh") if "admin.sock" in block]
        assert json.loads(typed(load, tmp_path))["package"] == other.digest
        answer = client.post(f"{server.url}/v2/models/loan/infer", json=made.request())
        assert answer.headers["trivet-model"] == "loan/2"
        server.process.terminate()
        assert server.process.wait(30) == ExitCode.OK
    finally:
        server.process.kill()
        server.process.wait()
    assert list((tmp_path / "records").iterdir())
    assert not (tmp_path / "admin.sock").exists()
