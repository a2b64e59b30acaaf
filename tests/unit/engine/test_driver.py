"""Which engine runs, whose stack it is, and where things lie."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from trivet.core.errors import ConfigError, ExitCode, NotFound, Unsupported, UsageError
from trivet.infra.driver import Driver

A = {"name": "a", "props": {"content": "1"}}

FAKE_CLI = """#!/bin/sh
[ "$1" = version ] && echo v3.200.0 && exit 0
echo "error: this is not the real one" >&2
exit 1
"""


@pytest.fixture
def without_cli(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = os.environ["PATH"].split(os.pathsep)
    monkeypatch.setenv("PATH", os.pathsep.join(item for item in folders if not (Path(item) / "pulumi").exists()))


@pytest.fixture
def failing_cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_cli: None) -> None:
    cli = tmp_path / "bin" / "pulumi"
    cli.parent.mkdir()
    cli.write_text(FAKE_CLI)
    cli.chmod(0o755)
    monkeypatch.setenv("PATH", f"{cli.parent}{os.pathsep}{os.environ['PATH']}")


def driver(root: Path, stack: str = "dev", engine: str | None = None) -> Driver:
    (root / "Pulumi.yaml").write_text("name: trial\nruntime: python\nmain: program/\n")
    return Driver(root, stack, root / ".trivet" / stack, engine)


def test_without_a_cli_the_embedded_engine_runs_and_says_so(tmp_path, without_cli, monkeypatch):
    assert driver(tmp_path).engine == "embedded 3.205.0"
    with pytest.raises(ConfigError, match="not on PATH"):
        _ = driver(tmp_path, engine="pulumi").engine
    monkeypatch.setenv("TRIVET_ENGINE", "pulumi")
    with pytest.raises(ConfigError, match="not on PATH"):
        _ = driver(tmp_path).engine
    assert driver(tmp_path, engine="embedded").engine == "embedded 3.205.0"
    monkeypatch.setenv("TRIVET_ENGINE", "other")
    with pytest.raises(UsageError, match="no engine"):
        driver(tmp_path)


def test_a_cli_that_fails_is_not_replaced_by_the_embedded_engine(tmp_path, failing_cli):
    stack = driver(tmp_path)
    assert stack.engine == "pulumi 3.200.0"
    with pytest.raises(Exception, match="pulumi failed: this is not the real one"):
        stack.set_config({"trivet:cloud": "local"})
    assert not list(tmp_path.glob(".trivet/.pulumi/stacks/*/*"))


def test_a_stack_stays_with_the_engine_that_made_it(embedded, failing_cli):
    embedded.graph(A)
    embedded.up()
    embedded.driver._forced = None
    assert embedded.again().engine == "embedded 3.205.0"
    with pytest.raises(ConfigError, match="made by the engine 'embedded'") as refused:
        Driver(embedded.root, "dev", embedded.driver.home, "pulumi").preview()
    assert refused.value.exit_code == ExitCode.CONFIG

    embedded.driver._record.unlink()  # as when it was made by hand with the CLI
    with pytest.raises(ConfigError, match="made by the engine 'pulumi'"):
        Driver(embedded.root, "dev", embedded.driver.home, "embedded").up()
    assert embedded.files() == {"a.a": "1"}


@pytest.mark.parametrize("cloud", ["aws", "gcp", "azure"])
def test_the_embedded_engine_refuses_a_real_cloud_but_in_a_rehearsal(tmp_path, without_cli, cloud):
    real = driver(tmp_path)
    with pytest.raises(Unsupported, match=f"not '{cloud}'"):
        real.set_config({"trivet:cloud": cloud})
    assert not (tmp_path / "Pulumi.dev.yaml").exists()

    rehearsal = driver(tmp_path, f"{cloud}-rehearsal")
    rehearsal.set_config({"trivet:cloud": cloud})
    assert rehearsal.cloud == cloud
    (tmp_path / "Pulumi.dev.yaml").write_text(f"config:\n  trivet:cloud: {cloud}\n")
    assert real.environment() == {"PULUMI_SKIP_UPDATE_CHECK": "true"}


def test_what_does_not_exist_is_named(tmp_path, without_cli):
    with pytest.raises(ConfigError, match="has no trivet:cloud"):
        driver(tmp_path).preview()
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  trivet:cloud: local\n")
    with pytest.raises(NotFound, match="no stack named 'dev'"):
        driver(tmp_path).preview()


def test_the_environment_is_what_the_cli_needs_and_leaves_to_the_user_what_is_theirs(embedded, monkeypatch):
    folder = embedded.driver.home.parent
    given = embedded.driver.environment()
    passphrase = Path(given["PULUMI_CONFIG_PASSPHRASE_FILE"])
    assert given["PULUMI_BACKEND_URL"] == f"file://{folder}"
    assert passphrase.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(passphrase.read_text()) > 32
    assert embedded.again().environment() == given

    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "mine")
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{embedded.root}/mine")
    assert embedded.again().environment() == {"PULUMI_SKIP_UPDATE_CHECK": "true"}
    embedded.again().set_config({"trivet:cloud": "local"})
    assert (embedded.root / "mine/.pulumi/stacks/trial/dev.json").exists()


def test_two_first_uses_agree_on_the_passphrase(tmp_path, without_cli):
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  trivet:cloud: local\n")
    code = (
        "import sys; from pathlib import Path; from trivet.infra.driver import Driver; root = Path(sys.argv[1])\n"
        "print(open(Driver(root, 'dev', root / 'h' / 'dev').environment()['PULUMI_CONFIG_PASSPHRASE_FILE']).read())"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = {run.communicate()[0] for run in runs}
    assert len(said) == 1
    assert [path.name for path in (tmp_path / "h").iterdir()] == [".passphrase"]


def test_a_project_that_moved_goes_on(embedded, tmp_path):
    embedded.graph(A)
    embedded.up()
    moved = tmp_path / "moved"
    moved.mkdir()
    for item in ("Pulumi.yaml", "Pulumi.dev.yaml", "program", "world", ".trivet"):
        shutil.move(tmp_path / item, moved / item)

    there = Driver(moved, "dev", moved / ".trivet" / "dev", "embedded")
    assert there.up() == {"same": 2}
    there.destroy()
    assert list((moved / "world").iterdir()) == []


def test_asking_for_the_environment_imports_no_pulumi(tmp_path):
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  trivet:cloud: local\n")
    code = (
        "import sys; from pathlib import Path; from trivet.infra.driver import Driver; root = Path(sys.argv[1])\n"
        "Driver(root, 'dev', root / 'h' / 'dev').environment(); assert 'pulumi' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


STARTS = """
import sys
from pathlib import Path
from trivet.infra.driver import Driver
from trivet.infra.engine.children import Child
begin = Child.__init__
def told(child, what, *arguments):
    print(what, "after" if "pulumi" in sys.modules else "before", "the SDK")
    begin(child, what, *arguments)
