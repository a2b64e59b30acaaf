"""A project's four files, read and held against each other."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from trivet.core.errors import ConfigError
from trivet.workflows.project import FILES, ProjectFiles

EXAMPLE = Path(__file__).parents[3] / "examples" / "loan_approval"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the example."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "loan"))


@pytest.fixture
def edit(folder: Path) -> Callable[..., None]:
    """Change keys of one of the files."""

    def change(file: str, **keys: Any) -> None:
        document = yaml.safe_load((folder / file).read_text()) | keys
        (folder / file).write_text(yaml.safe_dump(document))

    return change


def refused(folder: Path) -> str:
    with pytest.raises(ConfigError) as raised:
        ProjectFiles.read(folder)
    return str(raised.value)


def test_the_example_reads(folder: Path) -> None:
    project = ProjectFiles.read(folder)
    assert list(project.variants) == ["default", "strict", "mitigated"]
    assert project.variant("strict").threshold == 0.85
    assert project.variant("mitigated").params.keys() == {"mitigation"}
    assert not {"approve", "black", "gdlin"} & set(project.features)


def test_a_variant_lies_over_the_default(folder: Path, edit: Callable[..., None]) -> None:
    edit("trivet.yaml", params={"C": 1, "l1": 0}, variants={"own": {"params": {"C": 2}}, "sure": {"threshold": 0}})
    project = ProjectFiles.read(folder)
    assert project.variant("own").params == {"C": 2, "l1": 0}
    assert project.variant("own").threshold == 0.5
    assert project.variant("sure").threshold == 0.0
    with pytest.raises(ConfigError, match=r"no variant 'other'. Choose one of: default, own, sure"):
        project.variant("other")


def test_files_that_are_missing_are_named(folder: Path) -> None:
    for name in FILES[1:]:
        (folder / name).unlink()
    assert "it lacks train.py, policy.yaml, trivet.yaml" in refused(folder)


@pytest.mark.parametrize("file", ["contract.yaml", "policy.yaml", "trivet.yaml"])
@pytest.mark.parametrize("text", ["{", "\x00", "- 1\n", "", "a: *b"])
def test_what_is_no_document_is_refused_by_name(folder: Path, file: str, text: str) -> None:
    (folder / file).write_text(text)
    assert file in refused(folder)


def test_every_mistake_in_a_file_is_named(folder: Path, edit: Callable[..., None]) -> None:
    edit("trivet.yaml", folds=1, endpoint="Not Good", colour="red")
    said = refused(folder)
    for told in ("trivet.yaml", "folds", "endpoint", "colour"):
        assert told in said


@pytest.mark.parametrize("column", ["approve", "black", "action", "nonsense"])
def test_what_is_no_feature_is_refused_as_one(folder: Path, edit: Callable[..., None], column: str) -> None:
    edit("trivet.yaml", features=["hrat", column])
    assert f"bars or lacks: {column}." in refused(folder)


def test_a_group_whose_column_is_not_there_is_refused(folder: Path, edit: Callable[..., None]) -> None:
    fairness = yaml.safe_load((folder / "policy.yaml").read_text())["fairness"]
    fairness["groups"] = [{"name": "tall", "column": "tall", "reference_column": "white"}]
    edit("policy.yaml", fairness=fairness)
    assert "policy.yaml names columns that contract.yaml lacks: tall" in refused(folder)
