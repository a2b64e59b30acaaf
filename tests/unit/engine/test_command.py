"""The command in the place of the CLI: what the Automation API asks, and what is refused by name."""

from __future__ import annotations

import inspect
import json
from importlib.util import find_spec
from pathlib import Path

import pulumi
import pytest
from pulumi import automation as auto
from pulumi.automation._server import LanguageServer

from trivet.core.errors import ConfigError, ExitCode, Unsupported
from trivet.infra.engine.arguments import parse
from trivet.infra.engine.command import EmbeddedCommand

A = {"name": "a", "props": {"content": "1"}}


@pytest.fixture
def workspace(tmp_path: Path) -> auto.LocalWorkspace:
    (tmp_path / "Pulumi.yaml").write_text("name: trial\nruntime:\n  name: python\nmain: program/\n")
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "__main__.py").write_text("import pulumi\npulumi.export('n', 1)\n")
    env = {"PULUMI_BACKEND_URL": f"file://{tmp_path}/backend", "PULUMI_CONFIG_PASSPHRASE": "first"}
    return auto.LocalWorkspace(work_dir=str(tmp_path), env_vars=env, pulumi_command=EmbeddedCommand())


def cause(error: pytest.ExceptionInfo[auto.CommandError]) -> BaseException | None:
    return error.value.__cause__


def test_stacks_are_made_listed_selected_and_removed(workspace):
    with pytest.raises(auto.StackNotFoundError):
        workspace.select_stack("one")
    workspace.create_stack("one")
    workspace.create_stack("two")
    with pytest.raises(auto.StackAlreadyExistsError):
        workspace.create_stack("one")

    assert [(item.name, item.current, item.resource_count) for item in workspace.list_stacks()] == [
        ("one", False, 0),
        ("two", True, 0),
    ]
    workspace.select_stack("organization/trial/one")
    assert workspace.stack().name == "one"
    workspace.remove_stack("one")
    assert [item.name for item in workspace.list_stacks()] == ["two"]
    assert not (Path(workspace.work_dir) / "Pulumi.one.yaml").exists()
    assert (Path(workspace.work_dir) / "backend/.pulumi/meta.yaml").read_text() == "version: 1\n"
    with pytest.raises(auto.CommandError, match="not a stack's name"):
        workspace.create_stack("../three")


def test_config_is_kept_as_the_cli_keeps_it(workspace):
    workspace.create_stack("one")
    workspace.set_config("one", "size", auto.ConfigValue("-1"))
    workspace.set_config("one", "other:key", auto.ConfigValue("a=b --c"))
    workspace.set_all_config(
        "one", {"word": auto.ConfigValue("hidden", secret=True), "flag": auto.ConfigValue("--yes=no")}
    )

    path = Path(workspace.work_dir) / "Pulumi.one.yaml"
    text = path.read_text()
    assert "hidden" not in text
    assert "encryptionsalt: v1:" in text
    assert "trial:word:\n    secure: v1:" in text
    assert {key: (item.value, item.secret) for key, item in workspace.get_all_config("one").items()} == {
        "trial:size": ("-1", False),
        "other:key": ("a=b --c", False),
        "trial:word": ("hidden", True),
        "trial:flag": ("--yes=no", False),
    }
    workspace.set_config("one", "word", auto.ConfigValue("hidden", secret=True))
    assert path.read_text() == text
    assert workspace.get_config("one", "word").value == "hidden"

    workspace.remove_all_config("one", ["word", "size", "flag"])
    workspace.remove_config("one", "never-set")
    assert workspace.get_all_config("one").keys() == {"other:key"}
    with pytest.raises(auto.CommandError, match="'trial:word' is not set"):
        workspace.get_config("one", "word")