Child.__init__ = told
root, stack, home = sys.argv[1:]
Driver(Path(root), stack, Path(home), "embedded").preview()
"""


def test_the_program_s_process_starts_once_and_before_the_sdk_is_imported(embedded):
    embedded.graph(A)
    where = (embedded.root, embedded.driver.stack, embedded.driver.home)
    done = subprocess.run([sys.executable, "-c", STARTS, *map(str, where)], capture_output=True, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if line.endswith("the SDK")]
    assert lines[0] == "The program's process before the SDK"
    assert [line for line in lines if line.startswith("The program's")] == lines[:1]


def test_a_program_that_started_for_nothing_is_gone(tmp_path, without_cli):
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "__main__.py").write_text("")
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  trivet:cloud: local\n")
    with pytest.raises(NotFound):
        driver(tmp_path).preview()
    programs = (" ".join(one.cmdline()) for one in psutil.Process().children(recursive=True))
    assert [one for one in programs if str(tmp_path) in one] == []


@pytest.mark.skipif(not shutil.which("pulumi"), reason="the pulumi CLI is not on PATH")
def test_the_cli_takes_over_a_state_that_the_embedded_engine_wrote(embedded, monkeypatch):
    word = "correct horse battery"
    embedded.driver.set_config({}, secret={"trial:word": word})
    embedded.graph(A, {"name": "g", "group": True}, {"name": "b", "secret": "word", "takes": ["a"], "parent": "g"})
    embedded.up()
    for name, value in embedded.driver.environment().items():
        monkeypatch.setenv(name, value)

    def pulumi(*arguments: str) -> str:
        command = ["pulumi", "--non-interactive", *arguments, "--stack", "dev"]
        return subprocess.run(command, cwd=embedded.root, check=True, capture_output=True, text=True).stdout

    assert pulumi("stack", "output", "hidden", "--show-secrets").strip() == word
    assert "4 unchanged" in pulumi("preview", "--expect-no-changes")
    (embedded.root / "state.json").write_text(pulumi("stack", "export"))
    pulumi("stack", "import", "--file", "state.json")
    pulumi("destroy", "--yes", "--skip-preview")
    assert embedded.files() == {}
