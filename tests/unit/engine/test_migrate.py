"""A stack changes its engine only by ``trivet stack migrate``.

Where no CLI is present, an executable of its name that runs the embedded command stands in for it: that shows what the
driver does, and :mod:`test_driver` shows what the real one makes of the state.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from trivet.core.errors import ConfigError, IntegrityError, UsageError
from trivet.infra.driver import Driver
from trivet.infra.migrate import migrate

STAND_IN = """#!{python}
import os, sys
args = [one for one in sys.argv[1:] if one != "--non-interactive"]
if args == ["version"]:
    sys.exit(print("v3.205.0"))
from pulumi.automation import CommandError
from trivet.infra.engine.command import EmbeddedCommand
if os.environ.get("LIES") and args[:2] == ["stack", "export"]:
    from trivet.infra.engine import command
    keep = command.export
    def lie(state, **options):
        told = keep(state, **options)
        told["deployment"]["resources"][-1]["id"] = "another"
        return told
    command.export = lie
try:
    done = EmbeddedCommand().run(args, os.getcwd(), {{}})
except CommandError as error:
    sys.exit(str(error))
print(done.stdout)
"""


@pytest.fixture
def cli(request, _surroundings):
    """The real CLI, or what stands in for it."""
    if not shutil.which("pulumi"):
        request.getfixturevalue("stand_in")


@pytest.fixture
def stand_in(tmp_path, monkeypatch, _surroundings):
    """An executable of the CLI's name, before any other."""
    path = tmp_path / "cli" / "pulumi"
    path.parent.mkdir()
    path.write_text(STAND_IN.format(python=sys.executable))
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")


def heir(world, engine: str) -> Driver:
    return Driver(world.root, world.driver.stack, world.driver.home, engine)


@pytest.fixture
def moving(embedded):
    """A stack with a secret, made by the embedded engine."""
    embedded.driver.set_config({"trivet:cloud": "local"}, {"trial:word": "sesame-street"})
    embedded.graph({"name": "a", "props": {"content": "1"}}, {"name": "b", "secret": "word"})
    embedded.up()
    return embedded


def test_a_stack_moves_there_and_back_with_everything(cli, moving):
    before = moving.driver.export()["deployment"]["resources"]
    with pytest.raises(ConfigError, match="trivet stack migrate"):
        heir(moving, "pulumi").preview()

    archive = migrate(moving.driver, "pulumi")
    taken = heir(moving, "pulumi")
    assert [one["urn"] for one in taken.export()["deployment"]["resources"]] == [one["urn"] for one in before]
    assert taken.outputs()["hidden"] == "sesame-street"
    assert taken.preview().keys() == {"same"}
    with pytest.raises(ConfigError, match="belongs to it"):
        heir(moving, "embedded").up()
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    sealed = archive.read_text()
    assert len(json.loads(sealed)["deployment"]["resources"]) == len(before) and "sesame-street" not in sealed

    migrate(taken, "embedded")
    assert heir(moving, "embedded").up().keys() == {"same"}
    assert len(list(archive.parent.iterdir())) == 2


def test_what_does_not_agree_changes_nothing(stand_in, moving, monkeypatch):
    state = moving.state_file().path.read_text()
    monkeypatch.setenv("LIES", "yes")
    with pytest.raises(IntegrityError, match="do not say the same"):
        migrate(moving.driver, "pulumi")
    assert (
        json.loads(moving.state_file().path.read_text())["checkpoint"]["latest"]["resources"]
        == (json.loads(state)["checkpoint"]["latest"]["resources"])
    )
    assert moving.again().up().keys() == {"same"}


def test_what_cannot_move_is_named(cli, moving):
    with pytest.raises(UsageError, match="belongs to the engine 'embedded' already"):
        migrate(moving.driver, "embedded")
    with pytest.raises(UsageError, match="no engine"):
        migrate(moving.driver, "terraform")
    moving.graph({"name": "c", "props": {"content": "slow"}})
    moving.begin("up", "engine.creating.done").communicate()
    with pytest.raises(ConfigError, match="cut off"):
        migrate(moving.driver, "pulumi")
    moving.up()
    migrate(moving.driver, "pulumi")


def test_where_the_other_engine_is_not_there_nothing_is_written(moving, monkeypatch):
    folders = os.environ["PATH"].split(os.pathsep)
    monkeypatch.setenv("PATH", os.pathsep.join(one for one in folders if not (Path(one) / "pulumi").exists()))
    with pytest.raises(ConfigError, match="not on PATH"):
        migrate(moving.driver, "pulumi")
    assert not (moving.driver.home.parent / ".archive").exists()
    assert moving.again().up().keys() == {"same"}