def test_another_passphrase_is_refused_and_none_is_asked_for(workspace):
    workspace.create_stack("one")
    workspace.set_config("one", "word", auto.ConfigValue("hidden", secret=True))
    workspace.env_vars["PULUMI_CONFIG_PASSPHRASE"] = "second"
    with pytest.raises(auto.CommandError, match="does not open") as refused:
        workspace.get_config("one", "word")
    assert cause(refused).exit_code == ExitCode.CONFIG

    del workspace.env_vars["PULUMI_CONFIG_PASSPHRASE"]
    with pytest.raises(auto.CommandError, match="Set PULUMI_CONFIG_PASSPHRASE"):
        workspace.get_config("one", "word")
    file = Path(workspace.work_dir) / "passphrase"
    workspace.env_vars["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(file)
    with pytest.raises(auto.CommandError, match="passphrase does not exist"):
        workspace.get_config("one", "word")
    file.write_text("first\n")
    assert workspace.get_config("one", "word").value == "hidden"


def test_a_state_moves_by_export_and_import(embedded):
    word = "correct horse battery"
    embedded.driver.set_config({}, secret={"trial:word": word})
    embedded.graph(A, {"name": "b", "secret": "word", "takes": ["a"]})
    embedded.up()
    exported = embedded.driver.export()
    assert word in json.dumps(exported)
    stack = embedded.driver._open()
    before = embedded.state_file().path.read_bytes()

    foreign = json.loads(json.dumps(exported).replace("urn:pulumi:dev::", "urn:pulumi:other::"))
    for deployment, match in [
        (foreign, "of another stack"),
        ({"version": 2, "deployment": {}}, "of version 2"),
        ({"version": 3, "deployment": {"resources": [{}]}}, "not what `pulumi stack export` writes"),
        ({"version": 3, "deployment": {"secrets_providers": {"type": "service"}}}, "secrets provider 'service'"),
    ]:
        with pytest.raises(auto.CommandError, match=match):
            stack.import_stack(auto.Deployment(**deployment))
    assert embedded.state_file().path.read_bytes() == before

    stack.import_stack(auto.Deployment(version=3, deployment={}))
    assert embedded.resources() == []
    stack.import_stack(auto.Deployment(**exported))
    assert word not in embedded.state_file().path.read_text()
    assert embedded.up() == {"same": 3}
    with pytest.raises(auto.CommandError, match="still has 4 resources"):
        stack.workspace.remove_stack("dev")


def test_summaries_and_history(workspace):
    stack = auto.Stack.create("one", workspace)
    lines: list[str] = []
    events: list[auto.EngineEvent] = []

    assert stack.history() == []
    stack.set_config("trial:word", auto.ConfigValue("hidden-word", secret=True))
    stack.set_config("trial:open", auto.ConfigValue("1"))
    result = stack.up(message="why", on_output=lines.append, on_event=events.append)

    assert (result.summary.kind, result.summary.result, result.summary.message) == ("update", "succeeded", "why")
    assert result.summary.resource_changes == {"create": 1}
    assert result.outputs["n"].value == 1
    assert lines == result.stdout.splitlines()
    assert [event.res_outputs_event.metadata.op for event in events if event.res_outputs_event] == ["create"]
    assert events[-1].cancel_event
    assert stack.preview_destroy().change_summary == {"delete": 1}
    assert stack.preview_refresh().change_summary == {"same": 1}
    assert [entry.kind for entry in stack.history(page_size=5)] == ["update"]
    with pytest.raises(auto.CommandError, match="No changes were expected"):
        (Path(workspace.work_dir) / "program" / "__main__.py").write_text(
            "import pulumi\npulumi.ComponentResource('a:b:C', 'c')\n"
        )
        stack.up(expect_no_changes=True)


def test_history_lasts_and_keeps_secrets_sealed(workspace):
    stack = auto.Stack.create("one", workspace)
    stack.set_config("trial:word", auto.ConfigValue("hidden-word", secret=True))
    stack.set_config("trial:open", auto.ConfigValue("1"))
    (Path(workspace.work_dir) / "program" / "__main__.py").write_text("raise ValueError('no')")
    with pytest.raises(auto.CommandError):
        stack.up(message="first")
    stack.preview_refresh()
    stack.refresh()
    stack.destroy()

    again = auto.Stack.select("one", workspace)
    entries = again.history(show_secrets=True)
    assert [(entry.kind, entry.result, entry.version) for entry in entries] == [
        ("destroy", "succeeded", 3), ("refresh", "succeeded", 2), ("update", "failed", 1)
    ]  # fmt: skip
    assert entries[2].message == "first"
    assert all(entry.start_time <= entry.end_time for entry in entries)
    assert {key: (one.value, one.secret) for key, one in entries[0].config.items()} == {
        "trial:word": ("hidden-word", True), "trial:open": ("1", False)
    }  # fmt: skip
    assert [entry.version for entry in again.history(page_size=1)] == [3]
    assert [entry.version for entry in again.history(page_size=2, page=2)] == [1]

    backend = Path(workspace.env_vars["PULUMI_BACKEND_URL"].removeprefix("file://"))
    files = list((backend / ".pulumi" / "history" / "trial" / "one").iterdir())
    assert len(files) == 3
    assert not any("hidden-word" in path.read_text() for path in files)
    files[0].write_text("{}")
    with pytest.raises(auto.CommandError, match="not a history that Pulumi writes"):
        again.history()
    workspace.remove_stack("one")
    assert not files[0].exists()


def test_an_inline_program(workspace):
    stack = auto.Stack.create("one", workspace)
    assert stack.up(program=lambda: pulumi.export("inline", True)).outputs["inline"].value is True


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["up", "--attach-debugger"], "--attach-debugger"),
        (["up", "--plan", "file"], "--plan"),
        (["up", "--debug"], "--debug"),
        (["refresh", "--run-program=true"], "--run-program"),
        (["up", "--col", "never"], "--col"),
        (["preview", "--json"], "--json"),
        (["import", "--yes"], "import"),
        (["cancel", "--yes"], "cancel"),
        (["plugin", "ls", "--json"], "plugin"),
        (["stack", "rename", "other"], "rename"),
        (["stack", "tag", "ls"], "tag"),
        (["stack", "output"], "--json"),
        (["stack"], "stack command"),
        (["config", "set", "--path", "a.b", "--plaintext", "--", "1"], "--path"),
        (["config", "set-all", "--json", "{}"], "--json"),
        (["config", "env", "ls"], "env"),
    ],
)
def test_a_command_line_that_is_not_implemented_is_named(args, named):
    with pytest.raises(Unsupported, match=named) as refused:
        parse(args)
    assert refused.value.exit_code == ExitCode.UNSUPPORTED


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("pulumi.ProviderResource('aws', 'p', {})", "no pulumi-resource-aws is on PATH"),
        ("pulumi.CustomResource('aws:s3/bucket:Bucket', 'b', {})", "package 'aws'"),
        ("pulumi.CustomResource('aws:s3/bucket:Bucket', 'b', {}, pulumi.ResourceOptions(id='x'))", "package 'aws'"),
        ("pulumi.runtime.invoke('aws:index/getRegion:getRegion', {})", "package 'aws'"),
        ("pulumi.CustomResource('pulumi:pulumi:Stash', 's', {})", "of 'pulumi'"),
        ("pulumi.StackReference('organization/trial/none')", "no stack 'organization/trial/none'"),
        ("pulumi.StackReference('a/b')", "no name of a stack"),
        ("pulumi.require_pulumi_version('>=9.0.0')", "requires Pulumi >=9.0.0"),
        ("pulumi.require_pulumi_version('soon')", "'soon' is no range"),
    ],
)
def test_what_a_program_uses_and_is_not_implemented_is_named(embedded, line, named):
    program = (
        "import pulumi\nfrom pulumi.dynamic import Resource\nfrom provider import Plain\n"
        "class Dynamic(Resource, module='test', name='File'): pass\n"
        "def File(**options): Dynamic(Plain(), 'f', {'content': ''}, pulumi.ResourceOptions(**options))\n"
    )
    (embedded.root / "program" / "__main__.py").write_text(program + line)

    with pytest.raises(Exception, match=named):
        embedded.driver.preview()


