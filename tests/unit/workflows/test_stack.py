"""A stack's config: what `trivet up` writes into it, and what it refuses to write."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from trivet.core.errors import ConfigError, GateRefused, NotFound
from trivet.infra.driver import Options
from trivet.workflows.init import scaffold
from trivet.workflows.project import ProjectFiles
from trivet.workflows.stack import audit, configure, destroy, environment, held, preview, read_config, up

REPOSITORY = Path(__file__).resolve().parents[3]
EXAMPLE = REPOSITORY / "examples" / "loan_approval"
PACK = """
from pulumi_policy import EnforcementLevel, PolicyPack, StackValidationPolicy

def small(args, report):
    if len(args.resources) > 2:
        report(f"{len(args.resources)} resources")

PolicyPack("size", [StackValidationPolicy("small", "Stacks are small.", small, EnforcementLevel.MANDATORY)])
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project root without any stack."""
    scaffold(tmp_path)
    for name in ("TRIVET_HOME", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRIVET_ENGINE", "embedded")
    return tmp_path


@pytest.fixture
def loan() -> ProjectFiles:
    return ProjectFiles.read(EXAMPLE)


def test_local_has_defaults_and_an_endpoint_for_each_project(root: Path, loan: ProjectFiles) -> None:
    configure(root, "local", [loan, loan])
    config = read_config(root, "local")
    assert json.loads(config.pop("trivet:endpoints")) == ["loan"]
    assert config == {"trivet:cloud": "local", "trivet:environment": "dev", "trivet:region": "local"}


def test_what_was_set_stays_and_what_is_the_same_is_not_written_again(root: Path, loan: ProjectFiles) -> None:
    own = [{"name": "loan", "port": 8123}, "other"]
    configure(root, "local", config={"environment": "staging", "endpoints": json.dumps(own)})
    file = root / "Pulumi.local.yaml"
    before = file.read_bytes()
    configure(root, "local", [loan])
    assert file.read_bytes() == before
    assert json.loads(read_config(root, "local")["trivet:endpoints"]) == own
    configure(root, "local", config={"environment": "prod"})
    assert read_config(root, "local")["trivet:environment"] == "prod"


def test_another_stack_is_told_what_it_is(root: Path, loan: ProjectFiles) -> None:
    with pytest.raises(ConfigError, match=r"cloud: .*environment: .*region: "):
        configure(root, "audit", [loan])
    assert list(root.glob("Pulumi.*.yaml")) == []
    told = {"cloud": "local", "environment": "prod", "region": "local", "regulated": "true"}
    configure(root, "audit", [loan], told)
    assert read_config(root, "audit")["trivet:regulated"] == "true"


def test_a_stack_that_nobody_made_is_called_by_the_names_of_those_that_there_are(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"stack audti has no config here; no other does either\. .*--config cloud="):
        configure(root, "audti")
    configure(root, "audit", config={"cloud": "local", "environment": "prod", "region": "local"})
    with pytest.raises(ConfigError, match="stack audti has no config here; those that do are audit"):
        configure(root, "audti")
    assert [path.name for path in root.glob("Pulumi.*.yaml")] == ["Pulumi.audit.yaml"]


@pytest.mark.parametrize("endpoints", ["loan", "{}", '["Not Good"]', '["a", "a"]', "[{}]", "[1]"])
def test_endpoints_that_are_none_are_refused_and_nothing_is_written(
    root: Path, loan: ProjectFiles, endpoints: str
) -> None:
    for projects in ([], [loan]):
        with pytest.raises(ConfigError, match="endpoints"):
            configure(root, "local", projects, {"endpoints": endpoints})
    assert read_config(root, "local") == {}


def test_a_config_from_elsewhere_makes_the_stack_here(root: Path, loan: ProjectFiles) -> None:
    told = {"cloud": "local", "environment": "prod", "region": "local"}
    configure(root, "audit", [loan], told)
    config = read_config(root, "audit")
    shutil.rmtree(root / ".trivet")  # and with it the passphrase
    assert preview(root, "audit").changes.keys() == {"create"}
    assert read_config(root, "audit") == config


def test_a_secret_keeps_its_salt(root: Path) -> None:
    path = root / "Pulumi.local.yaml"
    configure(root, "local")
    text = path.read_text().replace("config:\n", "config:\n  other:key:\n    secure: v1:x:y\n")
    path.write_text(text)
    shutil.rmtree(root / ".trivet")
    with pytest.raises(ConfigError, match="The passphrase does not open this stack's secrets"):
        configure(root, "local")
    assert path.read_text() == text


def test_secrets_are_no_plain_config(root: Path) -> None:
    (root / "Pulumi.local.yaml").write_text(
        yaml.safe_dump({"config": {"trivet:cloud": "local", "trivet:key": {"secure": "v1:x"}, "trivet:on": True}})
    )
    assert read_config(root, "local") == {"trivet:cloud": "local", "trivet:on": "true"}


def test_the_environment_is_the_same_every_time_and_the_user_s_own_stays(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = environment(root, "local")
    assert environment(root, "local") == first
    assert Path(first["PULUMI_CONFIG_PASSPHRASE_FILE"]).stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "own")
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in environment(root, "local")


def test_a_stack_that_is_not_there_cannot_be_destroyed(root: Path) -> None:
    with pytest.raises(NotFound, match="There is no stack other here"):
        destroy(root, "other")
    assert list(root.glob("Pulumi.*.yaml")) == []
    assert not (root / ".trivet").exists()
    assert held(root, "other") == []
    with pytest.raises(NotFound):
        audit(root, "other")


def test_this_machine_costs_nothing_and_says_what_is_left_on_it(root: Path, loan: ProjectFiles) -> None:
    configure(root, "local", [loan])
    estimate = preview(root, "local", cost=True).estimate
    assert estimate is not None and estimate.total == "USD 0.00" and estimate.rows == () and estimate.ceiling is None
    assert preview(root, "local").estimate is None
    assert audit(root, "local") == []
    home = root / ".trivet" / "local"
    (home / "store").mkdir(parents=True)
    assert [(one.kind, one.id) for one in audit(root, "local")] == [("folder", str(home / "store"))]


def test_a_stack_named_after_another_cloud_is_not_written(root: Path) -> None:
    told = {"cloud": "local", "environment": "dev", "region": "local"}
    with pytest.raises(ConfigError, match="named after aws, and its cloud is local"):
        configure(root, "aws-dev", config=told)
    assert list(root.glob("Pulumi.*.yaml")) == []


@pytest.mark.slow
def test_what_only_the_whole_stack_shows_is_refused_before_anything_is_made(root: Path, monkeypatch) -> None:
    """The engine holds such a policy once everything else is done: so what is held to packs is previewed first."""
    command = [sys.executable, str(REPOSITORY / "tools" / "environments.py"), "policy"]
    python = Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
    monkeypatch.delenv("PYTHONPATH", raising=False)
    pack = root / "size"
    pack.mkdir()
    runtime = {"name": "python", "options": {"virtualenv": str(python.parent.parent)}}
    (pack / "PulumiPolicy.yaml").write_text(yaml.safe_dump({"runtime": runtime}))
    (pack / "__main__.py").write_text(PACK)
    with pytest.raises(GateRefused, match="resources"):
        up(root, "local", options=Options((pack,)))
    assert not (root / ".trivet" / "local" / "store").exists()
    (pack / "__main__.py").write_text(PACK.replace("> 2", "> 99"))
    assert up(root, "local", options=Options((pack,))).changes["create"] > 2
    assert (root / ".trivet" / "local" / "store").is_dir()
    destroy(root, "local")
