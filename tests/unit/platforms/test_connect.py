from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from trivet.connect import connect
from trivet.core.errors import ConfigError, NotReady
from trivet.core.layout import OUTPUTS_FILE
from trivet.platforms.local.processes import python_environment
from trivet.rehearsal.rigs.local import LocalRig

HEAVY = ("pulumi", "mlflow", "sklearn", "pandas", "numpy", "onnxruntime", "sqlalchemy", "rich", "typer")


def test_the_only_stack_of_the_project_is_the_one(rig: LocalRig, monkeypatch: pytest.MonkeyPatch) -> None:
    (rig.root / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(rig.root / "deep" / "er")
    assert connect().outputs == rig.platform.outputs


def test_of_several_stacks_one_must_be_named(rig: LocalRig, monkeypatch: pytest.MonkeyPatch) -> None:
    other = rig.home.with_name("other")
    other.mkdir()
    text = (rig.home / OUTPUTS_FILE).read_text().replace('"stack": "local"', '"stack": "other"')
    (other / OUTPUTS_FILE).write_text(text)
    with pytest.raises(ConfigError, match="local, other"):
        connect(root=rig.root)
    assert connect("other", root=rig.root).outputs.stack == "other"
    monkeypatch.setenv("TRIVET_STACK", "other")
    assert connect(root=rig.root).outputs.stack == "other"
    assert connect("local", root=rig.root).outputs.stack == "local"


def test_outputs_come_from_a_file_too(rig: LocalRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "given.json").write_bytes((rig.home / OUTPUTS_FILE).read_bytes())
    (rig.home / OUTPUTS_FILE).unlink()
    assert connect(outputs=tmp_path / "given.json", root=rig.root).outputs == rig.platform.outputs
    monkeypatch.setenv("TRIVET_OUTPUTS", str(tmp_path / "given.json"))
    assert connect(root=rig.root).outputs == rig.platform.outputs
    with pytest.raises(ConfigError, match="of stack local, not of production"):
        connect("production", root=rig.root)


def test_a_stack_that_is_not_up_names_the_command_that_makes_it(rig: LocalRig) -> None:
    with pytest.raises(NotReady, match="trivet up --stack nobody"):
        connect("nobody", root=rig.root)
    (rig.home / OUTPUTS_FILE).rename(rig.root / "outputs.json")
    with pytest.raises(NotReady, match="trivet up"):
        connect(root=rig.root)
    rig.home.rename(rig.home.with_name("away"))
    with pytest.raises(NotReady, match="trivet up"):
        connect(outputs=rig.root / "outputs.json", root=rig.root)
    rig.home.with_name("away").rename(rig.home)


@pytest.mark.parametrize("harm", [{"cloud": "moon"}, {"version": 2}, {"extra": 1}, {"store": None}], ids=str)
def test_outputs_are_read_strictly(rig: LocalRig, harm: dict[str, object]) -> None:
    path = rig.home / OUTPUTS_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | harm))
    with pytest.raises(ConfigError, match=next(iter(harm))):
        connect(root=rig.root)


def test_a_missing_package_names_the_extra(rig: LocalRig, tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
sys.modules["obstore"] = None
from trivet.connect import connect
from trivet.core.errors import ConfigError
try:
    connect(root=Path(sys.argv[1]))
except ConfigError as error:
    print(error)
"""
    assert "pip install 'trivet[local]'" in _run(code, str(rig.root))


def test_the_runtime_verbs_import_nothing_heavy(rig: LocalRig) -> None:
    code = f"""
import sys
from pathlib import Path
from trivet.connect import connect
from trivet.core.errors import NotReady
platform = connect(root=Path(sys.argv[1]))
platform.endpoints.state("first")
platform.store.list("")
list(platform.endpoints.logs("first"))
try:
    platform.endpoints.invoke("first", {{}})
except NotReady:
    print([name for name in {HEAVY!r} if name in sys.modules])
"""
    assert _run(code, str(rig.root)).strip() == "[]"


def test_connecting_imports_no_cloud_that_was_not_chosen() -> None:
    code = "import sys, trivet.connect; print([name for name in sys.modules if name.startswith('trivet.platforms.l')])"
    assert _run(code).strip() == "[]"


def _run(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command, env=python_environment(os.environ), capture_output=True, text=True, check=True
    ).stdout
