"""What a stack knows of its datasets: one entry a snapshot, found by name and by digest, whoever looks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from trivet.core.datacontract import Tag
from trivet.core.errors import NotFound
from trivet.data.snapshot import read_snapshot
from trivet.rehearsal.rigs.local import LocalRig
from trivet.workflows.bench import Bench, workbench
from trivet.workflows.datasets import dataset, datasets
from trivet.workflows.prepare import prepare
from trivet.workflows.project import ProjectFiles

EXAMPLE = Path(__file__).parents[3] / "examples" / "loan_approval"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A bench on which the example's data was frozen twice, and once more under a newer contract."""
    root = tmp_path_factory.mktemp("datasets")
    project = root / "loan"
    shutil.copytree(EXAMPLE, project)
    with LocalRig(root), workbench(root, "local") as bench:
        for _ in range(2):
            prepare(bench, ProjectFiles.read(project))
        contract = yaml.safe_load((project / "contract.yaml").read_text())
        (project / "contract.yaml").write_text(yaml.safe_dump({**contract, "version": contract.get("version", 1) + 1}))
        prepare(bench, ProjectFiles.read(project))
        yield bench


def test_a_snapshot_is_noted_once_and_the_newest_comes_first(bench: Bench) -> None:
    newest, first = datasets(bench)
    assert newest.dataset.contract_version == first.dataset.contract_version + 1
    assert newest.dataset.snapshot != first.dataset.snapshot
    assert newest.dataset.file == first.dataset.file
    assert datasets(bench, newest.dataset.name) == [newest, first]
    assert datasets(bench, "another") == []


def test_it_says_what_the_rows_are_and_where_they_lie(bench: Bench) -> None:
    noted = datasets(bench)[-1]
    found = noted.dataset
    stored = read_snapshot(bench.platform.store, found.snapshot)
    assert (found.key, found.data, found.rows, found.quarantined) == (
        *(stored.key, stored.data),
        *(stored.rows, stored.quarantined),
    )
    tags = {column.name: column.tags for column in found.columns}
    assert Tag.TARGET in tags[found.target]
    assert any(Tag.PROTECTED in tag for tag in tags.values())
    assert found.source
    assert noted.actor == bench.actor.name


def test_it_is_found_by_its_name_and_by_the_beginning_of_its_digest(bench: Bench) -> None:
    newest, first = datasets(bench)
    assert dataset(bench, newest.dataset.name) == newest
    assert dataset(bench, first.dataset.snapshot) == first
    assert dataset(bench, first.dataset.snapshot[:20]) == first
    assert dataset(bench, first.dataset.snapshot.removeprefix("sha256:")[:12]) == first


@pytest.mark.parametrize("reference", ["another", "sha256:", "abc", "f" * 64])
def test_what_is_not_there_or_says_too_little_is_refused(bench: Bench, reference: str) -> None:
    with pytest.raises(NotFound, match=f"no single dataset {reference}.*there are: {datasets(bench)[0].dataset.name}"):
        dataset(bench, reference)