def test_a_setting_of_pulumi_s_own_is_named(embedded):
    embedded.driver.set_config({"pulumi:disable-default-providers": '["*"]'})
    with pytest.raises(Unsupported, match="'pulumi:disable-default-providers'"):
        embedded.driver.preview()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("name: trial\nruntime: nodejs\n", "runtime 'nodejs'"),
        ("name: trial\nruntime: python\nconfig:\n  a: 1\n", "'config'"),
        ("name: trial\nruntime: {name: python, options: {typechecker: mypy}}\n", "'typechecker'"),
        ("name: [\n", "not YAML"),
        ("- a\n", "does not hold settings"),
    ],
)
def test_a_project_setting_that_is_not_implemented_is_named(workspace, text, named):
    (Path(workspace.work_dir) / "Pulumi.yaml").write_text(text)
    with pytest.raises(auto.CommandError, match=named):
        workspace.list_stacks()


@pytest.mark.parametrize("url", ["s3://bucket", "https://api.pulumi.com", "file:///tmp?x=y", "here"])
def test_another_backend_is_named(workspace, url):
    workspace.env_vars["PULUMI_BACKEND_URL"] = url
    with pytest.raises(auto.CommandError, match="keeps state in a folder") as refused:
        workspace.list_stacks()
    assert isinstance(cause(refused), Unsupported)
    del workspace.env_vars["PULUMI_BACKEND_URL"]
    with pytest.raises(auto.CommandError, match="No state backend is named") as refused:
        workspace.list_stacks()
    assert isinstance(cause(refused), ConfigError)


def test_the_parts_of_the_sdk_that_the_engine_stands_on_are_as_they_were():
    assert list(inspect.signature(LanguageServer).parameters) == ["program"]
    theirs, ours = (inspect.signature(kind.run).parameters for kind in (auto.PulumiCommand, EmbeddedCommand))
    assert list(theirs) == list(ours)
    assert find_spec("pulumi.dynamic.__main__")
